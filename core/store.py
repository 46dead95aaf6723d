"""Bars at rest: one Parquet file per series and session, whole or not at all. Blocking calls.

bars/<series>/2026-11-20.parquet      the current revision
bars/<series>/2026-11-20.r1.parquet   an earlier one
held/<series>/2026-11-20.parquet      refused by the gate, kept aside
quarters/<series>/2026Q4.77ab.parquet       bars by ticker (core.quarters); may be deleted
damaged/bars/<series>/2026-11-20.parquet    could not be read any more (core.damaged)
measured/<series>/2026-11-20.1f3a.parquet   numbers made of bars, on this machine; may be deleted
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Self

import polars as pl

from core.bars import BARS, UNREADABLE, Bars, Series, empty
from core.calendar import TradingDay
from core.damaged import as_stored, readable, whole
from core.files import Files, Folder, parquet
from core.quarters import Quarters

logger = logging.getLogger(__name__)

_SPANS_KEPT = 8
"""Everybody asks about the same few; each is a megabyte of names."""
_NUMBERS_KEPT = 2
"""Most ask about the newest session: 5 MB each."""
MEASURED_SESSIONS = 260
"""Of so many sessions a series, newest first, the measured numbers (1-2 MB) are kept: a year."""


class Store:
    """The bars of all series. Every call may raise OSError: a full disk, a storage that is away."""

    def __init__(self, files: Files, own: Folder) -> None:
        """`own`: for what this machine makes of bars, and can make again."""
        self.files, self._own = files, own

    @classmethod
    def on_disk(cls, root: Path) -> Self:
        """All of it in one folder."""
        return cls(Folder(root), Folder(root))

    def write(self, series: Series, day: TradingDay, bars: Bars, revision: int) -> None:
        """Make `bars` the session's current revision; the one before stays beside it."""
        name = _name("bars", series, day)
        if self.is_ahead(series, day, revision):
            # Of a state that was lost, or is older than the bars: it would be taken for this one.
            self._drop_from(name, revision)
        if revision > 1 and self.files.stamp(name):
            before = _earlier(name, revision - 1)
            if not self.files.stamp(before):
                self.files.copy(name, before)
        self.files.put(name, parquet(bars))

    def hold(self, series: Series, day: TradingDay, rows: pl.DataFrame) -> None:
        """Keep rows that failed the gate aside, for a person to look at."""
        self.files.put(_name("held", series, day), parquet(rows))

    def held(self, series: Series, day: TradingDay) -> pl.DataFrame | None:
        """The rows kept aside for a session, if there are any."""
        try:
            return self._one(_name("held", series, day))
        except FileNotFoundError:
            return None

    def drop_held(self, series: Series, day: TradingDay) -> None:
        """Forget the rows kept aside: the session has bars now."""
        self.files.drop(_name("held", series, day))

    def has(self, series: Series, day: TradingDay) -> bool:
        """Is a revision of this session stored?"""
        return self.files.stamp(_name("bars", series, day)) is not None

    def stored(self, series: Series, days: Sequence[TradingDay]) -> set[TradingDay]:
        """Those of the sessions that has() says yes to; one look for all of them."""
        if len(days) == 1:
            # Asked by each command: of ten years on a disk the listing takes 1.5 ms, this 0.01.
            return {day for day in days if self.has(series, day)}
        named = {f"{day}.parquet": day for day in days}
        there = self.files.listed(f"bars/{series.key}", named.__contains__)
        return {named[name] for name in there}

    def read(
        self,
        series: Series,
        days: Iterable[TradingDay],
        columns: list[str] | None = None,
        tickers: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """All rows of the sessions that are stored (columns of BARS), oldest session first; only
        those of a few `tickers`, if they are given."""
        days = list(days)
        if tickers is not None:
            return self._few(series, days, columns, tickers)

        def rows(names: Sequence[str]) -> pl.DataFrame:
            if not names:
                return empty().select(columns or list(BARS))
            return as_stored(pl.read_parquet(self.files.paths(names), columns=columns), columns)

        return readable(self.files, lambda: self._stored(series, days), rows)

    def _few(
        self,
        series: Series,
        days: Sequence[TradingDay],
        columns: list[str] | None,
        tickers: Collection[str],
    ) -> pl.DataFrame:
        """read() of some tickers, where it can from the files by ticker."""

        def rows(names: Sequence[str], *, skipping: bool = True) -> pl.DataFrame:
            return _rows(self.files.paths(names), days, columns, tickers, skipping=skipping)

        quarters, dates = Quarters(self.files, series), [day.date for day in days]
        try:
            return rows(quarters.names(dates))
        except (OSError, *UNREADABLE) as error:
            # Made anew meanwhile, or damaged: the daily files are the truth.
            facts = {"series": series.key, "seen": str(error)[:200]}
            logger.warning("read by session", extra=facts)
            is_damage = not isinstance(error, OSError)
        # What can be read to its end has an answer here, whatever its footer says of it.
        stored = partial(self._stored, series, days)
        found = readable(self.files, stored, partial(rows, skipping=False))
        if is_damage:
            with suppress(OSError):  # it is derived, and there is an answer
                quarters.drop_unreadable(dates, rows)
        return found

    def compact(self, series: Series) -> int:
        """Put the sessions into files by ticker as well, so that one ticker is read fast; how many
        such files were made."""
        try:
            return Quarters(self.files, series).renew()
        except (OSError, pl.exceptions.PolarsError) as error:
            # A full disk, most likely: the daily files serve as before.
            logger.warning("not compacted", extra={"series": series.key, "seen": str(error)})
            return 0

    def tickers(self, series: Series, days: Sequence[TradingDay]) -> frozenset[str]:
        """Every ticker with a row in these sessions."""

        def known(names: Sequence[str]) -> frozenset[str]:
            return _tickers(self.files, tuple(names), self.state([series], days))

        return readable(self.files, lambda: self._stored(series, days), known)

    def _stored(self, series: Series, days: Iterable[TradingDay]) -> list[str]:
        names = (_name("bars", series, day) for day in days)
        return [name for name in names if self.files.stamp(name)]

    def read_revision(self, series: Series, day: TradingDay, revision: int) -> pl.DataFrame:
        """The rows of one revision, though a later one may have been written since.

        FileNotFoundError if it is lost, or damaged.
        """
        name = _name("bars", series, day)
        earlier = _earlier(name, revision)
        return self._one(earlier if self.files.stamp(earlier) else name)

    def is_ahead(self, series: Series, day: TradingDay, revision: int) -> bool:
        """Was a later one begun than `revision`, the newest that the ledger knows? By anybody: what
        others wrote just now counts."""
        self._look_again(series, day)
        return self.files.stamp(_earlier(_name("bars", series, day), revision)) is not None

    def back_to(self, series: Series, day: TradingDay, revision: int) -> None:
        """Make `revision`, the newest that the ledger knows, the current one again.

        Its name of an earlier one is only made while a later one is written: whoever wrote that has
        died over it. To be called while nobody else writes.
        """
        self._look_again(series, day)
        name = _name("bars", series, day)
        earlier = _earlier(name, revision)
        if not self.files.stamp(earlier):
            return
        try:
            self._one(earlier)
        except FileNotFoundError:
            return  # damaged, and set aside
        (path,) = self.files.paths([earlier])
        body = path.read_bytes()
        if not self._is(name, body):
            self.files.put(name, body)
            facts = {"series": series.key, "session": str(day), "revision": revision}
            logger.warning("a revision that nobody knows of was taken back", extra=facts)
        self._drop_from(name, revision)

    def _look_again(self, series: Series, day: TradingDay) -> None:
        """Of a session a shell may have stored another revision, or died over one, while a service
        has a listing of before."""
        self.files.look_again(f"bars/{series.key}", f"{day}.")

    def _is(self, name: str, body: bytes) -> bool:
        if not self.files.stamp(name):
            return False
        (path,) = self.files.paths([name])
        return path.read_bytes() == body

    def _drop_from(self, name: str, revision: int) -> None:
        """Those with a name of an earlier one, from `revision` on."""
        folder, _, file = name.rpartition("/")
        begins = f"{file.removesuffix('.parquet')}.r"
        found = self.files.listed(folder, lambda other: other.startswith(begins))
        numbers = [int(n.removeprefix(begins).removesuffix(".parquet")) for n in found]
        # Last its own: by that it is known, should this die over it.
        for later in sorted((n for n in numbers if n >= revision), reverse=True):
            self.files.drop(_earlier(name, later))

    def _one(self, name: str) -> pl.DataFrame:
        """FileNotFoundError as well for one that had to be set aside."""

        def rows(names: Sequence[str]) -> pl.DataFrame:
            if not names:
                raise FileNotFoundError(f"{name} cannot be read")
            return whole(self.files, *names)

        return readable(self.files, lambda: [name], rows)

    def state(self, series: Iterable[Series], days: Sequence[TradingDay], more: str = "") -> str:
        """Letters that change when any of these files does, or `more`."""
        names = [_name("bars", one, day) for one in series for day in days]
        found = [(name, stamp.state) for name in names if (stamp := self.files.stamp(name))]
        return sha256(f"{found} {more}".encode()).hexdigest()[:16]

    def measured(self, series: Series, day: TradingDay, made_of: str) -> pl.DataFrame | None:
        """The session's numbers, if they were made of the same."""
        try:
            return _numbers(*self._own.paths([_name("measured", series, day, made_of)]))
        except (OSError, *UNREADABLE):
            return None

    def has_measured(self, series: Series, day: TradingDay, made_of: str) -> bool:
        """Would measured() find them?"""
        return self._own.stamp(_name("measured", series, day, made_of)) is not None

    def keep_measured(
        self, series: Series, day: TradingDay, made_of: str, found: pl.DataFrame
    ) -> None:
        """In place of what was measured of the session before; only the newest ones are kept."""
        name = _name("measured", series, day, made_of)
        try:
            self._own.put(name, parquet(found))
        except OSError as error:  # a full disk: measured again when it is needed again
            logger.warning("not kept", extra={"file": name, "seen": str(error)})
            return
        folder, _, file = name.rpartition("/")
        kept = sorted(self._own.listed(folder), reverse=True)
        stale = [other for other in kept if other.startswith(f"{day}.") and other != file]
        for old in {*stale, *kept[MEASURED_SESSIONS:]}:
            self._own.drop(f"{folder}/{old}")


def _name(kind: str, series: Series, day: TradingDay, more: str = "") -> str:
    return f"{kind}/{series.key}/{day}{f'.{more}' if more else ''}.parquet"


def _rows(
    paths: list[Path],
    days: Sequence[TradingDay],
    columns: list[str] | None,
    tickers: Collection[str],
    *,
    skipping: bool,
) -> pl.DataFrame:
    """`skipping`: what by the statistics in a file's footer has none of these."""
    if not paths:
        return empty().select(columns or list(BARS))
    names = pl.Series(sorted(tickers), dtype=pl.String)
    dates = pl.Series([day.date for day in days], dtype=pl.Date)
    called = pl.col("ticker")
    # The statistics of a file's groups are asked about one value, not about a list.
    named = called == names[0] if len(names) == 1 else called.is_in(names.implode())
    scan = pl.scan_parquet(paths, use_statistics=skipping)
    if columns is not None:
        scan = scan.select({"session", "ticker", *columns})
    found = scan.filter(named).collect()
    # Asked for here as well, each row group would be looked through for its sessions too.
    rows = found.filter(pl.col("session").is_in(dates.implode())).sort("session", "ticker")
    return as_stored(rows if columns is None else rows.select(columns), columns)


@lru_cache(maxsize=_NUMBERS_KEPT)
def _numbers(path: Path) -> pl.DataFrame:
    """Another content would have another name."""
    return pl.read_parquet(path)


@lru_cache(maxsize=_SPANS_KEPT)
def _tickers(files: Files, names: tuple[str, ...], _state: str) -> frozenset[str]:
    # File by file: the rows of a year of a market are a hundred times its names.
    known = pl.Series(dtype=pl.String)
    for path in files.paths(names):
        known = pl.concat([known, pl.read_parquet(path, columns=["ticker"])["ticker"]]).unique()
    return frozenset(known)


def _earlier(name: str, revision: int) -> str:
    return f"{name.removesuffix('.parquet')}.r{revision}.parquet"
