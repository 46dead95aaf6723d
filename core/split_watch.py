"""Overnight steps in price that look like a split nobody reported. Pure.

News and splits both move the price overnight. What tells them apart, measured in docs/detection.md:
after a split the price stays where it opened, and people trade for about as many dollars as before
(forward) or at least not more shares than before (reverse). After news neither holds.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from core.calendar import TradingDay
from core.splits import Split

COLUMNS = ["session", "ticker", "open", "high", "low", "close", "volume"]
"""What `suspected` reads of bars."""

SUSPECTED = {
    "ticker": pl.String,
    "suspected": pl.String,  # "2-for-1", as Split says itself
    "suspected_on": pl.Date,
    "factor": pl.Float64,  # open over the close before: 0.5 for 2-for-1
}

_LOOKED_AT = 6
_USUAL_SESSIONS, _MIN_USUAL = 5, 3
_BACK_SESSIONS = 5
SESSIONS_NEEDED = _LOOKED_AT + max(_USUAL_SESSIONS, _BACK_SESSIONS) + 1
"""The last six sessions, what was usual before the first of them, and the close before that."""

_STEP_LN = math.log(1.2)
_UNDONE_SHARE = 0.25

# (old shares, new shares) -> how near the step must be, ln. An earnings report in the same night
# moves a forward split's open by a few percent; where ratios lie close together, less is allowed.
_FORWARD = {(4, 5): 0.02, (3, 4): 0.02, (2, 3): 0.03}
_FORWARD |= {(1, n): 0.06 for n in (*range(2, 11), 15, 20, 25, 30, 50, 100)}
_REVERSE = {(n, 1): 0.10 for n in (2, 3)}
# Prices of a few cents jump about at the open. From 1-for-4 on the ratios' neighbourhoods touch:
# that the price rose so far and shares did not is the evidence, the ratio only a name.
_REVERSE |= {(n, 1): 0.20 for n in (4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 100)}
_REVERSE |= {(n, 1): 0.20 for n in (150, 200, 250)}

# Chosen on 281 sessions of 2015-16, where any of them a quarter higher or lower finds 50 to 52 of
# 53 splits of liquid names and still takes no news for one.
_RANGE_FORWARD, _RANGE_REVERSE = 0.16, 0.30  # ln(high / low) as a share of the step
_DOLLARS_LEAST, _DOLLARS_MOST = -1.5, 1.2  # ln against the median of the sessions before
_SHARES_MOST = 1.0  # the same


def suspected(
    bars: pl.DataFrame, sessions: Sequence[TradingDay], splits: Iterable[Split] = ()
) -> pl.DataFrame:
    """Tickers with a possible unreported split in the last six of `sessions`: columns SUSPECTED.

    `bars`: COLUMNS of at least the last SESSIONS_NEEDED sessions (earlier ones are not looked at),
    in any order, restated for the known `splits`. One row a ticker, its newest step, sorted by
    ticker. Not suspected: what has no open, no close the session before or fewer than 3 sessions of
    usual volume; what a known split explains; and a step taken back within 5 sessions, which was a
    bad print.
    """
    window = [session.date for session in sessions[-SESSIONS_NEEDED:]]
    steps = _steps(bars, window)
    return (
        steps.join(_known(splits, window), on=["ticker", "session"], how="anti")
        .join(_undone(steps), on=["ticker", "session"], how="anti")
        .filter(pl.col("session").is_in(window[-_LOOKED_AT:]), _stays())
        .pipe(_named)
        .sort("ticker", "session", descending=[False, True])
        .unique("ticker", keep="first", maintain_order=True)
        .select("ticker", "suspected", suspected_on="session", factor=pl.col("step").exp())
    )


def _steps(bars: pl.DataFrame, window: list[date]) -> pl.DataFrame:
    """Overnight steps of at least _STEP_LN, with the evidence beside them.

    Columns ticker, session, t (place in the window) and, in natural logs, step, range (high over
    low), dollars and shares (traded, over the median of the sessions before).
    """
    places = pl.DataFrame({"session": pl.Series(window, dtype=pl.Date), "t": range(len(window))})
    positive = [pl.when(pl.col(c) > 0, pl.col(c).is_finite()).then(c) for c in COLUMNS[2:]]
    rows = bars.select(COLUMNS).join(places, on="session").with_columns(positive)
    rows = rows.sort("ticker", "t").with_columns(step=_overnight())
    is_step = pl.col("step").abs() >= _STEP_LN
    return (
        rows.join(rows.filter(is_step).select("ticker").unique(), on="ticker", how="semi")
        .sort("ticker", "t")
        .with_columns(dollars=_over_usual(pl.col("volume") * pl.col("close")))
        .with_columns(
            shares=_over_usual(pl.col("volume")),
            range=(pl.col("high") / pl.col("low")).log(),
        )
        .filter(is_step)
        .select("ticker", "session", "t", "step", "range", "dollars", "shares")
    )


def _overnight() -> pl.Expr:
    """Log of the open over the close exactly one session before."""
    before = pl.when(pl.col("t").diff() == 1).then(pl.col("close").shift(1))
    return (pl.col("open") / before).log().over("ticker")


def _over_usual(traded: pl.Expr) -> pl.Expr:
    usual = traded.shift(1).rolling_median(_USUAL_SESSIONS, min_samples=_MIN_USUAL)
    return (traded / usual).log().over("ticker")


def _known(splits: Iterable[Split], window: list[date]) -> pl.DataFrame:
    """The sessions in which known splits took effect: columns ticker, session."""
    found = [
        (split.ticker, min(day for day in window if day >= split.execution_date))
        for split in splits
        if window and split.execution_date <= window[-1]
    ]
    schema = {"ticker": pl.String, "session": pl.Date}
    return pl.DataFrame(found, schema, orient="row").unique()


def _undone(steps: pl.DataFrame) -> pl.DataFrame:
    """Steps with their opposite shortly before or after: columns ticker, session."""
    apart = (pl.col("t") - pl.col("t_other")).abs()
    left = (pl.col("step") + pl.col("step_other")).abs()
    return (
        steps.join(steps, on="ticker", suffix="_other")
        .filter(apart <= _BACK_SESSIONS, left <= _UNDONE_SHARE * pl.col("step").abs())
        .select("ticker", "session")
        .unique()
    )


def _stays() -> pl.Expr:
    """Does the day look like a split rather than like news?

    The price moved little after the step (but did: a single print says nothing), and trading did
    not grow with the news.
    """
    step = pl.col("step")
    forward = (pl.col("range") <= -_RANGE_FORWARD * step) & pl.col("dollars").is_between(
        _DOLLARS_LEAST, _DOLLARS_MOST
    )
    reverse = (pl.col("range") <= _RANGE_REVERSE * step) & (pl.col("shares") <= _SHARES_MOST)
    return (pl.col("range") > 0) & pl.when(step < 0).then(forward).otherwise(reverse)


def _named(steps: pl.DataFrame) -> pl.DataFrame:
    """The steps near a ratio, with the column `suspected`: the nearest ratio's name."""
    ratios = [(*terms, near) for terms, near in (_FORWARD | _REVERSE).items()]
    table = pl.DataFrame(
        {
            "suspected": [str(Split(date.min, "", old, new)) for old, new, _ in ratios],
            "expected": [math.log(old / new) for old, new, _ in ratios],
            "near": [near for *_, near in ratios],
        }
    )
    return (
        steps.join(table, how="cross")
        .with_columns(miss=(pl.col("step") - pl.col("expected")).abs())
        .filter(pl.col("miss") <= pl.col("near"))
        .sort("ticker", "session", "miss", "expected")
        .unique(["ticker", "session"], keep="first", maintain_order=True)
    )
