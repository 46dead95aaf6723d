"""The vendor's REST API: grouped daily bars and splits over HTTP (market data vendor: Massive).

Unadjusted on purpose: adjusted rows are re-based after every later split, so stored ones go stale.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from core.bars import Family, Scope, Series
from core.calendar import TradingDay
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.sources import Served
from core.sources.bounds import ANSWER, TABLE, Bounds, Tally
from core.sources.control import control_day, raise_if_open, unclear
from core.sources.fetch import ANSWER_S, Reply, client, fetch, retried
from core.sources.grouped import parse, results_of
from core.sources.pace import Pace
from core.splits import Split

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks/{day}"
SPLITS, OLD_SPLITS = "/stocks/v1/splits", "/v3/reference/splits"

SPLITS_A_PAGE = 1000
_SAID_CHARS = 200
_MAX_PAGES = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded answer: `said` is the vendor's own text, a hint and never the verdict."""

    status: int
    body: dict[str, Any]
    said: str
    travelled: int = 0
    """Bytes on the wire."""

    @property
    def refused(self) -> bool:
        """Not entitled; it has been seen inside a 200 as well."""
        return self.status == 403 or self.body.get("status") == "NOT_AUTHORIZED"


@asynccontextmanager
async def connected(
    base_url: str, api_key: str, calls_per_minute: int
) -> AsyncIterator["RestClient"]:
    """A client for one key, its connections closed when the block ends."""
    async with client() as http:
        yield RestClient(http, base_url, api_key, Pace(calls_per_minute))


