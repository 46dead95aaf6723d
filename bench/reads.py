"""Reading what is stored, as history grows: one ticker over all of it, all of 120 and 250 sessions.

With one, five and ten years stored: the market's 82 sessions over and over. Against one Parquet
file a session, and against SQLite with an index for each question (its rows made into a frame);
250 sessions without SQLite, which takes 8 s for 120 of them. The values of all sides are compared.
Beside the first, the whole answer of the command that asks it.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from bench.child import Job
from bench.data import Data
from bench.harness import Goal, Result, Side, duration, in_child, in_turn, lined_up, table

YEAR = 252
YEARS = (1, 5, 10)
_ONE_S, _ALL_S, _GROWS = 0.050, 0.150, 1.5
_SIDES, _COMMAND = "bench.reads_sides", "bench.reads_command:command_one"


def run(data: Data) -> list[Goal]:
    """Print the tables; the goals of reading."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-bench-") as folder:
        job = replace(data.job, work=folder)
        made = in_child(f"{_SIDES}:lay_out", replace(job, market=data.job.work))
        print(
            f"  {made.result['sessions']:,.0f} sessions, {made.result['rows']:,.0f} rows; files a"
            f" session {made.result['daily_mb']:.0f} MB, by ticker {made.result['quarters_mb']:.0f}"
            f" MB more, SQLite {made.result['sqlite_mb']:.0f} MB;"
            f" a quarter put together in {made.result['quarter_s']:.2f} s"
        )
        stored = {years: replace(job, work=str(Path(folder) / str(years))) for years in YEARS}
        one = _grown(stored, "one", 5, "one ticker over all that is stored")
        every = _grown(stored, "every", 3, "all tickers, 120 sessions")
        judged = _grown(stored, "judged", 3, "all tickers, 250 sessions", sqlite=False)
        read = Side("its rows alone", f"{_SIDES}:ours_one", 5)
        whole = in_turn(stored[5], [Side("/ticker SYM 1260 text", _COMMAND, 5), read])
        print(table(whole, "the whole answer: five years stored"))
    command = whole[0].seconds
    covered = min(outcome.result["sessions"] for outcome in whole[0].outcomes)
    wanted = 5 * YEAR
    return [
        *_goals(one, every, command),
        _steady(judged),
        Goal(f"that answer is made of {wanted:,} sessions", covered == wanted,
             f"{covered:,}"),
        _same([*one.values(), *every.values(), *judged.values()]),
    ]  # fmt: skip


def _grown(
    stored: dict[int, Job], question: str, repeats: int, title: str, *, sqlite: bool = True
) -> dict[int, list[Result]]:
    sides = _sides(question, repeats)[: None if sqlite else -1]
    found = {years: in_turn(job, sides) for years, job in stored.items()}
    print(table(found[5], f"{title}: five years stored"))
    rows = [(f"{years} years", *(duration(side.seconds) for side in sides),
             *(f"{side.seconds / sides[0].seconds:.2f}" for side in sides[1:]))
            for years, sides in found.items()]  # fmt: skip
    head = (title, *(side.name for side in sides), *(len(sides) - 1) * ("x ours",))
    print(lined_up([head, *rows]))
    return found


def _sides(question: str, repeats: int) -> list[Side]:
    return [
        Side("ours", f"{_SIDES}:ours_{question}", repeats),
        Side("a file a session", f"{_SIDES}:daily_{question}", repeats),
        Side("SQLite", f"{_SIDES}:sqlite_{question}", repeats),
    ]


def _goals(
    one: dict[int, list[Result]], every: dict[int, list[Result]], command: float
) -> list[Goal]:
    worst = max(sides[0].seconds for sides in every.values())
    return [
        Goal("one ticker over 5 years in at most 50 ms", one[5][0].seconds <= _ONE_S,
             duration(one[5][0].seconds)),
        Goal("/ticker over 5 years answered in at most 50 ms, warm", command <= _ONE_S,
             duration(command)),
        Goal("120 sessions of all tickers in at most 150 ms, whatever is stored",
             worst <= _ALL_S, duration(worst)),
    ]  # fmt: skip


def _steady(judged: dict[int, list[Result]]) -> Goal:
    first, last = judged[YEARS[0]][0].seconds, judged[YEARS[-1]][0].seconds
    return Goal(
        f"250 sessions of all tickers with {YEARS[-1]} years stored at most {_GROWS}x as with one",
        last <= _GROWS * first, f"{last / first:.2f}x, {duration(last)}",
    )  # fmt: skip


def _same(asked: list[list[Result]]) -> Goal:
    """Values, not only how many; of each question, every child of every side."""
    found = [
        {(o.result["rows"], o.result["digest"]) for side in sides for o in side.outcomes}
        for sides in asked
    ]
    told = ", ".join(f"{rows:,} rows {value}" for each in found for rows, value in sorted(each))
    return Goal("all sides read the same rows", all(len(each) == 1 for each in found), told)
