"""A session's file -> bars on disk, against the published tutorial's reading of the same file."""

from bench.data import Data
from bench.harness import Goal, Side, duration, in_turn, table

_GOAL_S = 0.050


def run(data: Data) -> list[Goal]:
    """Print the table; the goals of ingestion."""
    sides = [
        Side("ours: parse, gate, Parquet", "bench.ours:ingest", 5),
        Side("tutorial: read_csv, iterrows", "bench.tutorial:ingest", 5),
    ]
    ours, tutorial = results = in_turn(data.job, sides)
    print(table(results, "one session"))
    kept, read = ours.number("rows"), tutorial.number("rows")
    print(f"  rows kept by us {kept:,.0f}, read by the tutorial {read:,.0f}")
    faster = tutorial.seconds / ours.seconds
    return [
        Goal("at most 50 ms a session", ours.seconds <= _GOAL_S, duration(ours.seconds)),
        Goal("faster than the tutorial", faster > 1, f"{faster:.1f}x"),
    ]
