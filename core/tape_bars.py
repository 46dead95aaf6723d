"""The sums of a day's trades -> one row for each ticker and scope. Pure."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core import tape_sums as k
from core.bars import Scope
from core.tape_sums import Floats, Ints

TAPE = {
    "ticker": pl.String,
    "scope": pl.String,
    "open": pl.Float64,  # null where no trade may set it
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,  # shares of the trades that count for volume; so are the next columns
    "transactions": pl.Int64,
    "vwap": pl.Float64,  # null where no share was traded
    "blocks": pl.Int64,  # 10,000 shares or more, or $200,000 or more
    "largest": pl.Float64,  # shares of the largest trade; of equal ones the dearest
    "largest_price": pl.Float64,
    "regular_volume": pl.Float64,  # from the opening to the closing bell, by sip_timestamp
    "cancelled": pl.Int64,  # trades left out: cancelled, erroneous or old values (corrections)
    "cancelled_volume": pl.Float64,
    "uncounted": pl.Int64,  # trades left out of the volume by their conditions
    "uncounted_volume": pl.Float64,
}


def bars_of(tickers: Sequence[str], sums: Ints, prices: Floats) -> pl.DataFrame:
    """Rows with the columns of TAPE, sorted; a ticker that traded in a scope has a row in it."""
    off = sums[1::2], prices[1::2]
    both = _added(sums[::2], prices[::2], *off)
    names = pl.Series("ticker", tickers, pl.String)
    frames = [_scope(names, Scope.ALL, *both), _scope(names, Scope.OFF_EXCHANGE, *off)]
    traded = (pl.col("transactions") > 0) | pl.any_horizontal(
        pl.col(c).is_not_null() for c in ("open", "high")
    )
    return pl.concat(frames).filter(traded).sort("ticker", "scope")


def _added(lit: Ints, lit_prices: Floats, off: Ints, off_prices: Floats) -> tuple[Ints, Floats]:
    """Both venues together: sums added, extremes and ends chosen."""
    sums, prices = lit + off, np.empty_like(lit_prices)
    for column in (k.VOLUME, k.REGULAR, k.CANCELLED_SHARES, k.UNCOUNTED_SHARES):
        carry, sums[:, column + 1] = np.divmod(sums[:, column + 1], k.WHOLE_SHARE)
        sums[:, column] += carry
    prices[:, k.HIGH] = np.fmax(lit_prices[:, k.HIGH], off_prices[:, k.HIGH])
    prices[:, k.LOW] = np.fmin(lit_prices[:, k.LOW], off_prices[:, k.LOW])
    both = np.stack((lit_prices[:, k.DOLLARS], off_prices[:, k.DOLLARS]))
    prices[:, k.DOLLARS] = np.where(np.isnan(both).all(axis=0), np.nan, np.nansum(both, axis=0))
    # The key of an end where there is none is never chosen, because its price is not.
    for column, key, first in ((k.OPEN, k.OPENED, True), (k.CLOSE, k.CLOSED, False)):
        later = _after(off[:, key : key + 3], lit[:, key : key + 3])
        chosen = ~later if first else later
        prices[:, column] = _chosen(lit_prices[:, column], off_prices[:, column], chosen)
    size = slice(k.LARGEST, k.LARGEST + 2)
    tops = np.c_[off[:, size], _dear(off_prices)], np.c_[lit[:, size], _dear(lit_prices)]
    larger = _after(*tops)
    sums[:, size] = np.where(larger[:, None], off[:, size], lit[:, size])
    column = k.LARGEST_PRICE
    prices[:, column] = _chosen(lit_prices[:, column], off_prices[:, column], larger)
    return sums, prices


def _dear(prices: Floats) -> Ints:
    """The order of the prices of the largest trades as whole numbers; none is below all."""
    bits: Ints = np.nan_to_num(prices[:, k.LARGEST_PRICE], nan=-0.0).view(np.int64)
    return bits


def _after(one: Ints, other: Ints) -> NDArray[np.bool_]:
    """Is the key (its columns from first to last) greater than the other, row by row?"""
    greater = np.zeros(len(one), bool)
    for column in reversed(range(one.shape[1])):
        equal = one[:, column] == other[:, column]
        greater = (one[:, column] > other[:, column]) | (equal & greater)
    return greater


def _chosen(lit: Floats, off: Floats, take_off: NDArray[np.bool_]) -> Floats:
    return np.where(np.isnan(lit) | (take_off & ~np.isnan(off)), off, lit)


def _scope(tickers: pl.Series, scope: Scope, sums: Ints, prices: Floats) -> pl.DataFrame:
    volume = _shares(sums, k.VOLUME)
    largest = pl.when(pl.col("transactions") > 0).then(pl.col("largest"))
    return (
        pl.DataFrame(
            {
                "ticker": tickers,
                "scope": [str(scope)] * len(tickers),
                "open": prices[:, k.OPEN],
                "high": prices[:, k.HIGH],
                "low": prices[:, k.LOW],
                "close": prices[:, k.CLOSE],
                "volume": volume,
                "transactions": sums[:, k.TRADES],
                "vwap": prices[:, k.DOLLARS] / np.where(volume > 0, volume, np.nan),
                "blocks": sums[:, k.BLOCKS],
                "largest": _shares(sums, k.LARGEST),
                "largest_price": prices[:, k.LARGEST_PRICE],
                "regular_volume": _shares(sums, k.REGULAR),
                "cancelled": sums[:, k.CANCELLED],
                "cancelled_volume": _shares(sums, k.CANCELLED_SHARES),
                "uncounted": sums[:, k.UNCOUNTED],
                "uncounted_volume": _shares(sums, k.UNCOUNTED_SHARES),
            },
            schema=TAPE,
        )
        .with_columns(pl.selectors.float().fill_nan(None))
        .with_columns(largest)
    )


def _shares(sums: Ints, column: int) -> Floats:
    """The float nearest to each exact sum."""
    pairs = zip(sums[:, column].tolist(), sums[:, column + 1].tolist(), strict=True)
    one = k.WHOLE_SHARE
    return np.array([(whole * one + part) / one if part else whole for whole, part in pairs], float)
