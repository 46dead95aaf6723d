"""The names of the built-in market: what is listed, how liquid, when it splits. Seeded, stateless.

Splits: each of five names has one in every window of weekdays, forward and back in turn.
"""

from bisect import bisect
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Literal

from core.calendar import is_session
from core.splits import Split

Kind = Literal["news", "block", "crowd", "quiet", "spike-and-fade", "squeeze"]

BUCKETS = ((0.25, 0.9), (1.15, 4.4), (5.7, 18.0), (23.0, 90.0), (112.0, 2000.0))  # million USD
_PER_BUCKET = 120
_SPLIT_EVERY = 75  # weekdays, for each of the five names that split


@dataclass(frozen=True, slots=True)
class Name:
    ticker: str
    price: float  # USD, around which it moves, before splits
    dollars: float  # USD traded on a usual day
    sway: float = 0.02  # sd of a daily log return of its own
    noise: float = 0.5  # sd of log volume
    often: float = 1.0  # chance that it trades at all on a day
    phase: int = -1  # where in the listing cycle it is; -1 it is always listed
    split: int = -1  # which of the five names that split; -1 it does not

    @property
    def bucket(self) -> int:
        """Which of BUCKETS its dollar volume falls in."""
        return bisect((1, 5, 20, 100), self.dollars / 1e6)

    @property
    def trades(self) -> float:
        """Trades on a usual day: about 20 for $200k, 700 for $2B."""
        return 20.0 * float((self.dollars / 2e5) ** 0.386)


_ODD = (
    Name("NA", 31.0, 3.1e6),
    Name("NULL", 12.5, 8.4e5),
    Name("TRUE", 44.0, 2.6e7),
    Name("QBRK.A", 640.0, 2.4e7, 0.01),
    Name("QBRK.B", 210.0, 1.6e8, 0.01),
    Name("XPAC.U", 10.2, 1.2e5, 0.004, 0.8, 0.7),
    Name("QXAT.WS", 0.42, 3.0e4, 0.05, 0.9, 0.6),
    Name("ZNMCr", 0.16, 1.5e4, 0.05, 0.9, 0.4),
    Name("ZORpA", 24.4, 1.8e5, 0.005, 0.7, 0.8),
    Name("ZAAP", 88.0, 7.5e7),
    Name("ZAAp", 25.1, 2.2e5, 0.006, 0.7),
    Name("ZVZZT", 14.0, 2.0e7, 0.06, 2.5),
    Name("ZXZZT", 22.0, 9.0e6, 0.06, 2.5),
    *(Name(f"XTF{c}", 60.0 + 40 * i, 4e7 * 2**i, 0.003, 0.4) for i, c in enumerate("ABCDEF")),
)


@cache
def names(seed: int) -> tuple[Name, ...]:
    """Everything that is ever listed, in byte order of the ticker."""
    rng = Random(f"{seed}:names")
    tickers = _tickers(rng, _PER_BUCKET * len(BUCKETS))
    common = [_common(rng, tickers[i], i) for i in range(len(tickers))]
    return tuple(sorted((*common, *_ODD), key=lambda name: name.ticker))


def _tickers(rng: Random, count: int) -> list[str]:
    """Invented four-letter tickers, in no order."""
    tickers: dict[str, None] = {}
    while len(tickers) < count:
        letters = ("QXZ", "JKQVWXZ", "AEIOU", "BCDFGHKLMNPRTVW")
        tickers["".join(kind[int(rng.random() * len(kind))] for kind in letters)] = None
    return list(tickers)


def _common(rng: Random, ticker: str, serial: int) -> Name:
    bucket, place = divmod(serial, _PER_BUCKET)
    low, high = BUCKETS[bucket]
    dollars = low * (high / low) ** rng.random() * 1e6
    price, sway = 6 * 40 ** rng.random(), 0.009 + 0.018 * rng.random()
    if bucket in (2, 3) and place % 8 == 0:
        price = 1.5 + 1.5 * rng.random()
    split = place // 24 if bucket == 3 and place % 24 == 1 else -1
    if split >= 0:
        price = 90 + 60 * rng.random()
    often = 0.6 + 0.39 * rng.random() if bucket == 0 and place % 3 == 0 else 1.0
    phase = place * 18 if bucket in (0, 1) and place % 10 == 5 else -1
    return Name(ticker, price, dollars, sway, 0.45 + 0.15 * rng.random(), often, phase, split)


@cache
def pools(seed: int) -> dict[Kind, tuple[int, ...]]:
    """Where in the names each kind of event may be planted; no name is in two pools."""
    pools: dict[Kind, list[int]] = {"news": [], "spike-and-fade": [], "squeeze": []}
    for i, name in enumerate(names(seed)):
        if name.bucket < 2 or name.split >= 0 or name in _ODD:
            continue
        kind: Kind = "spike-and-fade" if name.price < 4 else "squeeze" if i % 8 == 0 else "news"
        pools[kind].append(i)
    return {kind: tuple(pool) for kind, pool in pools.items()}


def splits(seed: int, first: date, last: date) -> list[Split]:
    """The splits executed from first to last, both included, oldest first."""
    found = []
    for name in (n for n in names(seed) if n.split >= 0):
        # A window on either side: an execution date is never far from its window.
        windows = range(_split_window(name, first) - 1, _split_window(name, last) + 2)
        found += [_split(seed, name, window) for window in windows]
    return sorted(s for s in found if first <= s.execution_date <= last)


def weekday(day: date) -> int:
    """How many weekdays lie between a date and the start of the calendar."""
    weeks, rest = divmod(day.toordinal() - 1, 7)
    return weeks * 5 + min(rest, 4)


def on_weekday(number: int) -> date:
    """The other way round."""
    return date.fromordinal(number // 5 * 7 + number % 5 + 1)


def session_from(weekday: int) -> date:
    """The first session on or after a weekday, given by its number."""
    day = on_weekday(weekday)
    while not is_session(day):
        day += timedelta(days=1)
    return day


def _split_window(name: Name, day: date) -> int:
    return (weekday(day) - name.split * _SPLIT_EVERY // 5) // _SPLIT_EVERY


@cache
def _split(seed: int, name: Name, window: int) -> Split:
    pair, back = divmod(window + name.split, 2)
    ratio = 2.0 + int(Random(f"{seed}:ratio:{name.ticker}:{pair}").random() * 3)
    late = int(Random(f"{seed}:split:{name.ticker}:{window}").random() * 60)
    start = window * _SPLIT_EVERY + name.split * _SPLIT_EVERY // 5
    return Split(session_from(start + late), name.ticker, *((ratio, 1.0) if back else (1.0, ratio)))


def shares_factor(seed: int, name: Name, day: date) -> float:
    """Shares on a date for each share there was to begin with."""
    window = _split_window(name, day)
    split = _split(seed, name, window)
    if day < split.execution_date:
        split = _split(seed, name, window - 1)
    return max(split.shares_factor, 1.0)
