"""Splits: what a share became, and bars restated to one day's share basis. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl


@dataclass(frozen=True, order=True, slots=True)
class Split:
    """`split_from` old shares became `split_to` new ones at the open of `execution_date`.

    2-for-1 is from 1 to 2: earlier prices are multiplied by from/to, earlier volumes by to/from.
    """

    execution_date: date
    ticker: str
    split_from: float
    split_to: float

    @property
    def shares_factor(self) -> float:
        """New shares per old share."""
        return self.split_to / self.split_from

    def __str__(self) -> str:
        return f"{self.split_to:g}-for-{self.split_from:g}"


def restate(bars: pl.DataFrame, splits: Iterable[Split], as_of: date) -> pl.DataFrame:
    """Bars of several sessions on the share basis of `as_of`: prices divided, volumes multiplied.

    Takes columns session, ticker, open, high, low, close, volume; other columns pass unchanged, but
    trade counts of before a split are left out: at another price people trade in other sizes, and
    no ratio says by how much. Splits executed after `as_of` are ignored.
    """
    steps = [s for s in splits if s.execution_date <= as_of and s.split_from > 0 and s.split_to > 0]
    if not steps:
        return bars
    table = pl.DataFrame(
        {
            "ticker": [s.ticker for s in steps],
            "execution_date": [s.execution_date for s in steps],
            "step": [s.shares_factor for s in steps],
        }
    )
    affected = (
        bars.select("session", "ticker")
        .join(table, on="ticker")
        .filter(pl.col("session") < pl.col("execution_date"))
        .group_by("session", "ticker")
        .agg(pl.col("step").sort().product().alias("factor"))
    )
    prices = [c for c in ("open", "high", "low", "close") if c in bars.columns]
    factor = pl.col("factor").fill_null(1.0)
    counts = [pl.when(factor == 1).then(c).alias(c) for c in ("transactions",) if c in bars.columns]
    return (
        bars.join(affected, on=["session", "ticker"], how="left", maintain_order="left")
        .with_columns(*(pl.col(c) / factor for c in prices), pl.col("volume") * factor, *counts)
        .drop("factor")
    )
