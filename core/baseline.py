"""What is normal for each ticker: level, scale and market factor of log activity. Pure.

Everything about a session is computed from exactly LOOKBACK_SESSIONS sessions ending with it, on a
dense grid (a missing session is null, not skipped), so a re-run gives the same bits.

With x = ln(activity), for each feature (volume in shares, trades in counts):

    e0   = x - median20(x)                     first pass
    m    = median of e0 over the liquidity bucket that session: the market's part
    y    = x - m
    L    = median20(y)                         the level: exp(L + m) is what today would be normal
    yw   = L + clip(y - L, +-3 std60(y))       what enters the scale's history
    s    = std60(yw), shrunk to the bucket's, floored, widened for the error of the level
    z    = (y - L) / s / d                     d: the bucket's dispersion today, if it is above 1

All windows end the session before. Logs are natural; std is that of logs (measured: MAD loses).
"""

import math
from collections.abc import Sequence

import polars as pl

LEVEL_SESSIONS, MIN_LEVEL = 20, 15
SCALE_SESSIONS, MIN_SCALE = 60, 20
LOOKBACK_SESSIONS = SCALE_SESSIONS + LEVEL_SESSIONS + 2
"""A scale's window, the first-pass level before it, the tested session, and one close before."""

SCALE_FLOOR = 0.15
"""ln units: no name is steadier than this."""

FEATURES = {"volume": "volume", "trades": "transactions"}
"""Feature name -> the column of Bars it reads."""

BUCKETS_USD = {"under $1M": 1e6, "$1-5M": 5e6, "$5-20M": 20e6, "$20-100M": 100e6}
"""Liquidity buckets by median dollar volume a day: name -> upper bound."""
TOP_BUCKET = "over $100M"

_BUCKET = pl.Enum([*BUCKETS_USD, TOP_BUCKET])
_GRID = ["volume", "transactions", "open", "close"]
_CLIP = 3.0
_MOVE_FLOOR = math.log(1.005)
_PRIOR_SESSIONS = 10
_MIN_BUCKET_FACTOR, _MIN_BUCKET_SPREAD = 30, 100


