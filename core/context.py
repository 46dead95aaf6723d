"""A scope's bars beside the other's: prices of all venues, and the off-exchange share. Pure."""

import polars as pl

from core.bars import Scope

PRICES = ("open", "high", "low", "close")
_USUAL_SESSIONS, _MIN_USUAL = 20, 8


def in_context(bars: pl.DataFrame, other: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """The bars of `scope` with the column `share`: off-exchange volume over that of all venues.

    `other`: the other scope's bars of the same sessions, as published (so both volumes are on the
    same share basis). Off-exchange bars get the prices of all venues in the place of their own:
    most off-exchange trades may set no price, and FINRA's file has none. A ticker that `other` does
    not know has no share, and off exchange no price.
    """
    off = scope is Scope.OFF_EXCHANGE
    prices = [column for column in PRICES if off and column in bars.columns]
    wanted = other.select("session", "ticker", *prices, other="volume")
    share = pl.col("volume") / pl.col("other") if off else pl.col("other") / pl.col("volume")
    return (
        bars.drop(prices)
        .join(wanted, on=["session", "ticker"], how="left", maintain_order="left")
        .with_columns(share=pl.when(pl.col("other") > 0, share <= 1).then(share))
        .drop("other")
    )


def usual_share(bars: pl.DataFrame) -> pl.DataFrame:
    """ticker, usual_share: the median share of up to 20 sessions before the newest of `bars`."""
    days = bars["session"].unique().sort()
    before = days.slice(max(0, len(days) - 1 - _USUAL_SESSIONS), max(0, len(days) - 1))
    enough = pl.col("share").count() >= _MIN_USUAL
    return (
        bars.filter(pl.col("session").is_in(before.implode()))
        .group_by("ticker")
        .agg(usual_share=pl.when(enough).then(pl.col("share").median()))
    )
