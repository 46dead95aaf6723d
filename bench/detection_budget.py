"""Real days at a budget: one threshold for the whole time, 20 alerts a day on average, unfolded.

Over names with a median dollar volume of $1M a day and four labels or more. An alert is right when
the reaction session is its own or the one before or after; a reaction is found when there was an
alert in that very session. Events without a label count as false, so precision is a lower bound.
"""

from collections.abc import Iterator
from datetime import date

import polars as pl

from bench.detection_days import often_labelled
from bench.harness import Goal, lined_up

BUDGET = 20
_LEAST_USD = 1e6
_PRECISION, _RECALL, _MOST = 0.57, 0.31, 110
_RULES = {"ours": "score", "ours, z alone": "z", "tutorial by z": "tz"}


def run(found: pl.DataFrame, labels: pl.DataFrame, sessions: list[date]) -> Iterator[Goal]:
    """Print the table; the goals of precision and recall at the budget."""
    names = universe(found, labels, sessions)
    days = names["session"].unique().sort()
    middle = days[len(days) // 2]
    early = pl.col("session") < middle
    rows: list[tuple[str, ...]] = [_HEAD]
    for name, column in _RULES.items():
        marked = alerted(names, column, BUDGET * len(days))
        parts = [marked, marked.filter(early), marked.filter(~early)]
        measured = [_measures(part) for part in parts]
        rows.append((name, *_cells(measured)))
        if name == "ours":
            goals = _goals(measured)
    print(lined_up(rows))
    base = float(names.select(pl.col("near").mean()).item())
    print(f"  {len(days)} sessions, {len(names) / len(days):,.0f} names, base rate {base:.2%}")
    yield from goals


_HEAD = (
    f"all / first / second half, {BUDGET} a day",
    "precision",
    "of the very session",
    "recall",
    "most in a day",
    "a day",
)


def universe(found: pl.DataFrame, labels: pl.DataFrame, sessions: list[date]) -> pl.DataFrame:
    """The names that count, `hit`: could react in this session, `near`: in it or a neighbour."""
    place = {day: n for n, day in enumerate(sessions)}
    at = pl.col("session").replace_strict(place, default=None, return_dtype=pl.Int64)
    reacts = labels.select("ticker", at=at).drop_nulls()
    near = pl.concat([reacts.with_columns(pl.col("at") + step) for step in (-1, 0, 1)]).unique()
    return (
        found.filter(pl.col("adv") >= _LEAST_USD)
        .join(often_labelled(labels), on="ticker", how="semi")
        .with_columns(at=at)
        .join(reacts.with_columns(hit=pl.lit(value=True)), on=["ticker", "at"], how="left")
        .join(near.with_columns(near=pl.lit(value=True)), on=["ticker", "at"], how="left")
        .with_columns(pl.col("hit", "near").fill_null(value=False))
    )


def alerted(names: pl.DataFrame, column: str, count: int) -> pl.DataFrame:
    """The names with `alert` on the `count` highest by a column, over all sessions."""
    order = [column, "session", "ticker"]
    highest = names.sort(order, descending=[True, False, False], nulls_last=True)
    return highest.with_row_index("rank").with_columns(alert=pl.col("rank") < count)


def _measures(marked: pl.DataFrame) -> dict[str, float]:
    alert, hit = pl.col("alert"), pl.col("hit")
    a_day = marked.group_by("session").agg(alert.sum())["alert"]
    shares = marked.select(
        near=pl.col("near").filter(alert).mean(),
        hit=hit.filter(alert).mean(),
        recall=alert.filter(hit).mean(),
    )
    most = {"most": float(a_day.max()), "mean": float(a_day.mean())}  # type: ignore[arg-type]
    return shares.row(0, named=True) | most


def _cells(measured: list[dict[str, float]]) -> tuple[str, ...]:
    written = {"near": ".3f", "hit": ".3f", "recall": ".3f", "most": ".0f", "mean": ".1f"}
    return tuple(
        " / ".join(format(part[name], form) for part in measured) for name, form in written.items()
    )


def _goals(measured: list[dict[str, float]]) -> list[Goal]:
    """Of our rule by score, out of what was measured of all and of both halves."""
    precision, _, recall, most, _ = _cells(measured)
    whole = measured[0]
    at = f"at {BUDGET} a day"
    return [
        Goal(f"precision {at} at least {_PRECISION}", whole["near"] >= _PRECISION, precision),
        Goal(f"recall {at} at least {_RECALL}", whole["recall"] >= _RECALL, recall),
        Goal(f"never more than {_MOST} in a day {at}", whole["most"] <= _MOST, most),
    ]
