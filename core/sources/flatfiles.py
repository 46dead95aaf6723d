"""The vendor's flat files on S3: a session's day aggregates as published, unadjusted."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.errors import NotPublished, SourceError, SourceRefused, Verdict
from core.sources import Served
from core.sources.bounds import DAY_FILE_PACKED_BYTES
from core.sources.control import control_day, raise_if_open, unclear
from core.sources.day_aggs import key, parse
from core.sources.s3_names import Forbidden, Gone

if TYPE_CHECKING:
    from core.sources.s3 import S3Reader

DAY_AGGS, TRADES = "day_aggs_v1", "trades_v1"


class DayAggsSource:
    """Day aggregates: 0.3 MB a session, the whole market."""

    name = "flat files (day aggregates)"
    series = Series(Scope.ALL, Family.DAILY)

    def __init__(self, reader: "S3Reader", now: Callable[[], datetime]) -> None:
        self._reader, self._now = reader, now

    async def bars(self, day: TradingDay) -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars."""
        raise_if_open(day, self._now())
        return await asyncio.to_thread(self._bars, day)

    async def version(self, day: TradingDay) -> str | None:
        """The ETag now listed."""
        listed = await asyncio.to_thread(self._reader.find, key(DAY_AGGS, day.date))
        return listed.etag or None if listed else None

    async def look(self, day: TradingDay) -> int:
        """How large the session's file is, in bytes, if it may be read; raises what bars() does."""
        return await asyncio.to_thread(look, self._reader, DAY_AGGS, day, self._now())

    async def versions(self, days: Sequence[TradingDay]) -> Mapping[TradingDay, str]:
        """The ETags now listed of sessions of one month, in one call."""
        return await asyncio.to_thread(versions, self._reader, DAY_AGGS, days)

    def _bars(self, day: TradingDay) -> Served:
        name = key(DAY_AGGS, day.date)
        if self._reader.find(name) is None:
            raise NotPublished(f"{name} is not listed")
        try:
            payload, etag = self._reader.get(name, DAY_FILE_PACKED_BYTES)
        except Gone as error:
            raise NotPublished(f"{name} was listed and is gone: being replaced") from error
        except Forbidden as error:
            raise why_forbidden(self._reader, DAY_AGGS, day, self._now()) from error
        return Served(parse(payload, day), self.name, etag or None)


def look(reader: "S3Reader", data_set: str, day: TradingDay, now: datetime) -> int:
    """The size of a session's file, of which the first byte is read to see whether it may be.

    Raises NotPublished, SourceRefused, SourceUnavailable.
    """
    name = key(data_set, day.date)
    listed = reader.find(name)
    if listed is None:
        raise NotPublished(f"{name} is not listed")
    try:
        reader.touch(name)
    except Gone as error:
        raise NotPublished(f"{name} was listed and is gone: being replaced") from error
    except Forbidden as error:
        raise why_forbidden(reader, data_set, day, now) from error
    return listed.size_bytes


def versions(
    reader: "S3Reader", data_set: str, days: Sequence[TradingDay]
) -> Mapping[TradingDay, str]:
    """The ETags of the sessions' files, by one listing of their month's folder."""
    keys = {key(data_set, day.date): day for day in days}
    folder = next(iter(keys)).rpartition("/")[0]
    listed = reader.listed(f"{folder}/")
    return {keys[found.key]: found.etag for found in listed if found.key in keys and found.etag}


def why_forbidden(reader: "S3Reader", data_set: str, day: TradingDay, now: datetime) -> SourceError:
    """A listed file that may not be read: is it the plan, or the date? Another date tells."""
    control = control_day(day, now)
    name, other = key(data_set, day.date), key(data_set, control.date)
    seen = f"{name} is listed, but reading it is refused (403)"
    try:
        if reader.find(other) is None:
            return SourceRefused(f"{seen}; {control} is not listed", Verdict.PLAN_LACKS_DATA_SET)
        reader.touch(other)
    except Forbidden:
        return SourceRefused(f"{seen}; so is {control}", Verdict.PLAN_LACKS_DATA_SET)
    except SourceError as error:
        return unclear(seen, control, error)
    return SourceRefused(f"{seen}; {control} can be read", Verdict.DATE_OUTSIDE_PLAN)
