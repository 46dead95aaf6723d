"""Commands on Discord and Slack while the same process reads trades files: how soon it says yes.

The real `python -m bot run` between local platforms, 82 sessions of a market of 11,000 tickers
stored by `python -m bot backfill`, and trades files of the oldest sessions waiting on a local S3.
Beside it the same commands with nothing to read, and a service whose handlers work first.

python -m bench acknowledge [COMMANDS] [SESSIONS] [MILLIONS OF TRADES EACH]
"""

import asyncio
import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import polars as pl

from bench import tree
from bench.chat_load import (
    DISCORD_TOKEN,
    SLACK_TOKEN,
    SUGGESTED,
    Crowd,
    Given,
    Times,
    all_answered,
    paced,
)
from bench.chat_process import Service, backfilled, connected, ended, of_platforms, service
from bench.child import Job
from bench.data import SESSIONS as STORED
from bench.data import Data
from bench.harness import Goal, duration, in_child, lined_up
from bench.stream import ACCESS_KEY_ID, SECRET, _serving
from core.calendar import TradingDay, last_complete, sessions_ending
from core.sources.day_aggs import key
from tests.market import compiled_once
from tests.servers.discord import DiscordServer
from tests.servers.finra import FinraServer
from tests.servers.slack import SlackServer

COMMANDS, PER_SECOND = 500, 5.0
TAPES, TRADES = 16, 20_000_000
P99_S, _WORST_S = 0.25, 1.0
_READING = 0.8
_BUSIEST = 40
_PATIENCE_S = 120.0
"""For answers; an answer that is late is late, and not lost."""
_SET_ASIDE, _DATA_SET = "trades-to-come", Path("us_stocks_sip/trades_v1")


def main() -> None:
    """Measure as much as is asked for."""
    for goal in _asked([float(word) for word in sys.argv[1:]]):
        print(goal)


def run(_: Data, *asked: float) -> list[Goal]:
    """On a market of its own, for the service goes by today's date."""
    return _asked(asked)


def _asked(numbers: Sequence[float]) -> list[Goal]:
    usual = [COMMANDS, TAPES, TRADES / 1e6]
    commands, tapes, millions = [*numbers, *usual[len(numbers) :]]
    return measured(int(commands), int(tapes), int(millions * 1e6))


@dataclass(frozen=True, slots=True)
class Seen:
    """What one service did."""

    name: str
    given: Sequence[Given]
    reading: float
    """The share of looks at which a process of its own was reading trades."""
    reading_s: float
    """Seconds of CPU that it used."""
    sessions: int
    """Trades files that were counted and stored during the commands."""
    left: int
    """Those that were still to come after them."""
    code: int | None
    ended_s: float

    def of(self, platform: str, *, answers: bool = False) -> Times:
        """Acknowledgements, or answers; of what is suggested while somebody types, neither."""
        here = [one for one in self.given if one.platform == platform and one.kind != SUGGESTED]
        return Times.of([one.answer_s if answers else one.ack_s for one in here])

    @property
    def suggested(self) -> Times:
        """Discord's suggestions, which are their own acknowledgement."""
        return Times.of([one.answer_s for one in self.given if one.kind == SUGGESTED])


