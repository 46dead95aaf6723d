"""Backfills that are killed, starved of disk and answered badly, by seeds.

python -m bench backfill-kills [RUNS] [FIRST SEED] (one seed is run again by: 1 SEED)
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from bench import backfill_quarters
from bench import backfill_world as worlds
from bench.backfill_again import ALL, put_there, republished, revised
from bench.backfill_trouble import (
    AGAIN,
    COUNTED,
    DISK,
    KINDS,
    Blow,
    Trouble,
    planned,
    sessions_of,
)
from bench.backfill_world import SESSIONS, Kept, World
from bench.chat_process import service
from bench.data import Data
from bench.harness import Goal, lined_up
from bench.scaling_runs import TRADES
from tests.market import compiled_once
from tests.servers.s3 import S3Server

RUNS, AT_ONCE = 80, 6
"""At once: a run rests most of the time."""
_MOST_STARTS, _PATIENCE_S = 12, 600.0
_NOT_NOW = (75, 78)
_SAID = ("full", "cannot be written", "the bars cannot be had")
_AGAIN_S = 0.3


@dataclass(slots=True)
class Run:
    """One seed's story."""

    seed: int
    kind: str
    two: bool
    """REST has the sessions as well: its bars are others, and none of them may be stored."""
    plan: Sequence[Blow]
    happened: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    starts: int = 0
    seconds: float = 0.0


def main() -> None:
    """As many as are asked for, from the seed that is asked for."""
    for goal in measured(*(int(word) for word in sys.argv[1:])):
        print(goal)


def run(_: Data, *asked: float) -> list[Goal]:
    """On the built-in market."""
    return measured(*(int(number) for number in asked))


def measured(runs: int = RUNS, first: int = 0) -> list[Goal]:
    """Some at a time; the table and the goals."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-kills-") as folder:
        told = asyncio.run(_all(Path(folder), range(first, first + runs)))
    _print(told)
    wrong = [one for one in told if one.problems]
    still = [one.seed for one in told if not one.happened]
    kinds = {one.kind for one in told if one.happened}
    return [
        Goal("each job complete, each session once, its bars as without trouble, nothing staged",
             not wrong, f"{len(wrong)} of {len(told)} runs wrong"),
        Goal("in every run something happened", not still, f"not in {still or 'none'}"),
        Goal("every kind of trouble", kinds == set(KINDS), ", ".join(sorted(kinds))),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Market:
    """What a vendor has of a job's sessions, and what a run of it leaves that nobody disturbs."""

    files: Mapping[str, bytes]
    more: Mapping[str, str] = field(default_factory=dict)
    """Settings."""
    sessions: int = SESSIONS
    right: Kept = field(default_factory=Kept)
    before: Path | None = None
    """The DATA_DIR of an earlier job over the same sessions: this one reads all of them again."""

    def world(self, folder: Path, vendor: S3Server) -> World:
        """To run it in."""
        return World(folder, vendor, more=self.more, sessions=self.sessions)


async def _all(folder: Path, seeds: Sequence[int]) -> list[Run]:
    days = await asyncio.to_thread(worlds.objects, worlds.days())
    await asyncio.to_thread(worlds.put_down, days, folder / "rest")
    by_day = await _undisturbed(folder / "right", Market(days))
    markets, kinds = dict.fromkeys(KINDS, by_day), set(map(_kind, seeds))
    if COUNTED in kinds:
        sessions = sessions_of(COUNTED)
        tapes = await asyncio.to_thread(worlds.tapes, worlds.days()[:sessions])
        trades = Market(tapes, TRADES, sessions)
        markets[COUNTED] = await _undisturbed(folder / "right trades", trades)
    if AGAIN in kinds:
        others = Market(republished(days), before=folder / "right" / "data")
        markets[AGAIN] = await _undisturbed(folder / "right again", others)
        assert revised(markets[AGAIN].right), "not read again as it should be"
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> Run:
        async with turn:
            told = await _run(folder / str(seed), seed, markets[_kind(seed)])
        print("!" if told.problems else ".", end="", file=sys.stderr, flush=True)
        _print_wrong(told)
        return told

    return await asyncio.gather(*map(one, seeds))


async def _undisturbed(folder: Path, market: Market) -> Market:
    async with worlds.vendor(dict(market.files)) as vendor:
        world = market.world(folder, vendor)
        if market.before is None:
            await asyncio.to_thread(compiled_once, world.data)
        else:
            await asyncio.to_thread(put_there, market.before, world)
        done = await _once(world, *_backfill(world, market))
        assert done == 0, "the undisturbed run has failed"
        kept = world.kept()
    assert len({line[1] for line in kept.ledger}) == market.sessions, "a session is missing"
    return replace(market, right=kept)


def _kind(seed: int) -> str:
    return list(KINDS)[seed % len(KINDS)]


