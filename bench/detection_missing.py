"""Is the list the same when a tenth of the history is missing?

From each of 20 sessions' windows a seeded tenth of all rows is taken out, never of the judged
session itself; kept is the share of the top 20 that is still in it, ours by score with repeats
folded, the tutorial's by its z in the same gate.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from bench.detection_days import SEED, TOP, first_of_each, loaded
from bench.detection_rules import compared, scored, tutorial_z
from bench.harness import Goal, lined_up

_MISSING, _SESSIONS, _KEPT = 0.10, 20, 0.85
_RULES = {"ours": "score", "tutorial by z": "tz"}


def run(pool: Executor, folder: Path, eligible: pl.DataFrame) -> Iterator[Goal]:
    """Print the table; the goal of the same list."""
    tested = loaded(folder).tested
    places = tested[:: len(tested) // _SESSIONS][:_SESSIONS]
    damaged = pl.concat(pool.map(partial(damaged_day, folder), places)).filter("eligible")
    days = damaged["session"].unique().sort().to_list()
    whole = eligible.filter(pl.col("session").is_in(days))
    half, rows, means = len(days) // 2, list[tuple[str, ...]](), list[float]()
    for name, column in _RULES.items():
        kept = _kept(whole, damaged, column)
        parts = (kept.mean(), kept[:half].mean(), kept[half:].mean())
        rows.append((name, *(f"{part:.3f}" for part in parts), f"{kept.min():.2f}"))  # type: ignore[str-bytes-safe]
        means.append(float(parts[0]))  # type: ignore[arg-type]
    head = ("top 20 kept, 10 % missing", "all", "first half", "second half", "least")
    print(lined_up([head, *rows]))
    seen = f"{means[0]:.2f}, tutorial {means[1]:.2f}, {len(days)} sessions"
    yield Goal("top 20 with 10 % of history missing: at least .85 kept", means[0] >= _KEPT, seen)


def damaged_day(folder: Path, place: int) -> pl.DataFrame:
    """The session at this place out of a window with holes."""
    days = loaded(folder)
    bars, sessions = days.window(place)
    stays = np.random.default_rng([SEED, place]).random(len(bars)) >= _MISSING
    last = pl.col("session") == sessions[-1].date
    bars = bars.filter(last | pl.Series(stays))
    theirs = tutorial_z(bars).filter(last).drop("session")
    return compared(scored(bars, sessions, days.splits), theirs)


def _kept(whole: pl.DataFrame, damaged: pl.DataFrame, column: str) -> pl.Series:
    """Of each session, oldest first, the share of the top 20 that stays."""
    before, after = (_top(names, column) for names in (whole, damaged))
    both = after.with_columns(stays=pl.lit(value=True))
    return (
        before.join(both, on=["session", "ticker"], how="left", maintain_order="left")
        .group_by("session", maintain_order=True)
        .agg(pl.col("stays").fill_null(value=False).sum() / TOP)["stays"]
    )


def _top(names: pl.DataFrame, column: str) -> pl.DataFrame:
    shown = names.filter(~pl.col("continuing")) if column == "score" else names
    return first_of_each(shown, column).select("session", "ticker")
