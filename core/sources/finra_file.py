"""FINRA's daily short-sale volume files: text -> Bars of off-exchange volume. Pure.

    Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market
    20261001|BRK/B|1216.250000|3|4096.750000|B,Q,N
    1

TotalVolume is what was reported to FINRA's facilities in regular hours: shares, with fractions
since 2026. There are no prices and no trade counts. Columns are read by name, lines end in CR LF or
LF. FINRA's file layout promises a header and, as the last line of every file, the number of rows.
"""

import io
import re
from datetime import date

import polars as pl

from core.bars import UNREADABLE, Bars, Family, Scope, Series, check
from core.calendar import NEW_YORK, TradingDay
from core.errors import BadBars
from core.sources.bounds import FINRA_FILE, refuse_large_table

OFF_EXCHANGE = Series(Scope.OFF_EXCHANGE, Family.FINRA)
"""What these files hold, whoever hands them on."""

_NAMES = {"Symbol": "ticker", "TotalVolume": "volume", "Date": "date"}
_KINDS: dict[str, type[pl.DataType]] = {
    "Symbol": pl.String,
    "TotalVolume": pl.Float64,
    "Date": pl.String,
}
# "9914"; somebody saw "Records: 9914".
_TRAILER = re.compile(rb"(?:[A-Za-z ]+:? *)?([0-9]{1,9})")


def name_of(day: date) -> str:
    """The file of a session: all facilities consolidated, exchange-listed securities."""
    return f"CNMSshvol{day:%Y%m%d}.txt"


def parse(text: bytes, day: TradingDay) -> Bars:
    """The bars in a daily file, tickers in the vendor's spelling; BadBars if it is not whole."""
    refuse_large_table(text, b"|", FINRA_FILE, f"the file of {day}")
    first, _, rest = text.partition(b"\n")
    header = first.decode("utf-8-sig", "replace").strip().split("|")
    if missing := [column for column in _KINDS if column not in header]:
        seen = f"the file of {day} begins with {header[0][:60]!r}"
        raise BadBars(f"{seen} and names no column {' or '.join(missing)}")
    if len(set(header)) < len(header):
        raise BadBars(f"the file of {day} has a column twice")
    rows, claimed = _split_off_trailer(rest, day)
    try:
        frame = pl.read_csv(
            io.BytesIO(rows),
            separator="|",
            has_header=False,
            quote_char=None,
            # Named, not guessed: `NA`, `NULL`, `TRUE` and `INF` are tickers.
            schema={column: _KINDS.get(column, pl.String) for column in header},
        )
    except UNREADABLE as error:
        raise BadBars(f"the file of {day} is no clean table: {str(error)[:200]}") from error
    if len(frame) != claimed:
        raise BadBars(f"the file of {day} says it has {claimed:,} rows, but has {len(frame):,}")
    frame = frame.select(*_KINDS).rename(_NAMES)
    # BRK/B is BRK.B elsewhere, and TDW/WS/A is TDW.WS.A. Case is kept: BACpL is a preferred.
    spelled = pl.col("ticker").str.replace_all("/", ".", literal=True)
    return volumes_only(frame.with_columns(spelled), "%Y%m%d", day)


def volumes_only(frame: pl.DataFrame, date_format: str, day: TradingDay) -> Bars:
    """Bars without prices out of ticker, volume in shares and date as text. Raises as check()."""
    midnight = pl.col("date").str.to_datetime(date_format, time_zone=str(NEW_YORK), strict=False)
    no_prices = [pl.lit(None, pl.Float64).alias(p) for p in ("open", "high", "low", "close")]
    return check(frame.with_columns(midnight.alias("stamp"), *no_prices), day)


def _split_off_trailer(text: bytes, day: TradingDay) -> tuple[bytes, int]:
    """The rows, and how many the last line says there are.

    A file without that line is refused: a day that was cut off between two lines looks just so.
    """
    rows, _, last = text.rstrip(b"\r\n").rpartition(b"\n")
    found = _TRAILER.fullmatch(last.strip())
    # Without the end of its line, a number may be where the date of one more row was cut off.
    may_be_date = not text.endswith(b"\n") and f"{day.date:%Y%m%d}".encode().startswith(last)
    if found is None or may_be_date:
        seen = f"{last[:40].decode('utf-8', 'replace')!r}"
        raise BadBars(f"the file of {day} ends with {seen}, not with its number of rows: cut off?")
    return rows, int(found[1])
