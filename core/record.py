"""What is stored of a series, read for judging: bars, splits, measured sessions."""

import asyncio
import json
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl

from core.anomaly import VERSION, Rule
from core.bars import BARS, Scope, Series
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.context import PRICES, in_context
from core.db import Db
from core.detect import score
from core.judged import Listing
from core.listings import listings
from core.measure import HISTORY, RECENT_SESSIONS, Known, Window, measure
from core.renames import Rename, follow, follow_splits, known_as
from core.splits import Split, restate
from core.store import Store
from core.universe import Universe

_JOINED_SESSIONS = 10

# Six sessions measured at once took 709 MB; a Record is made anew for each call.
_ONE_AT_A_TIME = threading.Lock()
_LINES_KEPT = 256
"""Everybody asks about the same few names; each is a row."""


@dataclass(frozen=True, slots=True)
class Record:
    """One series on this machine; asks nobody else."""

    db: Db
    store: Store
    series: Series
    other: Series | None = None
    """The other scope of the same sessions, for prices of all venues and the off-exchange share."""

    async def bars(
        self, days: Sequence[TradingDay], columns: Sequence[str] = tuple(BARS)
    ) -> pl.DataFrame:
        """The stored rows of the sessions, in context with the other scope."""
        return await asyncio.to_thread(self._bars, days, columns)

    def _bars(
        self,
        days: Sequence[TradingDay],
        columns: Sequence[str],
        tickers: Collection[str] | None = None,
    ) -> pl.DataFrame:
        if self.other is None:
            return self.store.read(self.series, days, list(columns), tickers)
        if tickers is not None:
            return self._in_context(self.other, days, columns, tickers)
        # A join on texts takes memory by its length.
        first = range(0, max(1, len(days)), _JOINED_SESSIONS)
        parts = [days[n : n + _JOINED_SESSIONS] for n in first]
        return pl.concat([self._in_context(self.other, part, columns, tickers) for part in parts])

    def _in_context(
        self,
        beside: Series,
        days: Sequence[TradingDay],
        columns: Sequence[str],
        tickers: Collection[str] | None,
    ) -> pl.DataFrame:
        own = self.store.read(self.series, days, list(columns), tickers)
        wanted = PRICES if self.series.scope is Scope.OFF_EXCHANGE else ("transactions",)
        more = [column for column in columns if column in wanted]
        other = self.store.read(beside, days, ["session", "ticker", *more, "volume"], tickers)
        return in_context(own, other, self.series.scope)

    async def names(
        self, days: Sequence[TradingDay], renames: Sequence[Rename] = ()
    ) -> frozenset[str]:
        """Who traded in the sessions, called as on the last of them."""
        return await asyncio.to_thread(self._names, days, renames)

    def _names(self, days: Sequence[TradingDay], renames: Sequence[Rename]) -> frozenset[str]:
        # One before the sessions moves none of their rows.
        within = tuple(r for r in renames if r.on > days[0].date)
        if not within:
            return self.store.tickers(self.series, days)
        made_of = self.store.state([self.series], days)
        return _followed(self.store, self.series, tuple(days), within, made_of)

    async def rows_of(self, tickers: Collection[str], days: Sequence[TradingDay]) -> pl.DataFrame:
        """session, ticker of a few tickers, under the names they were published with."""
        read, columns = self.store.read, ["session", "ticker"]
        return await asyncio.to_thread(read, self.series, days, columns, tickers)

    async def history(
        self, ticker: str, days: Sequence[TradingDay], renames: Sequence[Rename] = ()
    ) -> pl.DataFrame:
        """The rows of what is called so on the last of the sessions, as published, in context."""
        names = known_as(ticker, renames)
        rows = await asyncio.to_thread(self._bars, days, tuple(BARS), names)
        return follow(rows, renames, days[-1].date).filter(ticker=ticker)

    async def closes(self, days: Sequence[TradingDay]) -> pl.DataFrame:
        """session, ticker, close of all venues, on the share basis and under the tickers of the
        last day; in any order."""
        first, last = days[0].date, days[-1].date
        splits, renames = await self.splits(first, last), await self.renames(first, last)
        return await asyncio.to_thread(self._closes, days, splits, renames)

    @property
    def _all_venues(self) -> Series:
        """Off exchange a name may be missing that traded elsewhere, and few prices are set."""
        off = self.series.scope is Scope.OFF_EXCHANGE
        return self.other if off and self.other else self.series

    def _closes(
        self,
        days: Sequence[TradingDay],
        splits: Sequence[Split],
        renames: Sequence[Rename],
    ) -> pl.DataFrame:
        last = days[-1].date
        closes = self.store.read(self._all_venues, days, ["session", "ticker", "close"])
        known = follow_splits(splits, renames, last)
        names = {s.ticker for s in known} | {t for r in renames for t in (r.old, r.new)}
        # A year of a market: restating all of it took 170 MB for the few names that had a split.
        affected = closes["ticker"].is_in(pl.Series(sorted(names), dtype=pl.String).implode())
        followed = follow(closes.filter(affected), renames, last).with_columns(volume=0.0)
        return pl.concat([closes.filter(~affected), restate(followed, known, last).drop("volume")])

    async def renames(self, first: date, last: date) -> list[Rename]:
        """The verified ones from first to last, both included."""
        return await Universe(self.db).renames(first, last)

    async def renames_of(self, tickers: Collection[str], first: date, last: date) -> list[Rename]:
        """Those of them that have to do with these tickers, by whichever of their names."""
        return await Universe(self.db).renames_of(tickers, first, last)

    async def splits(
        self, first: date, last: date, tickers: Collection[str] | None = None
    ) -> list[Split]:
        """Those on record from first to last, both included; of a few tickers, if any are given."""
        every = tickers is None
        rows = await self.db.rows(
            "SELECT execution_date, ticker, split_from, split_to FROM splits"
            " WHERE series = ? AND execution_date BETWEEN ? AND ?"
            " AND (? OR ticker IN (SELECT value FROM json_each(?)))"
            " ORDER BY execution_date, ticker, split_from, split_to",
            (self.series.key, str(first), str(last), every, json.dumps(sorted(tickers or ()))),
        )
        return [Split(date.fromisoformat(r[0]), r[1], r[2], r[3]) for r in rows]

    async def scores(self, day: TradingDay, rule: Rule) -> pl.DataFrame:
        """core.detect.score of a stored session."""
        measured, types = await self.measured(day), await Universe(self.db).types()
        return await asyncio.to_thread(score, measured, rule, types)

    async def line(self, day: TradingDay, rule: Rule, ticker: str) -> dict[str, Any] | None:
        """One ticker's row of scores(); None if it did not trade."""
        window, known = await self._known(day)
        # Whether its first four letters trade as well tells what a fifth one means.
        types = await Universe(self.db).types({ticker, ticker[:4]})
        asked = (day, rule, ticker, tuple(sorted(types.items())))

        def line() -> dict[str, Any] | None:
            made_of = self._made_of(window, known)
            try:
                found = _line_of(self.store, self.series, made_of, *asked)
            except LookupError:
                found = _line(self._measured(window, known, made_of), *asked)
            return None if found is None else dict(found)

        return await asyncio.to_thread(line)

    async def listings(self, day: TradingDay) -> pl.DataFrame:
        """core.listings of all venues up to a stored session, verified renames followed."""
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        renames = await self.renames(window[0].date, day.date)
        return await asyncio.to_thread(self._listings, tuple(window), tuple(renames))

    def _listings(
        self, window: tuple[TradingDay, ...], renames: tuple[Rename, ...]
    ) -> pl.DataFrame:
        made_of = self.store.state([self._all_venues], window)
        return _listings(self.store, self._all_venues, window, renames, made_of)

    async def new(self, day: TradingDay, scores: pl.DataFrame) -> tuple[Listing, ...]:
        """Tickers in their first session that a digest may name, most traded first."""
        first = (await self.listings(day)).filter(first=day.date).select("ticker")
        # The dollars of this series, which off exchange are not those of all venues.
        named = scores.filter("pass_kind", "pass_dollars").join(first, on="ticker", how="semi")
        found = named.sort("dollar_volume", "ticker", descending=[True, False])
        return tuple(Listing(*row) for row in found.select("ticker", "dollar_volume").iter_rows())

    async def measured(self, day: TradingDay) -> pl.DataFrame:
        """core.measure.measure of a session: read if it was measured from the same before."""
        window, known = await self._known(day)
        return await asyncio.to_thread(
            lambda: self._measured(window, known, self._made_of(window, known))
        )

    async def is_measured(self, day: TradingDay) -> bool:
        """Would measured() only have to read?"""
        window, known = await self._known(day)
        return await asyncio.to_thread(
            lambda: self.store.has_measured(self.series, day, self._made_of(window, known))
        )

    async def _known(self, day: TradingDay) -> tuple[Sequence[TradingDay], Known]:
        window = sessions_ending(day, LOOKBACK_SESSIONS)
        splits = await self.splits(window[0].date, day.date)
        renames = await self.renames(window[0].date, day.date)
        return window, Known(tuple(sorted(splits)), tuple(renames))

    def _made_of(self, window: Sequence[TradingDay], known: Known) -> str:
        both = [self.series, *([self.other] if self.other else [])]
        return self.store.state(both, window, f"{VERSION} {known!r}")

    def _measured(self, window: Sequence[TradingDay], known: Known, made_of: str) -> pl.DataFrame:
        kept = self.store.measured(self.series, window[-1], made_of)
        if kept is not None:
            return kept
        with _ONE_AT_A_TIME:
            # Another may have measured it while this one waited.
            kept = self.store.measured(self.series, window[-1], made_of)
            return self._measured_anew(window, known, made_of) if kept is None else kept

    def _measured_anew(
        self, window: Sequence[TradingDay], known: Known, made_of: str
    ) -> pl.DataFrame:
        newest, scope = window[-RECENT_SESSIONS:], self.series.scope
        found = measure(
            Window(self._bars(window, HISTORY), self._bars(newest, [*BARS]), scope), window, known
        )
        self.store.keep_measured(self.series, window[-1], made_of, found)
        return found


