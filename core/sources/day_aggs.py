"""The vendor's day-aggregate files: gzip CSV bytes -> Bars. Pure; bounded in memory.

Header (order varies, more columns may come, facts of the vendor's docs and of real files):
ticker,volume,open,close,high,low,window_start,transactions
"""

import io
import zlib
from datetime import date

import polars as pl

from core.bars import UNREADABLE, Bars, check
from core.calendar import TradingDay
from core.errors import BadBars
from core.sources.bounds import DAY_FILE, Bounds, Gzipped, refuse_large_table

KEY = "us_stocks_sip/{data_set}/{day:%Y/%m/%Y-%m-%d}.csv.gz"


def key(data_set: str, day: date) -> str:
    """The object key of a session's file, such as us_stocks_sip/day_aggs_v1/2026/11/…csv.gz."""
    return KEY.format(data_set=data_set, day=day)


def parse(payload: bytes, day: TradingDay) -> Bars:
    """The bars in a day-aggregate file; raises BadBars for anything that is not one."""
    text = unpack(payload, f"the file of {day}")
    header = text[: text.find(b"\n")].decode("utf-8", "replace").strip().split(",")
    if "ticker" not in header:
        raise BadBars(f"the file of {day} begins with {header[0][:60]!r}, not with a header row")
    if "window_start" not in header or len(set(header)) < len(header):
        raise BadBars(f"the file of {day} lacks window_start, or has a column twice")
    try:
        frame = pl.read_csv(
            io.BytesIO(text),
            # Named, not guessed: `NA`, `NULL`, `TRUE` and `INF` are tickers.
            schema_overrides={column: _TYPES.get(column, pl.String) for column in header},
            columns=[column for column in header if column in _TYPES],
        )
    except UNREADABLE as error:
        raise BadBars(f"the file of {day} is no clean CSV: {_brief(error)}") from error
    return check(frame.with_columns(_STAMP), day)


_TYPES: dict[str, type[pl.DataType]] = {
    "ticker": pl.String,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "window_start": pl.Int64,  # nanoseconds UTC
    "transactions": pl.Float64,  # counts, but nothing promises that they stay "12" and not "12.0"
}
_STAMP = pl.col("window_start").cast(pl.Datetime("ns", "UTC")).alias("stamp")


def unpack(payload: bytes, what: str = "the file", most: Bounds = DAY_FILE) -> bytes:
    """Gunzip, members and all; BadBars if it is cut off, corrupt, a bomb or too large a table."""
    file = Gzipped(most, what)
    try:
        file.add(payload)
        text = file.whole()
    except (EOFError, zlib.error) as error:
        raise BadBars(f"{what} is not whole gzip: {error}") from error
    refuse_large_table(text, b",", most, what)
    return text


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
