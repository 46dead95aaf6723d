"""Our rule and the tutorial's over the same sessions, in one table and in the same gate."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from alerts.message import FOLDED_NAMES
from alerts.model import Report
from alerts.rank import report
from bot.settings import Settings
from core.anomaly import Rule
from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.detect import anomalies, lingering, market, score
from core.judged import Judged
from core.measure import Known, Window, measure
from core.splits import Split

RULE = Rule()
TUTORIAL_Z, TUTORIAL_ROWS = 3.0, 5
ALERT_TOP: int = Settings.model_fields["alert_top"].default
"""Lines of a digest, as long as nobody asks for more."""

_KEPT = ["session", "ticker", "bucket", "adv", "z", "z_volume", "score", "rarity", "label"]
_KEPT += ["eligible", "alertable", "continuing", "repeats"]


def judged(
    bars: pl.DataFrame,
    sessions: Sequence[TradingDay],
    splits: Sequence[Split],
    tutorial: pl.DataFrame,
) -> pl.DataFrame:
    """A row a name of the last session: our numbers, the shared gate, the tutorial's z (`tz`)."""
    return compared(scored(bars, sessions, splits), tutorial)


def scored(
    bars: pl.DataFrame, sessions: Sequence[TradingDay], splits: Sequence[Split]
) -> pl.DataFrame:
    """Our rule, every number."""
    measured = measure(Window.of(bars, sessions), sessions, Known(tuple(splits)))
    return score(measured, RULE)


def compared(scores: pl.DataFrame, tutorial: pl.DataFrame) -> pl.DataFrame:
    """What is measured of our numbers, what the digest makes of them, and the tutorial's z."""
    said = digest(scores)
    pushed, folded = (
        [a.ticker for a in part] for part in (said.pushed, said.folded[:FOLDED_NAMES])
    )
    ticker = pl.col("ticker")
    return (
        scores.select(_KEPT)
        .with_columns(pushed=ticker.is_in(pushed), folded=ticker.is_in(folded))
        .join(tutorial, on="ticker", how="left", maintain_order="left")
        .with_columns(pl.col("tz").fill_null(0.0))
    )


def digest(scores: pl.DataFrame) -> Report:
    """What would be said of a session: new lines up to ALERT_TOP, and repeats folded apart."""
    return report(
        Judged(
            session=scores["session"][0],
            series=Series(Scope.ALL, Family.DAILY),
            revision=1,
            source="bench",
            refused=(),
            notes=(),
            stored_at=datetime(2026, 11, 22, tzinfo=UTC),
            row_count=len(scores),
            rule=RULE,
            market=market(scores, RULE),
            anomalies=tuple(anomalies(scores)),
            lingering=tuple(lingering(scores)),
            closest=None,
        ),
        ALERT_TOP,
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
