"""The off-exchange share of each ticker's volume against its own usual, on the logit. Pure.

With Vd the volume off exchange and V that of all venues, shares of one session as published:

    q      = (Vd + 50) / (V + 100)      never 0 or 1, however few shares there are
    lambda = ln(q / (1 - q))

Then every step of core.baseline with lambda in the place of ln(activity) and a floor of 0.10. Of
the off-exchange bars nothing but their volume is used: prints there may be far from the market.
"""

import polars as pl

from core.bars import Scope
from core.baseline import SCALE_FLOOR, standing

SHARE_FLOOR = 0.10
"""Units of the logit: no name's share is steadier than this."""

MEASURED = {
    "usual_share": pl.Float64,  # 0 to 1: the level, mapped back from the logit
    "z_share": pl.Float64,
    "n_share": pl.Float64,  # sessions in its baseline, at most 60
    "off_volume": pl.Float64,  # shares, on the grid's basis
    "z_off_volume": pl.Float64,  # against the baseline of the off-exchange volume alone
}

_ADDED = 50.0


def logit(scope: Scope) -> pl.Expr:
    """lambda of bars of `scope`, which have volume (as published) and share (0 to 1, or null).

    Finite for shares of 0 and 1; null where the share is unknown.
    """
    volume, share = pl.col("volume"), pl.col("share")
    off = volume if scope is Scope.OFF_EXCHANGE else volume * share
    lit = volume / share - volume if scope is Scope.OFF_EXCHANGE else volume - off
    # Rounding may leave a trace below zero where all of it was off exchange.
    odds = (off + _ADDED) / (lit.clip(lower_bound=0.0) + _ADDED)
    return pl.when(share.is_not_null() & (volume > 0)).then(odds.log())


def shares(dense: pl.DataFrame, keep: pl.Series, scope: Scope) -> pl.DataFrame:
    """The columns MEASURED of those rows of a grid that are to be kept.

    `dense`: core.baseline.grid with share, logit and z_volume; without share all is null.
    """
    if "share" not in dense.columns:
        return pl.DataFrame(schema=MEASURED).clear(int(keep.sum()))
    usual = 1 / (1 + (-pl.col("level")).exp())
    found = (
        standing(dense, pl.col("logit"), SHARE_FLOOR)
        .filter(keep)
        .select(usual_share=usual, z_share="z", n_share="n")
    )
    if scope is Scope.OFF_EXCHANGE:
        own = dense.filter(keep).select(off_volume="volume", z_off_volume="z_volume")
        return found.hstack(own)
    off = pl.col("volume") * pl.col("share")
    z = standing(dense, pl.when(off > 0).then(off.log()), SCALE_FLOOR)["z"].filter(keep)
    return found.hstack(dense.filter(keep).select(off_volume=off)).with_columns(
        z.alias("z_off_volume")
    )
