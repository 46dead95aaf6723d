"""A trades file -> bars of both scopes, against unpacking alone and a tuned polars query.

python -m bench.tape [millions of rows]
"""

import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from bench.child import Job, Watch
from bench.harness import Goal, Result, Side, duration, in_turn, lined_up

_ROUNDS = 3
_DAY = date(2026, 10, 2)


def main() -> None:
    """Write the file, run the sides in turn, print the table and the goals."""
    rows = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 20_000_000
    with tempfile.TemporaryDirectory(prefix="tapewatch-tape-") as folder:
        path = Path(folder) / "trades.csv.gz"
        start = time.perf_counter()
        _write(path, rows)
        took = duration(time.perf_counter() - start)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB gzip, written in {took}")
        for goal in run(path):
            print(goal)


def run(path: Path) -> list[Goal]:
    """Print the table; the goals of the tape."""
    job = Job(str(path), str(path.parent), "", (_DAY.isoformat(),))
    _kernel_is_compiled(job)
    sides = [
        Side("ours", "bench.tape:ours", _ROUNDS),
        Side("isal, unpack only", "bench.tape:unpack", _ROUNDS),
        Side("polars, tuned", "bench.tape:tuned_polars", _ROUNDS),
    ]
    ours, floor, polars = results = in_turn(job, sides)
    print(_table(results, floor))
    assert ours.number("transactions") == polars.number("transactions")
    assert abs(ours.number("volume") / polars.number("volume") - 1) < 1e-9
    cpu, wall = ours.number("cpu_s") / floor.number("cpu_s"), ours.seconds / floor.seconds
    return [
        Goal("CPU at most 3.0x that of unpacking", cpu <= 3.0, f"{cpu:.2f}x"),
        Goal("wall at most 2.5x that of unpacking", wall <= 2.5, f"{wall:.2f}x"),
        Goal("peak at most 250 MB", ours.peak_mb <= 250, f"{ours.peak_mb:.0f} MB"),
    ]


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


def _write(path: Path, rows: int) -> None:
    """In a process of its own: a child's peak begins at its parent's size."""
    subprocess.run([sys.executable, "-m", "bench.tape_data", str(path), str(rows)], check=True)


def _kernel_is_compiled(job: Job) -> None:
    """The first run on a machine compiles the kernel and keeps it; that is not measured."""
    path = Path(job.market).with_name("small.csv.gz")
    _write(path, 100_000)
    in_turn(Job(str(path), job.work, "", job.days), [Side("", "bench.tape:ours", 1)])


def ours(job: Job, watch: Watch) -> dict[str, float]:
    """core.tape."""
    from core.calendar import trading_day
    from core.conditions import bundled
    from core.tape import read_tape

    start = time.process_time()
    with watch.lap(), Path(job.market).open("rb") as stream:
        tape = read_tape(stream, trading_day(_DAY), bundled())
    cpu = time.process_time() - start
    both = tape.bars.filter(scope="all")
    sums = {c: float(both[c].sum()) for c in ("volume", "transactions")}
    return {"cpu_s": cpu, **sums}


def unpack(job: Job, watch: Watch) -> dict[str, float]:
    """Nothing but isal into one buffer: the floor."""
    from isal import igzip

    start, buffer = time.process_time(), bytearray(4 << 20)
    with watch.lap(), Path(job.market).open("rb") as stream:
        unpacked = igzip.IGzipFile(fileobj=stream)  # type: ignore[no-untyped-call]
        while unpacked.readinto(buffer):
            pass
    return {"cpu_s": time.process_time() - start}


def tuned_polars(job: Job, watch: Watch) -> dict[str, float]:
    """The streaming engine: a flag for each distinct string, one group_by, a small second step."""
    os.environ |= {"POLARS_CSV_CHUNK_SIZE": "1000000", "POLARS_CSV_CHUNK_PREFETCH_LIMIT": "2"}
    os.environ["POLARS_MAX_THREADS"] = "2"
    import polars as pl

    from core.conditions import bundled

    rules = bundled()
    start = time.process_time()
    with watch.lap():
        flags = ["", "37", "14", "14,41", "12,37", "14,37,41", "12", "10,41", "2", "22", "53,52,41"]
        verdicts = {c: sum(v << n for n, v in enumerate(rules.verdict(c))) for c in [*flags, "15"]}
        groups = (
            pl.scan_csv(
                job.market,
                schema_overrides={"conditions": pl.Categorical, "size": pl.Float64},
                infer_schema_length=1000,
            )
            .filter(pl.col("correction").fill_null(0) <= 1)
            .group_by(
                "ticker",
                pl.col("conditions").cast(pl.Categorical).to_physical().alias("kind"),
                (pl.col("exchange") == 4).alias("off"),
            )
            .agg(
                pl.col("conditions").first().cast(pl.String).fill_null("").alias("text"),
                pl.len().alias("trades"),
                pl.col("size").sum(),
                (pl.col("price") * pl.col("size")).sum().alias("dollars"),
                pl.col("price").min().alias("low"),
                pl.col("price").max().alias("high"),
                pl.col("price").min_by("sip_timestamp").alias("open"),
                pl.col("price").max_by("sip_timestamp").alias("close"),
                pl.col("sip_timestamp").min().alias("first"),
                pl.col("sip_timestamp").max().alias("last"),
                pl.col("size").max().alias("largest"),
            )
            .collect(engine="streaming")
        )
        counted = groups.filter(pl.col("text").replace_strict(verdicts, default=4) >= 4)
    cpu = time.process_time() - start
    volume, trades = float(counted["size"].sum()), float(counted["trades"].sum())
    return {"cpu_s": cpu, "volume": volume, "transactions": trades}


if __name__ == "__main__":
    main()
