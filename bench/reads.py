"""Reading what is stored, as history grows: one ticker over years, all tickers of 120 sessions.

Ten years of sessions: the market's 82 over and over. Against one Parquet file a session, and
against SQLite with an index for each question (five years; the driver's rows made into a frame).
"""

import tempfile
from dataclasses import replace

from bench.data import Data
from bench.harness import Goal, Result, Side, duration, in_child, in_turn, lined_up, table

YEAR = 252
_YEARS = (1, 5, 10)
_ONE_S, _ALL_S = 0.050, 0.150
_SIDES = "bench.reads_sides"


def run(data: Data) -> list[Goal]:
    """Print the tables; the goals of reading."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-bench-") as folder:
        job = replace(data.job, work=folder)
        made = in_child(f"{_SIDES}:lay_out", replace(job, market=data.job.work))
        print(
            f"  {made.result['sessions']:,.0f} sessions, {made.result['rows']:,.0f} rows; files a"
            f" session {made.result['daily_mb']:.0f} MB, by ticker {made.result['quarters_mb']:.0f}"
            f" MB, SQLite (5 years) {made.result['sqlite_mb']:.0f} MB;"
            f" a quarter put together in {made.result['quarter_s']:.2f} s"
        )
        one = in_turn(job, _sides("5", 5))
        print(table(one, "one ticker, 5 years"))
        every = in_turn(job, _sides("every", 3))
        print(table(every, "all tickers, 120 sessions"))
        grown = in_turn(job, [Side(f"{y} years", f"{_SIDES}:ours_{y}", 5) for y in _YEARS])
        beside = in_turn(job, [Side(f"{y} years", f"{_SIDES}:daily_{y}", 3) for y in _YEARS])
        rows = [(f"{years} years", duration(ours.seconds), duration(daily.seconds),
                 f"{daily.seconds / ours.seconds:.1f}")
                for years, ours, daily in zip(_YEARS, grown, beside, strict=True)]  # fmt: skip
        print(lined_up([("one ticker over", "ours", "a file a session", "x ours"), *rows]))
    return _goals(one, every)


def _sides(name: str, repeats: int) -> list[Side]:
    return [
        Side("ours", f"{_SIDES}:ours_{name}", repeats),
        Side("a file a session", f"{_SIDES}:daily_{name}", repeats),
        Side("SQLite", f"{_SIDES}:sqlite_{name}", repeats),
    ]


def _goals(one: list[Result], every: list[Result]) -> list[Goal]:
    same = {result.number("rows") for result in one}, {result.number("rows") for result in every}
    return [
        Goal("one ticker over 5 years in at most 50 ms", one[0].seconds <= _ONE_S,
             duration(one[0].seconds)),
        Goal("120 sessions of all tickers in at most 150 ms", every[0].seconds <= _ALL_S,
             duration(every[0].seconds)),
        Goal("all sides read the same rows", all(len(rows) == 1 for rows in same), str(same)),
    ]  # fmt: skip
