"""What kind of unusual a session was, in a word; never why. Pure."""

import polars as pl

CORPORATE_ACTION = "corporate action"
OFF_EXCHANGE_SHIFT = "off-exchange shift"
"""Of a row that only its off-exchange share flags; one that its activity flags keeps its label."""


def only_shifted() -> pl.Expr:
    """Is it the off-exchange share alone that makes the row alertable?"""
    return pl.col("shifted") & ~pl.col("loud")


def label() -> pl.Expr:
    """The first that fits, over the columns of core.measure and the flags of core.detect."""
    place = (pl.col("close") - pl.col("low")) / (pl.col("high") - pl.col("low"))
    faded = (
        (pl.col("close") < 5)
        & (pl.col("dev").exp() >= 10)
        & (place <= 0.25)
        & (pl.col("high") / pl.col("prev_close") >= 1.3)
    )
    return (
        pl.when(pl.col("split").is_not_null())
        .then(pl.lit(CORPORATE_ACTION))
        .when(only_shifted())
        .then(pl.lit(OFF_EXCHANGE_SHIFT))
        .when(faded)
        .then(pl.lit("spike-and-fade"))
        .when(pl.col("move_z") >= 3)
        .then(pl.lit("news-like"))
        .when((pl.col("z_size") >= 3) & (pl.col("z_trades") < 2))
        .then(pl.lit("block-like"))
        .when((pl.col("z_trades") - pl.col("z_volume") >= 1) & (pl.col("dev_size") < 0))
        .then(pl.lit("crowd"))
        .when(pl.col("move_z") < 1.5)
        .then(pl.lit("quiet volume"))
        .otherwise(pl.lit("volume"))
    )
