"""Trades files read by one worker, by two, and by a cluster; ten years of them on paper.

python -m bench scaling [SESSIONS] [MILLIONS OF TRADES EACH] [ROUNDS]
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.data import Data
from bench.harness import Goal, duration, lined_up
from bench.scaling_paper import Cost, on_paper
from bench.scaling_runs import TRADES, Took, Way, forgotten, listed, published_bytes, took
from bench.scaling_serial import Serial
from bench.scaling_serial import measured as serial
from bench.stream import ACCESS_KEY_ID, SECRET
from core.calendar import TradingDay, last_complete, sessions_ending
from tests.servers.s3_apart import S3Apart, apart

SESSIONS, MILLIONS, ROUNDS = 8, 20.0, 3
_ROLES = ("bot", "worker", "reader", "scheduler")
ONE_CORE, ONE, TWO, CLUSTER = WAYS = (
    Way("one worker, on one core", 1, cores=1),
    Way("one worker", 1),
    Way("two workers", 2),
    Way("two workers of a cluster", 2, cluster=True),
)


def main() -> None:
    """As much as is asked for."""
    for goal in measured(*(float(word) for word in sys.argv[1:])):
        print(goal)


def run(_: Data, *asked: float) -> list[Goal]:
    """On trades files of its own."""
    return measured(*asked)


def measured(
    sessions: float = SESSIONS, millions: float = MILLIONS, rounds: float = ROUNDS
) -> list[Goal]:
    """Each way in turn, in every second round the other way about; the tables; the goals."""
    days = sessions_ending(last_complete(datetime.now(UTC)), int(sessions))
    with tempfile.TemporaryDirectory(prefix="tapewatch-scaling-") as name:
        folder, rows = Path(name), int(millions * 1e6)
        command = [sys.executable, "-m", "bench.tape_days", str(folder / "vendor"), str(rows)]
        subprocess.run([*command, *map(str, days)], check=True)
        size = published_bytes(folder / "vendor", days)
        keys = {"access_key_id": ACCESS_KEY_ID, "secret": SECRET}
        with apart(folder / "vendor", folder / "asked", **keys) as vendor:
            listed(vendor)
            seen, alone = asyncio.run(_measured(folder, vendor, days, int(rounds)))
    ways = {way.name: took for way, took in seen.items()}
    _print(ways, alone, rows)
    print(_limits(seen))
    cost = _cost(seen[ONE], alone)
    print(on_paper(cost))
    return [*_goals(seen), _same(seen, size)]


async def _measured(
    folder: Path, vendor: S3Apart, days: Sequence[TradingDay], rounds: int
) -> tuple[dict[Way, list[Took]], Serial]:
    seen: dict[Way, list[Took]] = {way: [] for way in WAYS}
    alone = None
    # The counting is compiled once for each version of it, which is nobody's cost.
    await took(folder / "warm", vendor, days[:1], ONE)
    for turn in range(rounds):
        # A machine that slows down meanwhile is not always the same way's loss.
        for way in WAYS if turn % 2 == 0 else WAYS[::-1]:
            place = folder / f"{turn}-{way.name.replace(' ', '-')}"
            seen[way].append(await took(place, vendor, days, way))
            print(".", end="", file=sys.stderr, flush=True)
            if alone is None:
                alone = await serial(place / "data", days, _settings())
            await forgotten(place)
    assert alone is not None
    return seen, alone


def _settings() -> dict[str, str]:
    """Of a bot that judges trades, and asks nobody."""
    keys = {"FLATFILES_ACCESS_KEY_ID": "nobody", "FLATFILES_SECRET_ACCESS_KEY": "s" * 32}
    return {**keys, "USE_FLAT_FILES": "true", **TRADES}


def _print(ways: dict[str, list[Took]], alone: Serial, rows: int) -> None:
    first = next(iter(ways.values()))[0]
    size = first.in_bytes / first.sessions
    print(
        f"\n  {first.sessions} sessions of {rows:,} trades, {size / 1e6:,.0f} MB each; load"
        f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    head = ("way", "sessions a minute", "wall each", "CPU each", "of it bot's", "server's",
            "watch's", "peaks MB")  # fmt: skip
    print(lined_up([head, *(_row(name, seen) for name, seen in ways.items())]))
    each = first.sessions
    print(
        f"  a session: {first.requests / each:.1f} requests, {first.in_bytes / each / 1e6:,.1f} MB"
        f" in, {first.stored_bytes / each / 1e3:,.0f} kB stored, {first.rows / each:,.0f} rows"
    )
    parts = {"job": alone.job_s, "staged": alone.staged_s, "gate": alone.gate_s}
    told = ", ".join(f"{name} {duration(s / alone.sessions)}" for name, s in parts.items())
    print(
        f"  the bot's own share, one after another: {duration(alone.each_s)} a session ({told},"
        f" stored in its turn {duration(alone.turn_s)})"
    )


def _row(name: str, seen: Sequence[Took]) -> tuple[str, ...]:
    peaks = {role: max(t.peaks_mb.get(role, 0.0) for t in seen) for role in _roles(seen)}
    parts = ("wall_s", "job_s", "bot_s", "server_s", "watch_s")
    return (
        name,
        f"{median(t.per_minute for t in seen):.2f}",
        *(duration(median(getattr(t.used, part) / t.sessions for t in seen)) for part in parts),
        ", ".join(f"{role} {peak:.0f}" for role, peak in peaks.items()),
    )


def _limits(seen: dict[Way, list[Took]]) -> str:
    """How many cores each had, and what was waited for in the round of the median."""
    head = ("cores used by", "job", "server", "watch", "others", "limited by")
    return lined_up([head, *(_limit(way, took) for way, took in seen.items())])


def _limit(way: Way, seen: Sequence[Took]) -> tuple[str, ...]:
    used = sorted((t.used for t in seen), key=lambda used: used.wall_s)[len(seen) // 2]
    each = (used.job_s, used.server_s, used.watch_s, used.others_s)
    return (way.name, *(f"{s / used.wall_s:.2f}" for s in each), used.limit(way.cores))


def _roles(seen: Sequence[Took]) -> list[str]:
    return [role for role in _ROLES if any(role in t.peaks_mb for t in seen)]


def _cost(seen: Sequence[Took], alone: Serial) -> Cost:
    one = seen[0]
    gb = one.in_bytes / one.sessions / 1e9
    return Cost(
        wall_s_per_gb=median(t.used.wall_s / t.sessions for t in seen) / gb,
        cpu_s_per_gb=median((t.used.job_s - t.used.bot_s) / t.sessions for t in seen) / gb,
        serial_s=alone.each_s,
        turn_s=alone.turn_s,
        stored_bytes=one.stored_bytes / one.sessions,
        requests=one.requests / one.sessions,
    )


def _goals(seen: dict[Way, list[Took]]) -> list[Goal]:
    faster, cores = _ratios(seen, TWO, ONE_CORE), os.cpu_count() or 1
    beside = median(_ratios(seen, TWO, ONE))
    over = [ratio - 1 for ratio in _ratios(seen, TWO, CLUSTER)]
    return [
        Goal("two workers on two cores at least 1.6x one worker on one", median(faster) >= 1.6,
             f"{median(faster):.2f}x ({faster[0]:.2f} to {faster[-1]:.2f}); {beside:.2f}x one"
             f" worker that has all {cores} cores"),
        Goal("a cluster costs at most 10 % more than processes, two workers each",
             median(over) <= 0.10, f"{median(over):+.1%} ({over[0]:+.1%} to {over[-1]:+.1%})"),
    ]  # fmt: skip


def _same(seen: dict[Way, list[Took]], published: int) -> Goal:
    """Ways that did different work would not be compared."""
    runs = [took for each in seen.values() for took in each]
    bars, sizes = {took.bars for took in runs}, [took.in_bytes for took in runs]
    # A byte of each file is asked for beforehand, and its folder listed.
    is_once = all(published <= size < 1.01 * published for size in sizes)
    return Goal(
        "every way read each byte once and stored the same bars", is_once and len(bars) == 1,
        f"{min(sizes) / 1e6:,.1f} to {max(sizes) / 1e6:,.1f} MB of {published / 1e6:,.1f},"
        f" {len(bars)} different",
    )  # fmt: skip


def _ratios(seen: dict[Way, list[Took]], one: Way, other: Way) -> list[float]:
    """So many times as fast, round by round; the smallest first."""
    pairs = zip(seen[one], seen[other], strict=True)
    return sorted(a.per_minute / b.per_minute for a, b in pairs)


if __name__ == "__main__":
    main()