def measured(commands: int, tapes: int, trades: int) -> list[Goal]:
    """Three services, one after another, on copies of the same folder."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-acknowledge-") as name:
        folder = Path(name)
        days = sessions_ending(last_complete(datetime.now(UTC)), STORED)
        vendor = published(folder, days, days[:tapes], trades)
        with _serving(str(vendor)) as s3_url:
            return asyncio.run(_measured(folder, s3_url, days, commands, trades))


def published(
    folder: Path, days: Sequence[TradingDay], taped: Sequence[TradingDay], trades: int
) -> Path:
    """Day aggregates of all sessions; the trades files are set aside until it is their turn."""
    vendor = folder / "vendor"
    job = Job(str(vendor), str(folder), "", tuple(map(str, days)))
    in_child("bench.market:generate", job)
    command = [sys.executable, "-m", "bench.tape_days", str(folder / _SET_ASIDE), str(trades)]
    subprocess.run([*command, *map(str, taped)], check=True)
    return vendor


async def _measured(
    folder: Path, s3_url: str, days: Sequence[TradingDay], commands: int, trades: int
) -> list[Goal]:
    asked = await stored(folder, s3_url, days)
    idle = await side("nothing to read", folder, asked, days, commands)
    publish_trades(folder)
    ours = await side("ours", folder, asked, days, commands, reads=True)
    late = ("bench.late", "run")
    rival = await side("works first", folder, asked, days, commands, *late, reads=True)
    show([ours, idle, rival], trades)
    return goals_of(ours, idle, rival)


async def stored(folder: Path, s3_url: str, days: Sequence[TradingDay]) -> dict[str, str]:
    """A folder of some age, for copies; the settings of a service that reads trades."""
    settings = {
        **{"FLATFILES_ACCESS_KEY_ID": ACCESS_KEY_ID, "FLATFILES_SECRET_ACCESS_KEY": SECRET},
        **{"FLATFILES_ENDPOINT_URL": s3_url, "USE_FLAT_FILES": "true"},
    }
    await asyncio.to_thread(compiled_once, folder / "stored")
    filled = {**settings, "DATA_DIR": str(folder / "stored")}
    await backfilled(folder, filled, str(days[0]), str(days[-1]))
    return {**settings, "USE_TRADES_FILES": "true", "DARK_POOL_ONLY": "true"}


def publish_trades(folder: Path) -> None:
    """From now on there are trades files to be read."""
    (folder / _SET_ASIDE / _DATA_SET).rename(folder / "vendor" / _DATA_SET)


async def side(
    name: str,
    folder: Path,
    settings: dict[str, str],
    days: Sequence[TradingDay],
    commands: int,
    *command: str,
    reads: bool = False,
    typed: str = "",
) -> Seen:
    """One service, from its start to its end; `typed`: what somebody has asked of it before."""
    place = folder / name.replace(" ", "-")
    data = place / "data"
    await asyncio.to_thread(shutil.copytree, folder / "stored", data, symlinks=True)
    if typed:
        await ended(place, {**settings, "DATA_DIR": str(data)}, "ask", typed)
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(DiscordServer(token=DISCORD_TOKEN))
        slack = await stack.enter_async_context(SlackServer(token=SLACK_TOKEN))
        finra = await stack.enter_async_context(FinraServer())
        crowd = Crowd(discord, slack, await asyncio.to_thread(_busiest, folder, days[-1]))
        crowd.move_in()
        told = {**settings, **of_platforms(discord, slack), "FINRA_URL": finra.daily_url}
        told["DATA_DIR"] = str(data)
        running = await stack.enter_async_context(service(place, told, *command))
        await connected(discord, slack, running)
        await _reading(running, data, there=reads)
        before, looks = _counted(data), list[dict[int, float]]()
        looking = asyncio.create_task(_look(running, looks))
        await paced(crowd.ask, PER_SECOND, commands)
        looking.cancel()
        after = _counted(data)
        # What the platform has refused will not be answered any more.
        await all_answered(crowd.given, _PATIENCE_S, lambda one: bool(one.refusals))
        crowd.take_stock()
        assert not crowd.failures, crowd.failures
        code, ended_s = await running.stop()
        print(".", end="", file=sys.stderr, flush=True)
    share = _share_at_work(looks)
    files = (folder / "vendor" / _DATA_SET).rglob("*.csv.gz")
    read = (share, _worked_s(looks), after - before, len(list(files)) - after)
    return Seen(name, crowd.given, *read, code, ended_s)


async def _reading(running: Service, data: Path, *, there: bool, within_s: float = 180) -> None:
    """Wait until the first file is stored, and its reader warm; with none, until all is asked."""
    if not there:
        await asyncio.sleep(10)
        assert not _readers(running), "there should be nothing to read"
        return
    async with asyncio.timeout(within_s):
        while not (await asyncio.to_thread(_counted, data) and _readers(running)):
            assert running.is_alive, f"the service has ended:\n{running.said()}"
            await asyncio.sleep(0.1)


async def _look(running: Service, looks: list[dict[int, float]]) -> None:
    while True:
        looks.append(_readers(running))
        await asyncio.sleep(0.5)


def _readers(running: Service) -> dict[int, float]:
    """Who counts trades for it, or for a worker of its, and the CPU that each has used."""
    return {one.pid: one.own_s for one in tree.below(running.pid) if one.role == "reader"}


def _share_at_work(looks: Sequence[dict[int, float]]) -> float:
    """At work is a reader that has used CPU since the look before, not one that is only there."""
    pairs = list(pairwise(looks))
    working = (any(used_s > a.get(pid, 0.0) for pid, used_s in b.items()) for a, b in pairs)
    return sum(working) / len(pairs) if pairs else 0.0


def _worked_s(looks: Sequence[dict[int, float]]) -> float:
    """The seconds of CPU that all readers used between the first look and the last."""
    first, most = looks[0], dict[int, float]()
    for look in looks:
        most |= look
    return sum(most.values()) - sum(first.values())


def _counted(data: Path) -> int:
    """Sessions that were stored from trades."""
    with closing(sqlite3.connect(f"file:{data / 'state.db'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT count(*) FROM sessions WHERE revision > 0 AND series LIKE ?",
                          ("off_exchange-trades-%",))  # fmt: skip
        return int(rows.fetchone()[0])


def _busiest(folder: Path, day: TradingDay) -> list[str]:
    """Names that people ask about."""
    rows = pl.read_csv(folder / "vendor" / key("day_aggs_v1", day.date))
    traded = rows.sort(pl.col("close") * pl.col("volume"), descending=True)
    return traded["ticker"].head(_BUSIEST).to_list()


def show(sides: Sequence[Seen], trades: int) -> None:
    ours = sides[0]
    for seen in sides:
        kinds = Counter(one.kind for one in seen.given)
        lost = sum(not one.is_answered for one in seen.given)
        silent = Counter(f"{g.platform} {g.kind}" for g in seen.given if not g.is_answered)
        print(
            f"  {seen.name}: {len(seen.given)} commands"
            f" ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())});"
            f" {lost} unanswered{f' {dict(silent)}' if silent else ''},"
            f" {sum(one.surplus for one in seen.given)} answers too many;"
            f" {seen.sessions} files of {trades:,} trades stored meanwhile, a reader at work at"
            f" {seen.reading:.0%} of looks, {seen.reading_s:.1f} s of CPU;"
            f" ended with {seen.code} in {seen.ended_s:.1f} s"
        )
    head = ("dispatched to", "median", "x ours", "p99", "x ours", "worst", "x ours")
    rows = [head]
    for platform in ("discord", "slack"):
        for answers in (False, True):
            base = ours.of(platform, answers=answers)
            for seen in sides:
                times = seen.of(platform, answers=answers)
                what = "answer" if answers else "acknowledged"
                rows.append((f"{platform} {what}: {seen.name}", *_cells(times, base)))
    suggested = [(f"discord suggestions: {seen.name}", *_cells(seen.suggested, ours.suggested))
                 for seen in sides]  # fmt: skip
    print(lined_up([*rows, *suggested]))


def _cells(times: Times, ours: Times) -> tuple[str, str, str, str, str, str]:
    (m, mx), (p, px), (w, wx) = (
        ("never" if math.isinf(seen) else duration(seen), f"{seen / base:.1f}")
        for seen, base in (
            (times.median, ours.median),
            (times.p99, ours.p99),
            (times.worst, ours.worst),
        )
    )
    return m, mx, p, px, w, wx


def goals_of(ours: Seen, *others: Seen) -> list[Goal]:
    """What is asked of the first; the others beside it."""
    goals = []
    for platform in ("discord", "slack"):
        times = ours.of(platform)
        beside = ", ".join(f"{duration(one.of(platform).p99)} {one.name}" for one in others)
        p99, worst = duration(times.p99), duration(times.worst)
        goals += [
            Goal(f"{platform}: p99 of acknowledgements below 250 ms", times.p99 < P99_S,
                 f"{p99}; {beside}"),
            Goal(f"{platform}: none takes a second", times.worst < _WORST_S, worst),
        ]  # fmt: skip
    quick = ours.suggested
    goals.append(Goal("discord: p99 of suggestions below a second", quick.p99 < _WORST_S,
                      f"{duration(quick.p99)}, worst {duration(quick.worst)}"))  # fmt: skip
    lost = sum(not one.is_answered for one in ours.given)
    surplus = sum(one.surplus for one in ours.given)
    goals += [
        Goal("every command answered, once", not lost and not surplus,
             f"{lost} unanswered, {surplus} too many of {len(ours.given)}"),
        # Between two files the service itself checks, stores and judges what was counted.
        Goal("sessions came in all the while: a reader at work at 80 % of looks, one stored",
             ours.reading >= _READING and ours.sessions > 0 and ours.left > 0,
             f"{ours.sessions} stored, {ours.left} still to come; a reader at {ours.reading:.0%} of"
             f" looks, {ours.reading_s:.1f} s of CPU"),
        Goal("SIGTERM in the middle of it ends with 0 within 10 s",
             ours.code == 0 and ours.ended_s < 10, f"{ours.code} in {ours.ended_s:.1f} s"),
    ]  # fmt: skip
    return goals


if __name__ == "__main__":
    main()