class RestClient:
    """One key's paced, bounded access. Every failure leaves it as a SourceError."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        api_key: str,
        pace: Pace,
        *,
        attempts: int = 3,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._http, self._base, self._pace = http, base_url.rstrip("/"), pace
        self._api_key, self._attempts, self._answer_s = api_key, attempts, answer_s

    @property
    def pace(self) -> Pace:
        """What its calls wait for."""
        return self._pace

    def by(self, pace: Pace, *, attempts: int = 1) -> "RestClient":
        """The same connections and key, and calls that wait for something else."""
        told = (self._http, self._base, self._api_key, pace)
        return RestClient(*told, attempts=attempts, answer_s=self._answer_s)

    async def get(self, path: str, params: dict[str, str]) -> Answer:
        """A 200, 401, 403 or 404 answer; SourceUnavailable or BadBars for all else."""
        return await self._asked(path, params, Tally(ANSWER, "the answer"))

    async def _asked(self, path: str, params: dict[str, str], tally: Tally) -> Answer:
        if not (self._api_key.isascii() and self._api_key.isprintable()):
            # It fits in no header, and the library's error would quote it.
            odd = "the API key holds characters that no key has"
            raise SourceRefused(odd, Verdict.WRONG_ACCESS_KEY)
        return await retried(
            lambda: self._once(path, params, tally), self._attempts, self._answer_s
        )

    async def pages(
        self, path: str, params: dict[str, str], most: Bounds = TABLE
    ) -> AsyncGenerator[Answer, None]:
        """Every page of a table, each as get() gives it; BadBars if they are more than `most`."""
        at, asked, tally = path, params, Tally(most, f"all of {path}")
        for _ in range(_MAX_PAGES):
            answer = await self._asked(at, asked, tally)
            yield answer
            at, asked = _next(answer.body)
            if not at:
                return
        raise BadBars(f"more than {_MAX_PAGES} pages of {path}")

    async def _once(self, path: str, params: dict[str, str], tally: Tally) -> Answer:
        await self._pace.wait()
        # A header, not ?apiKey=: addresses end up in logs.
        headers = {"Authorization": f"Bearer {self._api_key}"}
        reply = await fetch(
            self._http, "GET", self._base + path, headers, params=params, answer_s=self._answer_s
        )
        if reply.status not in (200, 401, 403, 404):
            raise SourceUnavailable(f"HTTP {reply.status}", Verdict.VENDOR_FAULT)
        decoded = await asyncio.to_thread(_decode, reply, tally)
        return Answer(reply.status, decoded, self._said(decoded), reply.travelled)

    def _said(self, body: dict[str, Any]) -> str:
        """`error` on 401 and 429, `message` on 403 and 404; without the key, should it be quoted"""
        said = str(body.get("message") or body.get("error") or "no reason given")
        return said.replace(self._api_key, "YOUR_API_KEY")[:_SAID_CHARS]


def _decode(reply: Reply, tally: Tally) -> dict[str, Any]:
    try:
        tally.add(reply.body)
        decoded = json.loads(reply.body)
    except BadBars:
        if reply.status != 200:
            return {}
        raise
    except (ValueError, RecursionError) as error:
        if reply.status != 200:
            return {}
        kind = reply.headers.get("Content-Type", "no content type")[:60]
        raise SourceUnavailable(
            f"200, but the answer is no JSON ({kind}, {len(reply.body):,} bytes)",
            Verdict.VENDOR_FAULT,
        ) from error
    if not isinstance(decoded, dict):
        if reply.status != 200:
            return {}
        kind = type(decoded).__name__
        raise SourceUnavailable(f"200, but the JSON is a {kind}", Verdict.VENDOR_FAULT)
    return decoded


class RestSource:
    """Grouped daily bars of the whole market, one call a session."""

    name = "REST grouped daily"
    series = Series(Scope.ALL, Family.DAILY)

    def __init__(self, client: RestClient, now: Callable[[], datetime]) -> None:
        self._client, self._now = client, now

    async def bars(self, day: TradingDay) -> Served:
        """Raises only NotPublished, SourceUnavailable, SourceRefused or BadBars."""
        raise_if_open(day, self._now())
        answer = await self._grouped(day)
        await raise_if_refused(answer, GROUPED.format(day=day), day, self._now(), self._grouped)
        bars = await asyncio.to_thread(parse, answer.body, day)
        return Served(bars, self.name, travelled=answer.travelled)

    async def version(self, day: TradingDay) -> str | None:
        """REST answers carry no name of their copy."""
        return None

    async def splits(self, first: date, last: date) -> list[Split]:
        """Every split executed from first to last, both included."""
        params = {"execution_date.gte": f"{first}", "execution_date.lte": f"{last}"}
        params |= {"limit": str(SPLITS_A_PAGE)}
        answers = [answer async for answer in self._client.pages(SPLITS, params)]
        if answers[0].status == 404:
            answers = [answer async for answer in self._client.pages(OLD_SPLITS, params)]
        return [split for answer in answers for split in _splits(answer)]

    async def _grouped(self, day: TradingDay) -> Answer:
        return await self._client.get(
            GROUPED.format(day=day), {"adjusted": "false", "include_otc": "false"}
        )


async def raise_if_refused(
    answer: Answer,
    path: str,
    day: TradingDay,
    now: datetime,
    ask: Callable[[TradingDay], Awaitable[Answer]],
) -> None:
    """Our error for an answer about one session that is none; `ask` asks for another session."""
    if answer.status == 401:
        raise SourceRefused(f"401: {answer.said}", Verdict.WRONG_ACCESS_KEY)
    if answer.refused:
        raise await _why_refused(answer, day, now, ask)
    if answer.status == 404:
        seen = f"404 for {path}: is this the vendor's address?"
        raise SourceUnavailable(seen, Verdict.VENDOR_FAULT)


async def _why_refused(
    answer: Answer, day: TradingDay, now: datetime, ask: Callable[[TradingDay], Awaitable[Answer]]
) -> SourceError:
    """One status, three causes: ask for a day the plan should have before believing a text."""
    seen = f"403 for {day}: {answer.said}"
    control = control_day(day, now)
    if control < day and "before end of day" in answer.said:
        return NotPublished(seen)
    try:
        other = await ask(control)
    except SourceError as error:
        return unclear(seen, control, error)
    if other.status == 200 and not other.refused:
        seen = f"{seen}; {control} is served"
        if control < day:
            return NotPublished(seen)
        return SourceRefused(seen, Verdict.DATE_OUTSIDE_PLAN)
    return SourceRefused(f"{seen}; {control} is refused as well", Verdict.PLAN_LACKS_DATA_SET)


def table_rows(answer: Answer, what: str) -> list[Any]:
    """The rows of a page of a table that has no date; SourceRefused for any answer but a 200."""
    if answer.status != 200 or answer.refused:
        wrong_key = Verdict.WRONG_ACCESS_KEY if answer.status == 401 else None
        raise SourceRefused(f"{what}: HTTP {answer.status}: {answer.said}", wrong_key)
    return results_of(answer.body)


def _splits(answer: Answer) -> list[Split]:
    rows = table_rows(answer, "splits")
    try:
        return [
            Split(
                date.fromisoformat(r["execution_date"]),
                str(r["ticker"]),
                float(r["split_from"]),
                float(r["split_to"]),
            )
            for r in rows
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadBars(f"a split cannot be read: {error!r}"[:_SAID_CHARS]) from error


def _next(body: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Path and query of the next page, empty if there is none.

    Its host is ignored, so the key never goes elsewhere; nor does it when the path, which is put
    behind our host, begins with `.` or `@`.
    """
    try:
        url = urlsplit(str(body.get("next_url") or ""))
    except ValueError as error:
        raise BadBars("the next page has no address") from error
    if url.path and not url.path.startswith("/"):
        raise BadBars("the next page has no address")
    return url.path, dict(httpx.QueryParams(url.query))