@lru_cache(maxsize=_LINES_KEPT)
def _line_of(
    store: Store,
    series: Series,
    made_of: str,
    day: TradingDay,
    rule: Rule,
    ticker: str,
    types: tuple[tuple[str, str], ...],
) -> dict[str, Any] | None:
    """Raises LookupError, which is not kept, while the session is not measured."""
    rows = store.measured(series, day, made_of)
    if rows is None:
        raise LookupError
    return _line(rows, day, rule, ticker, types)


def _line(
    measured: pl.DataFrame,
    day: TradingDay,
    rule: Rule,
    ticker: str,
    types: tuple[tuple[str, str], ...],
) -> dict[str, Any] | None:
    rows = measured.filter(pl.col("ticker").is_in([ticker, ticker[:4]]))
    if rows.filter(ticker=ticker, session=day.date).is_empty():
        return None
    return next(score(rows, rule, dict(types)).filter(ticker=ticker).iter_rows(named=True))


@lru_cache(maxsize=4)
def _followed(
    store: Store,
    series: Series,
    days: tuple[TradingDay, ...],
    renames: tuple[Rename, ...],
    _state: str,
) -> frozenset[str]:
    stored = store.tickers(series, days)
    moved = stored & {ticker for r in renames for ticker in (r.old, r.new)}
    if not moved:
        return stored
    rows = store.read(series, days, ["session", "ticker"], moved)
    return (stored - moved) | set(follow(rows, renames, days[-1].date)["ticker"])


@lru_cache(maxsize=4)
def _listings(
    store: Store,
    series: Series,
    window: tuple[TradingDay, ...],
    renames: tuple[Rename, ...],
    _state: str,
) -> pl.DataFrame:
    bars = store.read(series, window, ["session", "ticker", "close", "volume"])
    return listings(follow(bars, renames, window[-1].date), window)
