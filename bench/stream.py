"""A trades file from S3 to bars in a child process, while the service's loop is watched.

python -m bench.stream [millions of rows]
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bench.child import Job
from bench.harness import Goal, Result, Side, duration, in_turn, lined_up
from tests.servers.s3_apart import apart

if TYPE_CHECKING:
    from bench.data import Data

DAY = date(2026, 10, 2)
ACCESS_KEY_ID, SECRET = "0f1e2d3c-aaaa-bbbb-cccc-0123456789ab", "s" * 32
_ROWS, _ROUNDS = 5_000_000, 3


def main() -> None:
    """Measure on a file of the size asked for."""
    rows = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else _ROWS
    for goal in measured(rows):
        print(goal)


def run(_: "Data") -> list[Goal]:
    """The goals, on a file of its own."""
    return measured(_ROWS)


def measured(rows: int) -> list[Goal]:
    """Serve a file from a local S3 server in a process of its own; print the table; the goals."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-stream-") as folder:
        path = Path(folder) / f"us_stocks_sip/trades_v1/{DAY:%Y/%m}/{DAY}.csv.gz"
        path.parent.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "bench.tape_data", str(path), str(rows)], check=True)
        with _serving(folder) as url:
            job = Job(url, folder, "", (str(DAY),))
            in_turn(job, [Side("warm", "bench.stream_sides:in_a_child", 1)])
            ours, thread, local = results = in_turn(
                job,
                [
                    Side("ours: from S3, in a child", "bench.stream_sides:in_a_child", _ROUNDS),
                    Side("from S3, in a thread", "bench.stream_sides:in_a_thread", _ROUNDS),
                    Side("from the disk, no loop", "bench.stream_sides:from_disk", _ROUNDS),
                ],
            )
    size_mb = ours.number("bytes") / 1e6
    print(f"  {rows:,} rows, {size_mb:,.0f} MB; the server shares the two cores")
    head = ("one day", "wall", "x ours", "p99 lag", "max lag", "reader's peak MB", "loop's peak MB")
    print(lined_up([head, *(_row(result, ours) for result in results)]))
    p99_s, max_s = _worst(ours, "p99_s"), _worst(ours, "max_s")
    beside = f"{duration(_worst(thread, 'p99_s'))}, {duration(_worst(thread, 'max_s'))} in a thread"
    return [
        Goal("p99 of the loop's lag at most 20 ms", p99_s <= 0.020, duration(p99_s)),
        Goal("the loop never late by 100 ms", max_s <= 0.100, f"{duration(max_s)}; {beside}"),
        Goal(
            "the reader's peak at most 250 MB",
            ours.number("reader_mb") <= 250,
            f"{ours.number('reader_mb'):.0f} MB; {duration(ours.seconds)} against"
            f" {duration(local.seconds)} from the disk",
        ),
    ]


def _worst(result: Result, name: str) -> float:
    return max(float(outcome.result[name]) for outcome in result.outcomes)


def _row(result: Result, ours: Result) -> tuple[str, ...]:
    watched = "p99_s" in result.outcomes[0].result
    return (
        result.side.name,
        duration(result.seconds),
        f"{result.seconds / ours.seconds:.2f}",
        duration(_worst(result, "p99_s")) if watched else "-",
        duration(_worst(result, "max_s")) if watched else "-",
        f"{result.number('reader_mb'):.0f}",
        f"{result.peak_mb:.0f}" if watched else "-",
    )


@contextmanager
def _serving(folder: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tapewatch-asked-") as name:
        keys = {"access_key_id": ACCESS_KEY_ID, "secret": SECRET}
        with apart(Path(folder), Path(name) / "log", **keys) as server:
            yield server.url


if __name__ == "__main__":
    main()
