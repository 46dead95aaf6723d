"""Bars on disk: one Parquet file per series and session, whole or not at all. Blocking calls.

<root>/bars/<series>/2026-11-20.parquet      the current revision
<root>/bars/<series>/2026-11-20.r1.parquet   an earlier one
<root>/held/<series>/2026-11-20.parquet      refused by the gate, kept aside
<root>/measured/<series>/2026-11-20.1f3a.parquet   numbers made of bars; may be deleted
<root>/quarters/<series>/2026Q4.77ab.parquet       bars by ticker (core.quarters); may be deleted
"""

import logging
import os
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import polars as pl

from core.bars import BARS, Bars, Series, empty
from core.calendar import TradingDay
from core.quarters import ROWS_A_GROUP, Quarters
from core.whole import write_whole

logger = logging.getLogger(__name__)

_SPANS_KEPT = 8
"""Everybody asks about the same few; each is a megabyte of names."""
MEASURED_SESSIONS = 260
"""Of so many sessions a series, newest first, the measured numbers (1-2 MB) are kept: a year."""


class Store:
    """The bars of all series under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, series: Series, day: TradingDay, bars: Bars, revision: int) -> Path:
        """Make `bars` the session's current revision; the one before stays beside it."""
        path = self._path("bars", series, day)
        if revision > 1 and path.exists():
            before = _earlier(path, revision - 1)
            if not before.exists():
                os.link(path, before)
        return write_whole(path, bars)

    def hold(self, series: Series, day: TradingDay, rows: pl.DataFrame) -> Path:
        """Keep rows that failed the gate aside, for a person to look at."""
        return write_whole(self._path("held", series, day), rows)

    def held(self, series: Series, day: TradingDay) -> pl.DataFrame | None:
        """The rows kept aside for a session, if there are any."""
        path = self._path("held", series, day)
        return pl.read_parquet(path) if path.exists() else None

    def drop_held(self, series: Series, day: TradingDay) -> None:
        """Forget the rows kept aside: the session has bars now."""
        self._path("held", series, day).unlink(missing_ok=True)

    def has(self, series: Series, day: TradingDay) -> bool:
        """Is a revision of this session stored?"""
        return self._path("bars", series, day).exists()

    def read(
        self,
        series: Series,
        days: Iterable[TradingDay],
        columns: list[str] | None = None,
        tickers: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """All rows of the sessions that are stored (columns of BARS), oldest session first; only
        those of a few `tickers`, if they are given."""
        if tickers is not None:
            return self._few(series, list(days), columns, tickers)
        paths = self._stored(series, days)
        if not paths:
            return empty().select(columns or list(BARS))
        return pl.read_parquet(paths, columns=columns)

    def _few(
        self,
        series: Series,
        days: Sequence[TradingDay],
        columns: list[str] | None,
        tickers: Collection[str],
    ) -> pl.DataFrame:
        """read() of some tickers, where it can from the files by ticker."""
        paths = self._quarters(series).files(day.date for day in days)
        if not paths:
            return empty().select(columns or list(BARS))
        try:
            return _rows(paths, days, columns, tickers)
        except (OSError, pl.exceptions.PolarsError) as error:
            # Made anew meanwhile, or cut short by a full disk: the daily files are the truth.
            logger.warning("read by session", extra={"series": series.key, "seen": str(error)})
            return _rows(self._stored(series, days), days, columns, tickers)

    def compact(self, series: Series) -> int:
        """Put the sessions into files by ticker as well, so that one ticker is read fast; how many
        such files were made."""
        try:
            return self._quarters(series).renew(
                lambda path, rows: write_whole(path, rows, ROWS_A_GROUP)
            )
        except (OSError, pl.exceptions.PolarsError) as error:
            # A full disk, most likely: the daily files serve as before.
            logger.warning("not compacted", extra={"series": series.key, "seen": str(error)})
            return 0

    def _quarters(self, series: Series) -> Quarters:
        return Quarters(self._root / "bars" / series.key, self._root / "quarters" / series.key)

    def tickers(self, series: Series, days: Sequence[TradingDay]) -> frozenset[str]:
        """Every ticker with a row in these sessions."""
        files = tuple(self._stored(series, days))
        return _tickers(files, self.state([series], days))

    def _stored(self, series: Series, days: Iterable[TradingDay]) -> list[Path]:
        return [p for day in days if (p := self._path("bars", series, day)).exists()]

    def read_revision(self, series: Series, day: TradingDay, revision: int) -> pl.DataFrame:
        """The rows of one revision, though a later one may have been written since."""
        path = self._path("bars", series, day)
        earlier = _earlier(path, revision)
        return pl.read_parquet(earlier if earlier.exists() else path)

    def state(self, series: Iterable[Series], days: Sequence[TradingDay], more: str = "") -> str:
        """Letters that change when any of these files does, or `more`."""
        paths = [self._path("bars", one, day) for one in series for day in days]
        files = [(p.name, s.st_size, s.st_mtime_ns) for p in paths if (s := _stat(p))]
        return sha256(f"{files} {more}".encode()).hexdigest()[:16]

    def measured(self, series: Series, day: TradingDay, made_of: str) -> pl.DataFrame | None:
        """The session's numbers, if they were made of the same."""
        try:
            return pl.read_parquet(self._path("measured", series, day, made_of))
        except (OSError, pl.exceptions.PolarsError):
            return None

    def has_measured(self, series: Series, day: TradingDay, made_of: str) -> bool:
        """Would measured() find them?"""
        return self._path("measured", series, day, made_of).exists()

    def keep_measured(
        self, series: Series, day: TradingDay, made_of: str, found: pl.DataFrame
    ) -> None:
        """In place of what was measured of the session before; only the newest ones are kept."""
        path = self._path("measured", series, day, made_of)
        try:
            write_whole(path, found)
        except OSError as error:  # a full disk: measured again when it is needed again
            logger.warning("not kept", extra={"file": str(path), "seen": str(error)})
            return
        kept = sorted(path.parent.glob("*.parquet"), reverse=True)
        stale = [p for p in kept if p.name.startswith(f"{day}.") and p != path]
        for old in {*stale, *kept[MEASURED_SESSIONS:]}:
            old.unlink(missing_ok=True)

    def _path(self, kind: str, series: Series, day: TradingDay, more: str = "") -> Path:
        name = f"{day}.{more}.parquet" if more else f"{day}.parquet"
        return self._root / kind / series.key / name


def _rows(
    paths: list[Path],
    days: Sequence[TradingDay],
    columns: list[str] | None,
    tickers: Collection[str],
) -> pl.DataFrame:
    names = pl.Series(sorted(tickers), dtype=pl.String)
    dates = pl.Series([day.date for day in days], dtype=pl.Date)
    called, on = pl.col("ticker"), pl.col("session")
    # The statistics of a file's groups are asked about one value, not about a list.
    named = called == names[0] if len(names) == 1 else called.is_in(names.implode())
    asked = named, on.is_in(dates.implode())
    rows = pl.scan_parquet(paths).filter(*asked).sort("session", "ticker")
    return (rows if columns is None else rows.select(columns)).collect()


@lru_cache(maxsize=_SPANS_KEPT)
def _tickers(files: tuple[Path, ...], _state: str) -> frozenset[str]:
    # File by file: the rows of a year of a market are a hundred times its names.
    known = pl.Series(dtype=pl.String)
    for path in files:
        known = pl.concat([known, pl.read_parquet(path, columns=["ticker"])["ticker"]]).unique()
    return frozenset(known)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _earlier(path: Path, revision: int) -> Path:
    return path.with_suffix(f".r{revision}.parquet")