async def _run(folder: Path, seed: int, market: Market) -> Run:
    kind = _kind(seed)
    chance = Random(seed)
    # A service's nightly run, which reads some of these sessions, may well take REST's; and what
    # REST has is no bar of trades that were counted.
    second = seed // len(KINDS) % 2 == 1
    two = second and kind not in ("service", COUNTED, AGAIN)
    told, began = Run(seed, kind, two, planned(kind, chance)), time.monotonic()
    try:
        at = "bucket" if kind == AGAIN and second else kind
        async with _world(folder, at, market) as world, AsyncExitStack() as stack:
            if two:
                server = worlds.rest(folder.parent / "rest")
                world.rest = await stack.enter_async_context(server)
            trouble = Trouble(world, told.happened)
            coming = asyncio.create_task(trouble.come(told.plan))
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await (
                        _served(world, told) if kind == "service" else _filled(world, market, told)
                    )
            except TimeoutError:
                told.problems.append(f"not over after {_PATIENCE_S:.0f} s: {world.state()}")
            finally:
                coming.cancel()
            told.starts = world.starts
            told.problems += world.wrong(market.right)
            if coming.done() and not coming.cancelled() and (error := coming.exception()):
                told.problems.append(f"the trouble itself failed: {error!r}")
            await asyncio.wait([coming])
            world.calm()
            series = sorted({str(line[0]) for line in market.right.ledger})
            told.problems += await asyncio.to_thread(backfill_quarters.wrong, world, series)
    except OSError as error:
        told.problems.append(f"not run: {error}")
    told.seconds = time.monotonic() - began
    return told


@asynccontextmanager
async def _world(folder: Path, kind: str, market: Market) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(worlds.vendor(dict(market.files)))
        world = market.world(folder, vendor)
        if DISK in KINDS[kind]:
            disk = worlds.small_disk(folder / "disk")
            world.disk = await stack.enter_async_context(disk)
        if kind == "bucket":
            world.bucket = await stack.enter_async_context(worlds.bucket())
        if kind == COUNTED:
            await asyncio.to_thread(compiled_once, world.data)
        if market.before is not None:
            await asyncio.to_thread(put_there, market.before, world)
        if kind == "cluster":
            world.grid = await stack.enter_async_context(worlds.cluster(world))
        yield world


async def _filled(world: World, market: Market, told: Run) -> None:
    """`python -m bot backfill`, begun anew until a run comes to its end by itself."""
    while world.starts < _MOST_STARTS:
        code = await _once(world, *_backfill(world, market))
        if code == 0:
            return
        said = _said(world)
        # It says so, and is begun again. SQLite calls a full disk an I/O error, now and then.
        if code in _NOT_NOW and any(words in said for words in _SAID):
            await asyncio.sleep(_AGAIN_S)
        elif code != -9:
            told.problems.append(f"start {world.starts} ended with {code}: {_said(world)}")
            return


async def _served(world: World, told: Run) -> None:
    """`/backfill run`, and a service that is begun anew whenever it is killed."""
    first, last = world.wanted[0], world.wanted[-1]
    while world.state()[0] == "none" and world.starts < _MOST_STARTS:
        await _once(world, "ask", f"/backfill run {first} {last}")
    while world.starts < _MOST_STARTS:
        async with _started(world, "run"):
            await worlds.until(
                lambda: not world.is_running or world.state()[0] != "running", _AGAIN_S
            )
            if world.running is not None and world.is_running:
                code, _ = await world.running.stop()
                if code:
                    told.problems.append(f"the service ended with {code}: {_said(world)}")
                return


async def _once(world: World, *words: str) -> int:
    """Until it ends, or until the job is done: what is measured afterwards is not its part."""
    async with _started(world, *words):
        assert world.running is not None
        await worlds.until(lambda: not world.is_running or world.state()[0] == "done", _AGAIN_S)
        return 0 if world.is_running else await world.running.process.wait()


@asynccontextmanager
async def _started(world: World, *words: str) -> AsyncIterator[None]:
    """One more process of the bot; what it says is below its own folder."""
    world.starts += 1
    log = world.folder / f"start-{world.starts}"
    log.mkdir(parents=True)
    async with service(log, world.settings, "bot", *words) as world.running:
        yield


def _said(world: World) -> str:
    return "" if world.running is None else world.running.said(6)


def _backfill(world: World, market: Market) -> tuple[str, ...]:
    return "backfill", world.wanted[0], world.wanted[-1], *(ALL if market.before else ())


def _print(told: Sequence[Run]) -> None:
    print(f"\n  {len(told)} runs; load {os.getloadavg()[0]:.1f}")
    rows = [("kind", "sessions", "runs", "starts", "wrong", "seconds", "what happened")]
    for kind in KINDS:
        these = [one for one in told if one.kind == kind]
        if not these:
            continue
        happened = sum((one.happened for one in these), Counter[str]())
        rows.append((
            kind, str(sessions_of(kind)), str(len(these)), str(sum(one.starts for one in these)),
            str(sum(bool(one.problems) for one in these)),
            f"{sum(one.seconds for one in these) / len(these):.0f}",
            ", ".join(f"{count} {what}" for what, count in sorted(happened.items())),
        ))  # fmt: skip
    print(lined_up(rows))


def _print_wrong(one: Run) -> None:
    if one.problems:
        sources = ", two sources" if one.two else ""
        print(f"\n  seed {one.seed} ({one.kind}{sources}): {'; '.join(map(str, one.plan))}")
        print("\n".join(f"    {problem}" for problem in one.problems[:8]), flush=True)


if __name__ == "__main__":
    main()
