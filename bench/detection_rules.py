"""Our rule and the tutorial's over the same sessions, in one table and in the same gate."""

from collections.abc import Sequence

import polars as pl

from core.anomaly import Rule
from core.calendar import TradingDay
from core.detect import score
from core.measure import Known, Window, measure
from core.splits import Split

RULE = Rule()
TUTORIAL_Z, TUTORIAL_ROWS = 3.0, 5
_KEPT = ["ticker", "bucket", "adv", "z", "score", "rarity", "eligible", "alertable", "continuing"]
_KEPT += ["repeats"]


def judged(
    bars: pl.DataFrame,
    sessions: Sequence[TradingDay],
    splits: Sequence[Split],
    tutorial: pl.DataFrame,
) -> pl.DataFrame:
    """A row a name of the last session: our numbers, the shared gate, the tutorial's z (`tz`)."""
    measured = measure(Window.of(bars, sessions), sessions, Known(tuple(splits)))
    ours = score(measured, RULE).select(_KEPT)
    return ours.join(tutorial, on="ticker", how="left", maintain_order="left").with_columns(
        pl.col("tz").fill_null(0.0)
    )


def tutorial_z(bars: pl.DataFrame) -> pl.DataFrame:
    """The published rule on every row: the count against the five rows before, std of n - 1.

    Rows, not sessions, as published: a session without a trade is skipped. Columns session,
    ticker, tz; null before the sixth row and where the five are equal.
    """
    before = pl.col("transactions").cast(pl.Float64).shift(1)
    mean = before.rolling_mean(TUTORIAL_ROWS).over("ticker")
    std = before.rolling_std(TUTORIAL_ROWS, ddof=1).over("ticker")
    return (
        bars.select("session", "ticker", "transactions")
        .sort("ticker", "session")
        .with_columns(mean=mean, std=std)
        .select(
            "session",
            "ticker",
            tz=pl.when(pl.col("std") > 0).then(
                (pl.col("transactions") - pl.col("mean")) / pl.col("std")
            ),
        )
    )
