"""The doctor: what each part of the vendor's service answers this key, and the next step.

It never quotes the vendor as truth: a listing, one ranged read, and a control read of another date
tell bad keys, the plan, the date and the clock apart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from core.calendar import (
    TradingDay,
    closed_because,
    last_complete,
    sessions_ending,
    trading_day,
)
from core.errors import SourceError, Verdict
from core.sources import Source
from core.sources.control import control_day, still_open
from core.sources.day_aggs import key
from core.sources.flatfiles import DAY_AGGS, TRADES, why_forbidden
from core.sources.next_step import Part, next_step
from core.sources.rest import RestSource
from core.sources.s3_names import Forbidden, S3Access

if TYPE_CHECKING:
    from core.sources.s3 import S3Reader

_LATE_SESSIONS = 5
DATA_SETS = {Part.DAY_AGGS: DAY_AGGS, Part.TRADES: TRADES}


@dataclass(frozen=True, slots=True)
class Probe:
    """The verdict on one part, what was seen, and what to do."""

    part: Part
    verdict: Verdict
    seen: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """Probes the parts; None where no credentials are set."""

    rest: RestSource | None
    rest_url: str
    s3: S3Access | None
    s3_missing: str
    now: Callable[[], datetime]
    free: Mapping[Part, Source] = field(default_factory=dict)
    """Sources of off-exchange volume that need no trades files, where they are used."""
    free_url: str = ""
    bars: Callable[[], Awaitable[Probe | None]] | None = None
    """The storage that bars are put in, if it is not a disk."""

    async def examine(self, day: date) -> list[Probe]:
        """All parts that are used, for one date."""
        if why := closed_because(day):
            asked = (Part.REST, *DATA_SETS, *self.free)
            found = [(part, Verdict.NOT_A_SESSION, f"{day} is {why}") for part in asked]
        else:
            session = trading_day(day)
            found = [
                (Part.REST, *await self._served(self.rest, session)),
                *await asyncio.to_thread(self._files, session),
                *[(p, *await self._served(source, session)) for p, source in self.free.items()],
            ]
        storage = await self.bars() if self.bars else None
        parts = [self._probe(part, verdict, seen, day) for part, verdict, seen in found]
        return [*parts, *([storage] if storage else [])]

    def _probe(self, part: Part, verdict: Verdict, seen: str, day: date) -> Probe:
        endpoint = self.s3.endpoint_url if self.s3 else "https://files.massive.com"
        bucket = self.s3.bucket if self.s3 else "flatfiles"
        place = f"s3://{bucket}/{key(DATA_SETS[part], day)}" if part in DATA_SETS else ""
        urls = dict.fromkeys(DATA_SETS, endpoint) | {Part.FINRA: self.free_url}
        url = urls.get(part, self.rest_url)
        old = day < sessions_ending(last_complete(self.now()), _LATE_SESSIONS)[0].date
        step = next_step(part, verdict, url, place, day, old=old)
        return Probe(part, verdict, seen, step)

    async def _served(self, source: Source | None, day: TradingDay) -> tuple[Verdict, str]:
        if source is None:
            return Verdict.NOT_CONFIGURED, "POLYGON_API_KEY is not set"
        try:
            served = await source.bars(day)
        except SourceError as error:
            return error.verdict, error.seen
        return Verdict.OK, f"{len(served.bars):,} rows for {day}"

    def _files(self, day: TradingDay) -> list[tuple[Part, Verdict, str]]:
        if self.s3 is None:
            return [(part, Verdict.NOT_CONFIGURED, self.s3_missing) for part in DATA_SETS]
        from core.sources.s3 import S3Reader

        reader = S3Reader(self.s3, attempts=1)
        return [(part, *self._file(reader, data_set, day)) for part, data_set in DATA_SETS.items()]

    def _file(self, reader: "S3Reader", data_set: str, day: TradingDay) -> tuple[Verdict, str]:
        name = key(data_set, day.date)
        try:
            listed = reader.find(name)
            if listed is None:
                return self._unlisted(reader, data_set, day)
            reader.touch(name)
        except Forbidden:
            error = why_forbidden(reader, data_set, day, self.now())
            return error.verdict, error.seen
        except SourceError as error:
            return error.verdict, error.seen
        return Verdict.OK, f"{name} is listed ({listed.size_bytes:,} bytes) and can be read"

    def _unlisted(self, reader: "S3Reader", data_set: str, day: TradingDay) -> tuple[Verdict, str]:
        """Not there yet; but would it be readable if it were? An older file tells."""
        seen = f"{key(data_set, day.date)} is not listed"
        if still_open(day, self.now()):
            seen += f", and extended hours go on until {day.tape_end:%H:%M} New York"
        control = control_day(day, self.now())
        other = key(data_set, control.date)
        try:
            if reader.find(other) is None:
                return Verdict.NOT_PUBLISHED_YET, f"{seen}, nor is {control}"
            reader.touch(other)
        except Forbidden:
            lacking = f"{seen}; {control} is listed, but reading it is refused (403)"
            return Verdict.PLAN_LACKS_DATA_SET, lacking
        except SourceError as error:
            return error.verdict, error.seen
        return Verdict.NOT_PUBLISHED_YET, f"{seen}; {control} can be read"
