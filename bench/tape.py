"""A day's trades -> bars of both scopes, against unpacking alone and four other ways.

python -m bench.tape [millions of rows [millions of rows, for the memory alone]]
"""

import gzip
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bench.child import Job
from bench.harness import Goal, Result, Side, duration, in_turn, lined_up
from bench.tape_sides import NUMBERS, SCOPES

if TYPE_CHECKING:
    # It brings the calendar, whose size would show in the peak of every child.
    from bench.data import Data

_DEFAULT_ROWS, _SLICE_ROWS = 10_000_000, 1_000_000
_OURS = "bench.tape_sides:ours"
_SIDES = (
    Side("ours", _OURS, 3),
    Side("isal, unpack only", "bench.tape_sides:unpack", 3),
    Side("polars, tuned", "bench.tape_sides:tuned_polars", 3),
    Side("DuckDB, 400 MB, 2 threads", "bench.tape_sides:duckdb", 1),
    Side("pandas in chunks", "bench.tape_plain:pandas", 1),
    Side("pandas in chunks, tuned", "bench.tape_sides:pandas", 1),
)
# On a slice of the file, to be multiplied.
_SLOW_SIDES = (
    Side("ours", _OURS, 1),
    Side("csv and gzip, the tests' reference", "bench.tape_plain:reference", 1),
    Side("csv and gzip, tuned", "bench.tape_sides:python", 1),
)


def main() -> None:
    """Measure on a file of the size asked for; on a larger one, the memory."""
    rows = [int(float(millions) * 1e6) for millions in sys.argv[1:]] or [_DEFAULT_ROWS]
    for goal in measured(*rows):
        print(goal)


def run(_: "Data") -> list[Goal]:
    """The goals of the tape, on a file of its own."""
    return measured(_DEFAULT_ROWS)


def measured(rows: int, more_rows: int = 0) -> list[Goal]:
    """Write the files, print the tables; the goals."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-tape-") as folder:
        path = Path(folder) / "trades.csv.gz"
        _write(path, rows)
        _cut(path, path.with_name("slice.csv.gz"), min(rows, _SLICE_ROWS))
        # The first run on a machine compiles the kernel and keeps it; the slice bears that.
        slow = in_turn(_job(path.with_name("slice.csv.gz")), _SLOW_SIDES)
        _assert_same(slow)
        results = in_turn(_job(path), _SIDES)
        _assert_same([r for r in results if "unpack" not in r.side.name])
        scale = rows / min(rows, _SLICE_ROWS)
        goals = _told(results, slow[1:], scale)
        if more_rows:
            _write(path, more_rows)
            goals.append(_memory(results[0], *in_turn(_job(path), [Side("ours", _OURS, 1)])))
    return goals


def _told(results: list[Result], slow: list[Result], scale: float) -> list[Goal]:
    """Print the table; the goals. `slow` ones read a slice, to be multiplied by `scale`."""
    ours, floor, polars, duck, pandas, tuned = results
    print(_table(results, floor))
    for side in slow:
        print(
            f"  {side.side.name}, a slice of the file times {scale:g}:"
            f" {duration(side.seconds * scale)}, CPU {duration(side.number('cpu_s') * scale)}"
        )
    print(f"  our frame of bars, made by the parent: {duration(ours.number('frame_s'))}")
    cpu, wall = ours.number("cpu_s") / floor.number("cpu_s"), ours.seconds / floor.seconds
    rivals = [
        ("tuned polars", 1, polars, 1.0),
        ("DuckDB", 3, duck, 1.0),
        ("pandas in chunks", 10, pandas, 1.0),
        ("pandas in chunks, tuned", 10, tuned, 1.0),
        *((side.side.name, 40, side, scale) for side in slow),
    ]
    return [
        Goal("CPU at most 3.0x that of unpacking", cpu <= 3.0, f"{cpu:.2f}x"),
        Goal("wall at most 2.5x that of unpacking", wall <= 2.5, f"{wall:.2f}x"),
        Goal("peak at most 250 MB", ours.peak_mb <= 250, f"{ours.peak_mb:.0f} MB"),
        *(_faster(name, times, ours, rival, by) for name, times, rival, by in rivals),
    ]


def _faster(name: str, times: int, ours: Result, rival: Result, scale: float) -> Goal:
    wall = scale * rival.seconds / ours.seconds
    cpu = scale * rival.number("cpu_s") / ours.number("cpu_s")
    return Goal(f"{times}x the speed of {name}", wall >= times, f"{wall:.1f}x, by CPU {cpu:.1f}x")


def _memory(usual: Result, larger: Result) -> Goal:
    ratio = larger.peak_mb / usual.peak_mb
    seen = f"{larger.peak_mb:.0f} MB in {duration(larger.seconds)}, {ratio:.2f}x"
    return Goal("peak within 10 % on the larger file", ratio <= 1.1, seen)


def _assert_same(results: list[Result]) -> None:
    """Nobody may be fast by computing less: sums over all bars of each scope, column by column."""
    for name in (f"{scope}_{number}" for scope in SCOPES for number in NUMBERS):
        ours, *others = (result.number(name) for result in results)
        assert ours > 0, f"the file has no case of {name}"
        assert all(abs(other / ours - 1) < 1e-9 for other in others), (name, ours, others)


def _table(results: list[Result], floor: Result) -> str:
    head = ("one day", "CPU", "x isal", "wall", "x isal", "peak MB", "imports MB")
    rows = [
        (
            r.side.name,
            duration(r.number("cpu_s")),
            f"{r.number('cpu_s') / floor.number('cpu_s'):.2f}",
            duration(r.seconds),
            f"{r.seconds / floor.seconds:.2f}",
            f"{r.peak_mb:.0f}",
            f"{r.imports_mb:.0f}",
        )
        for r in results
    ]
    return lined_up([head, *rows])


def _job(path: Path) -> Job:
    return Job(str(path), str(path.parent), "", ())


def _write(path: Path, rows: int) -> None:
    """In a process of its own: a child's peak begins at its parent's size."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bench.tape_data", str(path), str(rows)], check=True)
    took = duration(time.perf_counter() - start)
    print(f"  {rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB gzip, written in {took}")


def _cut(path: Path, slice_path: Path, rows: int) -> None:
    """The first rows of a file as another one."""
    with gzip.open(path, "rb") as whole, gzip.open(slice_path, "wb", compresslevel=3) as cut:
        cut.writelines(islice(whole, rows + 1))


if __name__ == "__main__":
    main()
