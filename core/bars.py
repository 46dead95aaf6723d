"""The bars of one session: one row a ticker, checked. Knows nothing of where they came from.

`check` is the only maker of a `Bars` frame, so an unchecked frame cannot reach a store or a judge.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

import polars as pl

from core.calendar import NEW_YORK, TradingDay
from core.errors import BadBars, HeldBars

Bars = NewType("Bars", pl.DataFrame)
"""One session's rows, sorted by ticker, with the columns of BARS."""

BARS = {
    "session": pl.Date,
    "ticker": pl.String,  # as published, case kept
    "open": pl.Float64,  # USD a share, unadjusted; null where no trade may set it
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,  # shares, fractions since 2026
    "transactions": pl.Int64,  # trades counted; null where the source has none
    "vwap": pl.Float64,  # USD a share; null where the source has none
}
"""What a stored session lacks of these is damage (core.damaged): a new one needs another series."""

NOTHING_MORE: Mapping[str, type[pl.DataType]] = MappingProxyType({})
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises of a table that is none; the second is no Exception, and would end a loop."""

MAX_TICKER_CHARS = 24
_TICKER = rf"^[A-Za-z0-9][A-Za-z0-9./^+=$*_-]{{0,{MAX_TICKER_CHARS - 1}}}$"


class Scope(StrEnum):
    """Which trades a bar counts."""

    ALL = "all"
    OFF_EXCHANGE = "off_exchange"


class Family(StrEnum):
    """Which kind of source made the bars; two families never share a baseline."""

    DAILY = "daily"  # REST grouped daily and day aggregates: the same rows
    TRADES = "trades"  # counted here from every trade of the tape
    FINRA = "finra"  # shares reported off exchange in regular hours: no prices, no trade counts
    SAMPLE = "sample"  # the built-in market


@dataclass(frozen=True, order=True, slots=True)
class Series:
    """Bars that may be compared with each other; a baseline never mixes two."""

    scope: Scope
    family: Family
    adjustment: str = "raw"
    rules: str = ""
    """Version of the sale-condition rules by which trades were counted, where they were."""

    @property
    def key(self) -> str:
        """Its name in folders and tables, such as `all-daily-raw`."""
        return "-".join(filter(None, (self.scope, self.family, self.adjustment, self.rules)))

    @property
    def other_scope(self) -> "Series":
        """The same bars of the other scope."""
        off = self.scope is Scope.OFF_EXCHANGE
        return replace(self, scope=Scope.ALL if off else Scope.OFF_EXCHANGE)

    @classmethod
    def of_key(cls, key: str) -> "Series":
        """The other way round; ValueError if it is no such name."""
        scope, family, *rest = key.split("-", 3)
        return cls(Scope(scope), Family(family), *rest)


def is_ticker(text: str) -> bool:
    """Could this be a ticker as published? (Case is data: BApA is not BAPA.)"""
    return re.fullmatch(_TICKER, text) is not None


def check(
    frame: pl.DataFrame, day: TradingDay, also: Mapping[str, type[pl.DataType]] = NOTHING_MORE
) -> Bars:
    """Bars of `day` out of a frame that has at least ticker, prices and volume.

    `also`: columns that this series has behind those of BARS. A column `stamp` (Datetime, UTC: any
    moment of the row's session) is compared with the day.
    Raises BadBars if a needed column is missing, a value is no number or nothing is left, and
    HeldBars if the date inside is another. Rows are not repaired and none is dropped here: whether
    they are plausible is the gate's question.
    """
    columns = BARS | dict(also)
    needed = [c for c in columns if c not in ("session", "transactions", "vwap")]
    if missing := [c for c in needed if c not in frame.columns]:
        raise BadBars(f"the columns {', '.join(missing)} are missing from the bars of {day}")
    if frame.is_empty():
        raise BadBars(f"no row at all in the bars of {day}, which is a session")
    try:
        typed = frame.select(
            pl.lit(day.date, pl.Date).alias("session"),
            *(
                pl.col(c).cast(kind) if c in frame.columns else pl.lit(None, kind).alias(c)
                for c, kind in columns.items()
                if c != "session"
            ),
        )
    except UNREADABLE as error:
        raise BadBars(f"a value is no number in the bars of {day}: {_first_line(error)}") from error
    if "stamp" in frame.columns:
        _check_dates(frame, Bars(typed), day)
    if typed["ticker"].null_count():
        raise BadBars(f"{typed['ticker'].null_count()} rows have no ticker in the bars of {day}")
    return Bars(typed.sort("ticker"))


def more_than_bars(frame: pl.DataFrame) -> dict[str, type[pl.DataType]]:
    """The columns of a frame behind those of BARS, as `check` takes them."""
    return {c: kind.base_type() for c, kind in frame.schema.items() if c not in BARS}


def _check_dates(frame: pl.DataFrame, rows: Bars, day: TradingDay) -> None:
    dates = frame["stamp"].dt.convert_time_zone(str(NEW_YORK)).dt.date()
    other = dates.filter(dates.ne_missing(day.date))
    if len(other):
        example = other.cast(pl.String).fill_null("no date")[0]
        dated = f"{len(other):,} of {len(dates):,} rows are of {example}, not of {day}"
        raise HeldBars(dated, rows)


def bad_rows(bars: Bars) -> pl.DataFrame:
    """The rows that cannot be true, with the column `fault` saying why; usually none."""
    prices = [pl.col(c) for c in ("open", "high", "low", "close")]
    fault = (
        pl.when(~pl.col("ticker").str.contains(_TICKER))
        .then(pl.lit("ticker is garbage"))
        .when(pl.any_horizontal(price <= 0 for price in prices))
        .then(pl.lit("zero or negative price"))
        .when(~pl.all_horizontal(price.is_finite() for price in prices))
        .then(pl.lit("price is not finite"))
        .when((pl.col("volume") < 0) | ~pl.col("volume").is_finite())
        .then(pl.lit("negative volume"))
        .when(pl.col("volume").is_null())
        .then(pl.lit("no volume"))
        .when(pl.col("transactions") < 0)
        .then(pl.lit("negative transactions"))
        .when(
            (pl.col("high") < pl.max_horizontal("open", "low", "close"))
            | (pl.col("low") > pl.min_horizontal("open", "close"))
        )
        .then(pl.lit("high and low do not hold open and close"))
    )
    return bars.with_columns(fault.alias("fault")).filter(pl.col("fault").is_not_null())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def empty() -> pl.DataFrame:
    """No rows, the right columns: for reading a span in which nothing is stored."""
    return pl.DataFrame(schema=BARS)
