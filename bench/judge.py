"""The daily judgement, against the published tutorial and against the same formulas in pandas."""

import json
from pathlib import Path

from bench.data import Data
from bench.harness import Goal, Result, Side, duration, in_turn, lined_up, table

_SECONDS, _PEAK_MB, _TUTORIAL_X, _PANDAS_X = 3.0, 350.0, 20.0, 3.0
_SAME = 1e-9
_MOST = 0.99


def run(data: Data) -> list[Goal]:
    """Print the table; the goals of judging. The tutorial takes minutes: it has one turn."""
    sides = [
        Side("ours", "bench.ours:judge", 5),
        Side("same formulas, pandas", "bench.formulas:judge", 5),
        Side("tutorial, pandas", "bench.tutorial:judge", 1),
    ]
    ours, pandas, tutorial = results = in_turn(data.job, sides)
    print(table(results, "one day"))
    found = ", ".join(f"{r.side.name} {r.number('found'):.0f}" for r in results)
    print(f"  anomalies found: {found}")
    same = _agreement(Path(data.job.work))
    return [*_goals(ours, pandas, tutorial), same]


def _goals(ours: Result, pandas: Result, tutorial: Result) -> list[Goal]:
    loop, frames = tutorial.seconds / ours.seconds, pandas.seconds / ours.seconds
    return [
        Goal("at most 3 s", ours.seconds <= _SECONDS, duration(ours.seconds)),
        Goal("peak at most 350 MB", ours.peak_mb <= _PEAK_MB, f"{ours.peak_mb:.0f} MB"),
        Goal("at least 20x the tutorial", loop >= _TUTORIAL_X, f"{loop:.1f}x"),
        Goal("at least 3x pandas", frames >= _PANDAS_X, f"{frames:.1f}x"),
    ]


def _agreement(work: Path) -> Goal:
    """Do both renditions of the formulas say the same, ticker by ticker?"""
    ours, theirs = (
        {row[0]: row[1:] for row in json.loads((work / f"{name}.json").read_text())}
        for name in ("ours", "pandas")
    )
    names, shares = ("z", "score", "rarity"), []
    tickers = ours.keys() | theirs.keys()
    nothing: list[float | None] = [None] * len(names)
    for n in range(len(names)):
        pairs = [(ours.get(t, nothing)[n], theirs.get(t, nothing)[n]) for t in tickers]
        shares.append(sum(_same(*pair) for pair in pairs) / len(pairs))
    print(lined_up([("equal to 1e-9", *names), ("tickers", *(f"{s:.4%}" for s in shares))]))
    return Goal("pandas agrees on z", shares[0] >= _MOST, f"{shares[0]:.2%} of {len(tickers):,}")


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _SAME * max(1.0, abs(one))
