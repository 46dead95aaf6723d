"""The vendor's flat files on S3: every trade of a session, counted into bars of both scopes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.conditions import Rules
from core.errors import BadBars, NotPublished, SourceUnavailable, Verdict
from core.progress import Reading, Told
from core.sources import Served
from core.sources.control import raise_if_open
from core.sources.day_aggs import key
from core.sources.errand import run
from core.sources.flatfiles import TRADES, look, versions, why_forbidden
from core.sources.s3_names import Forbidden, Gone, Listed, Republished, S3Access
from core.sources.s3_stream import PATIENCE, Patience

if TYPE_CHECKING:
    from core.sources.s3 import S3Reader
    from core.sources.tape_job import TapeJob

_COPIES = 3
_KEPT = 4
_Copy = tuple[str, str]
"""Key and ETag."""


class TradesSource:
    """Trades: up to 4 GB a session, streamed and counted in a process of its own."""

    name = "flat files (trades)"

    def __init__(
        self,
        reader: "S3Reader",
        access: S3Access,
        now: Callable[[], datetime],
        rules: Rules,
        scope: Scope,
        cache: Path,
        told: Told,
        patience: Patience = PATIENCE,
    ) -> None:
        self._reader, self._access, self._now = reader, access, now
        self._rules, self._scope, self._cache = rules, scope, cache
        self._told, self._patience = told, patience
        self._bad = dict[_Copy, BadBars]()
        self._good = dict[_Copy, Served]()
        self.progress: Reading | None = None
        """The file that is being read, if one is."""

    @property
    def series(self) -> Series:
        """Bars counted by other rules are not comparable."""
        return Series(self._scope, Family.TRADES, rules=self._rules.version)

    async def bars(self, day: TradingDay) -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars.

        The bars of the other scope come along in `also`.
        """
        raise_if_open(day, self._now())
        for _ in range(_COPIES):
            listed = await self._find(day)
            if listed is None:
                raise NotPublished(f"{key(TRADES, day.date)} is not listed")
            try:
                return await self._read(listed, day)
            except Republished:
                continue
            except Gone as error:
                seen = f"{listed.key} was listed and is gone: being replaced"
                raise NotPublished(seen) from error
            except Forbidden as error:
                raise await asyncio.to_thread(
                    why_forbidden, self._reader, TRADES, day, self._now()
                ) from error
        seen = f"{key(TRADES, day.date)} was replaced {_COPIES} times while it was read"
        raise SourceUnavailable(seen, Verdict.VENDOR_FAULT)

    async def version(self, day: TradingDay) -> str | None:
        """The ETag now listed."""
        listed = await self._find(day)
        return listed.etag or None if listed else None

    async def look(self, day: TradingDay) -> int:
        """How large the session's file is, in bytes, if it may be read; raises what bars() does."""
        return await asyncio.to_thread(look, self._reader, TRADES, day, self._now())

    async def versions(self, days: Sequence[TradingDay]) -> Mapping[TradingDay, str]:
        """The ETags now listed of sessions of one month, in one call."""
        return await asyncio.to_thread(versions, self._reader, TRADES, days)

    async def _find(self, day: TradingDay) -> Listed | None:
        return await asyncio.to_thread(self._reader.find, key(TRADES, day.date))

    async def _read(self, listed: Listed, day: TradingDay) -> Served:
        """What a copy comes to. A held day is asked for at every bell, but not its gigabytes."""
        copy = (listed.key, listed.etag)
        if copy in self._good:
            return self._good[copy]
        if copy in self._bad:
            raise self._bad[copy].with_traceback(None)
        try:
            packed = await self._counted(listed, day)
            found = await asyncio.to_thread(self._served, packed, day, listed.etag or None)
        except BadBars as error:
            self._bad |= {copy: error} if listed.etag else {}
            raise
        self._good |= {copy: found} if listed.etag else {}
        while len(self._good) > _KEPT:
            del self._good[min(self._good)]  # of the oldest session: the newest is asked for again
        return found

    def _served(self, packed: bytes, day: TradingDay, version: str | None) -> Served:
        # numpy takes 15 MB and 0.1 s: for who reads trades, not for every command.
        from core.sources.tape_served import served

        own = self.series
        return served(packed, day, own, own.other_scope, self.name, version)

    def _job(self, listed: Listed, day: TradingDay) -> "TapeJob":
        from core.sources.tape_job import TapeJob
        from core.tape import session_of

        return TapeJob(self._access, listed, session_of(day), self._rules, self._patience)

    async def _counted(self, listed: Listed, day: TradingDay) -> bytes:
        started_at = self._now()

        def told(done_bytes: int, rows: int) -> None:
            at, total = self._now(), listed.size_bytes
            self.progress = Reading(day, self.name, done_bytes, total, rows, started_at, at)
            self._told(self.progress)

        told(0, 0)
        try:
            job = await asyncio.to_thread(self._job, listed, day)
            packed = await run(job, self._cache, told)
            told(listed.size_bytes, self.progress.rows if self.progress else 0)
            return packed
        finally:
            self.progress = None
