"""A scope's bars beside the other's: prices of all venues, and the off-exchange share. Pure."""

import polars as pl

from core.bars import Scope

PRICES = ("open", "high", "low", "close")


def in_context(bars: pl.DataFrame, other: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """The bars of `scope` with the column `share`: off-exchange volume over that of all venues.

    `other`: the other scope's bars of the same sessions, as published (so both volumes are on the
    same share basis). Off-exchange bars get the prices of all venues in the place of their own:
    most off-exchange trades may set no price, and FINRA's file has none. Bars of all venues get
    `off_transactions` where `other` has its trades counted. A ticker that `other` does not know has
    no share, and off exchange no price.
    """
    off = scope is Scope.OFF_EXCHANGE
    prices = [column for column in PRICES if off and column in bars.columns]
    wanted = other.select("session", "ticker", *prices, *_counts(other, off), other="volume")
    part, whole = ("volume", "other") if off else ("other", "volume")
    share = pl.col(part) / pl.col(whole)
    return (
        bars.drop(prices)
        .join(wanted, on=["session", "ticker"], how="left", maintain_order="left")
        .with_columns(share=pl.when(pl.col(whole) > 0, share <= 1).then(share))
        .drop("other")
    )


def _counts(other: pl.DataFrame, off: bool) -> list[pl.Expr]:
    if off or "transactions" not in other.columns:
        return []
    return [pl.col("transactions").alias("off_transactions")]