def grid(bars: pl.DataFrame, sessions: pl.Series, also: Sequence[str] = ()) -> pl.DataFrame:
    """The dense table: every ticker at every session, sorted.

    Columns ticker (Enum), t, volume, transactions, `also`, open, close, bucket, adv. `bars` are on
    one share basis. `adv` is the median dollar volume (USD a day) of the 60 sessions before the
    last one, null under 20 of them.
    """
    # Numbers instead of text: a join on strings over the whole window cost 300 MB.
    tickers, count = pl.Enum(bars["ticker"].unique().sort()), len(sessions)
    t = pl.col("session").replace_strict(
        sessions, range(count), default=None, return_dtype=pl.UInt32
    )
    cell = pl.col("ticker").cast(tickers).to_physical().cast(pl.UInt32) * count + t
    placed = bars.select(cell.alias("cell"), *_GRID, *also).filter(pl.col("cell").is_not_null())
    dense = (
        pl.select(cell=pl.int_range(len(tickers.categories) * count, dtype=pl.UInt32))
        .join(placed, on="cell", how="left", maintain_order="left")
        .select(
            (pl.col("cell") // count).cat.to(tickers).set_sorted().alias("ticker"),
            (pl.col("cell") % count).alias("t"),
            pl.when(pl.col("volume") > 0).then(pl.col("volume", "transactions", *also)),
            "open",
            "close",
        )
    )
    last = count - 1
    dollars = pl.col("dollars")
    adv = (
        dense.select("ticker", "t", dollars=(pl.col("volume") * pl.col("close")).log())
        .filter(pl.col("t") < last, pl.col("t") >= last - SCALE_SESSIONS)
        .group_by("ticker")
        .agg(pl.when(dollars.count() >= MIN_SCALE).then(dollars.median().exp()).alias("adv"))
    )
    return dense.join(adv.with_columns(_bucket()), on="ticker", how="left", maintain_order="left")


def _bucket() -> pl.Expr:
    adv = pl.col("adv")
    names = [pl.when(adv < upper).then(pl.lit(name)) for name, upper in BUCKETS_USD.items()]
    bucket = pl.coalesce(*names, pl.lit(TOP_BUCKET))
    return pl.when(adv.is_not_null()).then(bucket).cast(_BUCKET).alias("bucket")


def activity(dense: pl.DataFrame, feature: str) -> pl.DataFrame:
    """Level, scale and z of one feature at every grid row: columns m, y, level, s, n, z."""
    x = pl.col(FEATURES[feature]).cast(pl.Float64)
    return standing(dense, pl.when(x > 0).then(x.log()), SCALE_FLOOR)


def standing(dense: pl.DataFrame, x: pl.Expr, floor: float) -> pl.DataFrame:
    """The steps above for any number x of the grid's rows: columns m, y, level, s, n, z.

    `floor`: in the units of x, the least that a name's scale may be.
    """
    return (
        dense.select("ticker", "t", "bucket", x.alias("x"))
        .with_columns(e0=pl.col("x") - _level("x"))
        .with_columns(m=_bucket_median("e0", _MIN_BUCKET_FACTOR))
        .select("ticker", "t", "bucket", "m", y=pl.col("x") - pl.col("m"))
        .with_columns(level=_level("y"), raw=_scale("y"))
        .with_columns(raw=_clipped("y", pl.col("level"), pl.col("raw"), floor))
        .rename({"raw": "yw"})
        .with_columns(
            s0=_scale("yw"),
            n=_before(pl.col("yw")).is_not_null().cast(pl.Float64).rolling_sum(
                SCALE_SESSIONS, min_samples=1).over("ticker"),
        )
        .drop("yw")
        .with_columns(s=_shrunk(floor))
        .drop("s0")
        .with_columns(z=(pl.col("y") - pl.col("level")) / pl.col("s"))
        .with_columns(pl.col("z") / _spread())
        .select("m", "y", "level", "s", "n", "z")
    )  # fmt: skip


def _before(column: pl.Expr) -> pl.Expr:
    return column.shift(1)


def _level(column: str) -> pl.Expr:
    # Shifted last: without the null in front a full history takes the kernel of half the time.
    median = pl.col(column).rolling_median(LEVEL_SESSIONS, min_samples=MIN_LEVEL)
    return _before(median).over("ticker")


def _scale(column: str) -> pl.Expr:
    return _before(pl.col(column)).rolling_std(SCALE_SESSIONS, min_samples=MIN_SCALE).over("ticker")


def _clipped(column: str, level: pl.Expr, raw: pl.Expr, floor: float) -> pl.Expr:
    """The column within 3 of its raw scale around the level; as it is where either is unknown."""
    width, value = _CLIP * raw.clip(lower_bound=floor), pl.col(column)
    clipped = level + (value - level).clip(-width, width)
    return pl.when(width.is_null() | level.is_null()).then(value).otherwise(clipped)


def _bucket_median(column: str, least: int) -> pl.Expr:
    """The bucket's median that session; 0 where it has too few names."""
    values = pl.col(column)
    median = pl.when(values.count() >= least).then(values.median()).otherwise(0.0)
    return pl.when(pl.col("bucket").is_not_null()).then(median.over("t", "bucket")).otherwise(0.0)


def _shrunk(floor: float) -> pl.Expr:
    n, typical = pl.col("n"), pl.col("s0").median().over("t", "bucket")
    pooled = (n * pl.col("s0") ** 2 + _PRIOR_SESSIONS * typical**2) / (n + _PRIOR_SESSIONS)
    return pooled.sqrt().clip(lower_bound=floor) * (1 + 1 / n).sqrt()


def _spread() -> pl.Expr:
    """How much wider than 1 the bucket's z are today: quadruple expiries, rebalances."""
    z = pl.col("z")
    width = (z.quantile(0.84, "linear") - z.quantile(0.16, "linear")) / 2
    wider = width.clip(lower_bound=1.0)
    factor = pl.when(z.count() >= _MIN_BUCKET_SPREAD).then(wider).otherwise(1.0)
    return pl.when(pl.col("bucket").is_not_null()).then(factor.over("t", "bucket")).otherwise(1.0)


def returns(dense: pl.DataFrame) -> pl.DataFrame:
    """The last session's price beside each ticker's own usual.

    Columns ticker, prev_close, ret, gap, ret_z, gap_z, move_z. `ret` is the close and `gap` the
    open, each against the close one session before (0.05 is +5 %), null if there was none. Their z:
    |log move - its bucket's median| over the std of the same in the 60 sessions before, clipped as
    volume's, floored at half a percent. `move_z` is the larger: what moved overnight may be back by
    the close.
    """
    last = int(dense.select(pl.col("t").max()).item())
    before = pl.col("close").shift(1).over("ticker")
    closed = dense.select("ticker", "t", prev_close=before).filter(pl.col("t") == last).drop("t")
    # One after the other: a window of both at once is the most that is held at any time.
    for name, price in (("ret", "close"), ("gap", "open")):
        move = dense.select("ticker", "t", "bucket", move=(pl.col(price) / before).log())
        closed = closed.hstack(_moved(move, last, name))
    return closed.with_columns(move_z=pl.max_horizontal("ret_z", "gap_z"))


def _moved(moves: pl.DataFrame, last: int, name: str) -> pl.DataFrame:
    """The last session's plain move, under its name, and its z: in the order of the grid."""
    own = pl.col("move") - _bucket_median("move", _MIN_BUCKET_FACTOR)
    tamed = (
        moves.select("ticker", "t", own=own)
        .with_columns(raw=_scale("own"))
        .filter(pl.col("t") >= last - SCALE_SESSIONS)
        .select(
            "ticker", "t", "own", tamed=_clipped("own", pl.lit(0.0), pl.col("raw"), _MOVE_FLOOR)
        )
    )
    before, today = (
        pl.col("tamed").filter(pl.col("t") < last),
        pl.col("own").filter(pl.col("t") == last),
    )
    usual = pl.when(before.count() >= MIN_SCALE).then(before.std()).clip(lower_bound=_MOVE_FLOOR)
    return (
        tamed.group_by("ticker", maintain_order=True)
        .agg((today.first().abs() / usual).alias(f"{name}_z"))
        .select(moves.filter(pl.col("t") == last)["move"].exp().alias(name) - 1, f"{name}_z")
    )
