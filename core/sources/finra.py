"""FINRA's daily files over HTTP: off-exchange volume for whoever has no trades files. No key."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import httpx

from core.calendar import TradingDay
from core.errors import NotPublished, SourceError, SourceRefused, SourceUnavailable, Verdict
from core.sources import Served
from core.sources.bounds import FINRA_FILE
from core.sources.control import control_day, raise_if_open
from core.sources.fetch import ANSWER_S, Reply, client, fetch, retried
from core.sources.finra_file import OFF_EXCHANGE, name_of, parse

# FINRA's site refuses the names that programs go by; nothing else is sent, least of all a key.
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; Tapewatch)"}


@asynccontextmanager
async def connected(url: str, now: Callable[[], datetime]) -> AsyncIterator["FinraSource"]:
    """The source, with a client of its own that is closed when the block ends."""
    async with client() as http:
        yield FinraSource(http, url, now)


class FinraSource:
    """Shares reported to FINRA's facilities in regular hours: 0.5 MB a session, all tickers."""

    name = "FINRA daily file"
    series = OFF_EXCHANGE

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        now: Callable[[], datetime],
        *,
        attempts: int = 3,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._http, self._url, self._now = http, url.rstrip("/"), now
        self._attempts, self._answer_s = attempts, answer_s

    async def bars(self, day: TradingDay) -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars."""
        raise_if_open(day, self._now())
        reply = await self._ask("GET", day)
        bars = await asyncio.to_thread(parse, reply.body, day)
        return Served(bars, self.name, _copy(reply.headers), travelled=reply.travelled)

    async def version(self, day: TradingDay) -> str | None:
        """The ETag, or else the date of change, of the file that is there now."""
        return _copy((await self._ask("HEAD", day)).headers)

    async def _ask(self, method: str, day: TradingDay) -> Reply:
        reply = await self._reply(method, day)
        if reply.status != 200:
            raise await self._missing(reply.status, day)
        return reply

    async def _missing(self, status: int, day: TradingDay) -> SourceError:
        """Is it this file that is not there, or every one? A session published for sure tells."""
        name, control = name_of(day.date), control_day(day, self._now())
        if (await self._reply("HEAD", control)).status == 200:
            seen = f"{status} for {name}: FINRA answers 403 for a file that it does not have"
            return NotPublished(f"{seen}; that of {control} is there")
        seen = f"{status} for {name} and for the control file, {name_of(control.date)}"
        # What fits every session: a wrong address stays wrong, a blocked one blocked.
        return SourceRefused(
            f"{seen}: is FINRA_URL right, or is this address blocked?", Verdict.NOT_CONFIGURED
        )

    async def _reply(self, method: str, day: TradingDay) -> Reply:
        """200, 403 or 404; anything else is raised."""
        return await retried(lambda: self._once(method, day), self._attempts, self._answer_s)

    async def _once(self, method: str, day: TradingDay) -> Reply:
        name = name_of(day.date)
        reply = await fetch(
            *(self._http, method, f"{self._url}/{name}", _HEADERS),
            answer_s=self._answer_s,
            most=FINRA_FILE,
        )
        if reply.status not in (200, 403, 404):
            raise SourceUnavailable(f"HTTP {reply.status} for {name}", Verdict.VENDOR_FAULT)
        return reply


def _copy(headers: Mapping[str, str]) -> str | None:
    """The name of a copy; the same one whether or not it was packed for the way."""
    return headers.get("ETag", "").removeprefix("W/") or headers.get("Last-Modified") or None
