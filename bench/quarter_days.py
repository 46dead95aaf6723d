"""What happens to each session of a quarter, by a seed: files that are late, refused, wrong, ..."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from random import Random

from core.calendar import TradingDay, sessions_ending, trading_day

LAST = trading_day(date(2026, 1, 9))
"""The quarter before it has the end of summer time, two half days and four holidays."""
SESSIONS = 63


class Fate(StrEnum):
    """One session's day."""

    PLAIN = "plain"
    LATE = "its file is late"
    NEXT_DAY = "its file comes the day after"
    FILES_REFUSED = "403 for flat files all day"
    ALL_REFUSED = "403 for everything until the afternoon"
    HELD = "its first file has four times the volumes"
    REVISED = "its file is republished after the digest"
    KILLED = "SIGKILL while it is being said"
    ENDED = "SIGTERM while it is being read"
    DISCORD_AWAY = "Discord answers 503"
    SLACK_AWAY = "Slack cuts every connection"


@dataclass(frozen=True, slots=True)
class Session:
    """A session and its day."""

    day: TradingDay
    fate: Fate


def quarter(seed: int, sessions: int = SESSIONS) -> Sequence[Session]:
    """Every fate several times, in an order of its own."""
    chance, days = Random(seed), sessions_ending(LAST, sessions)
    fates = [list(Fate)[n % len(Fate)] for n in range(sessions)]
    chance.shuffle(fates)
    return [Session(day, fate) for day, fate in zip(days, fates, strict=True)]


def fourfold(packed: bytes) -> bytes:
    """Every volume four times what it was: the gate holds it, also on a day of expiry."""
    return _multiplied(packed, 4, lambda ticker: True)


def louder(packed: bytes) -> bytes:
    """One of the larger names at forty times its volume."""
    head, *lines = gzip.decompress(packed).decode().splitlines()
    at = head.split(",").index("volume")
    loud = sorted(lines, key=lambda line: -float(line.split(",")[at]))[25].split(",")[0]
    return _multiplied(packed, 40, lambda ticker: ticker == loud)


def _multiplied(packed: bytes, by: int, chosen: Callable[[str], bool]) -> bytes:
    head, *lines = gzip.decompress(packed).decode().splitlines()
    columns = head.split(",")
    volume, trades = columns.index("volume"), columns.index("transactions")
    made = [head]
    for line in lines:
        row = line.split(",")
        if chosen(row[0]):
            row[volume] = f"{float(row[volume]) * by:.6f}"
            row[trades] = str(int(row[trades]) * by)
        made.append(",".join(row))
    return gzip.compress(("\n".join(made) + "\n").encode(), mtime=0)
