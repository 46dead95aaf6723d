"""The vendor's REST API: grouped daily bars and splits over HTTP (market data vendor: Massive).

Unadjusted on purpose: adjusted rows are re-based after every later split, so stored ones go stale.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

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
from core.sources.control import control_day, still_open
from core.sources.grouped import check_served, parse
from core.sources.pace import Pace
from core.splits import Split

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks/{day}"
MAX_ANSWER_BYTES = 64 * 2**20
"""A real grouped answer is about 1.3 MB."""

_ANSWER_S = 45.0
_SHORT_WAIT_S = 5.0
_SAID_CHARS = 200
_MAX_PAGES = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded answer: `said` is the vendor's own text, a hint and never the verdict."""

    status: int
    body: dict[str, Any]
    said: str

    @property
    def refused(self) -> bool:
        """Not entitled; it has been seen inside a 200 as well."""
        return self.status == 403 or self.body.get("status") == "NOT_AUTHORIZED"


@asynccontextmanager
async def connected(
    base_url: str, api_key: str, calls_per_minute: int
) -> AsyncIterator["RestClient"]:
    """A client for one key, its connections closed when the block ends."""
    # No redirects: the key goes to the address in the settings and nowhere else.
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(20, connect=5), follow_redirects=False
    ) as http:
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
        answer_s: float = _ANSWER_S,
    ) -> None:
        self._http, self._base, self._pace = http, base_url.rstrip("/"), pace
        self._api_key, self._attempts, self._answer_s = api_key, attempts, answer_s

    async def get(self, path: str, params: dict[str, str]) -> Answer:
        """A 200, 401, 403 or 404 answer; SourceUnavailable or BadBars for all else.

        Network faults and 5xx are tried again a little later; so is a 429 that asks for a short
        wait. A longer one is the caller's to plan.
        """
        if not (self._api_key.isascii() and self._api_key.isprintable()):
            # It fits in no header, and the library's error would quote it.
            odd = "the API key holds characters that no key has"
            raise SourceRefused(odd, Verdict.WRONG_ACCESS_KEY)
        async for attempt in stamina.retry_context(
            on=_worth_another, attempts=self._attempts, timeout=self._answer_s, wait_initial=0.5
        ):
            with attempt:
                await self._pace.wait()
                return await self._once(path, params)
        raise AssertionError("stamina ends with a value or an error")

    async def _once(self, path: str, params: dict[str, str]) -> Answer:
        # A header, not ?apiKey=: addresses end up in logs.
        headers = {"Authorization": f"Bearer {self._api_key}"}
        try:
            async with (
                asyncio.timeout(self._answer_s),
                self._http.stream(
                    "GET", self._base + path, params=params, headers=headers
                ) as response,
            ):
                body = await _read(response)
        except TimeoutError as error:
            raise SourceUnavailable(f"no whole answer within {self._answer_s:.0f} s") from error
        except FOREIGN as error:
            raise translate(error) from error
        if response.status_code == 429:
            raise SourceUnavailable(
                "429: too many calls", Verdict.RATE_LIMITED, retry_after_s=_retry_after_s(response)
            )
        if response.status_code not in (200, 401, 403, 404):
            raise SourceUnavailable(f"HTTP {response.status_code}", Verdict.VENDOR_FAULT)
        decoded = await _decode(response, body)
        return Answer(response.status_code, decoded, self._said(decoded))

    def _said(self, body: dict[str, Any]) -> str:
        """`error` on 401 and 429, `message` on 403 and 404; without the key, should it be quoted"""
        said = str(body.get("message") or body.get("error") or "no reason given")
        return said.replace(self._api_key, "YOUR_API_KEY")[:_SAID_CHARS]


FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)
"""The roots of all that httpx raises."""


def translate(error: Exception) -> SourceError:
    """Our error for any of httpx's; a test holds this against the library's whole list."""
    kind = type(error).__name__
    if isinstance(error, httpx.DecodingError | httpx.TooManyRedirects | httpx.StreamError):
        return SourceUnavailable(f"an unreadable answer ({kind})", Verdict.VENDOR_FAULT)
    return SourceUnavailable(f"no connection ({kind})", Verdict.UNREACHABLE)


def _worth_another(error: Exception) -> bool | float:
    if not isinstance(error, SourceUnavailable):
        return False
    if error.verdict is not Verdict.RATE_LIMITED:
        return True
    asked = error.retry_after_s
    return asked if asked is not None and asked <= _SHORT_WAIT_S else False


def _retry_after_s(response: httpx.Response) -> float | None:
    """None as well for a date, which the vendor has not been seen to send."""
    try:
        asked = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return asked if math.isfinite(asked) and asked >= 0 else None


async def _read(response: httpx.Response) -> bytes:
    """The body, at most MAX_ANSWER_BYTES of it, unpacked."""
    claimed = response.headers.get("Content-Length", "0")
    if claimed.isdigit() and int(claimed) > MAX_ANSWER_BYTES:
        raise BadBars(f"an answer of {int(claimed) / 1e9:.1f} GB; a day has about 1 MB")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise BadBars(f"an answer over {MAX_ANSWER_BYTES / 2**20:.0f} MB; a day has about 1 MB")
    return bytes(body)


async def _decode(response: httpx.Response, body: bytes) -> dict[str, Any]:
    try:
        decoded = await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError) as error:
        if response.status_code != 200:
            return {}
        kind = response.headers.get("Content-Type", "no content type")[:60]
        raise SourceUnavailable(
            f"200, but the answer is no JSON ({kind}, {len(body):,} bytes)", Verdict.VENDOR_FAULT
        ) from error
    if not isinstance(decoded, dict):
        if response.status_code != 200:
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
        if still_open(day, self._now()):
            raise NotPublished(f"extended hours of {day} go on until {day.tape_end:%H:%M} New York")
        answer = await self._grouped(day)
        await self._raise_if_refused(answer, day)
        return Served(await asyncio.to_thread(parse, answer.body, day), self.name)

    async def version(self, day: TradingDay) -> str | None:
        """REST answers carry no name of their copy."""
        return None

    async def splits(self, first: date, last: date) -> list[Split]:
        """Every split executed from first to last, both included."""
        params = {"execution_date.gte": f"{first}", "execution_date.lte": f"{last}"}
        params |= {"limit": "1000"}
        answer = await self._client.get("/stocks/v1/splits", params)
        if answer.status == 404:
            answer = await self._client.get("/v3/reference/splits", params)
        found = _splits(answer)
        for _ in range(_MAX_PAGES):
            path, params = _next(answer.body)
            if not path:
                return found
            answer = await self._client.get(path, params)
            found += _splits(answer)
        raise BadBars(f"splits: more than {_MAX_PAGES} pages for {first} to {last}")

    async def _grouped(self, day: TradingDay) -> Answer:
        return await self._client.get(
            GROUPED.format(day=day), {"adjusted": "false", "include_otc": "false"}
        )

    async def _raise_if_refused(self, answer: Answer, day: TradingDay) -> None:
        if answer.status == 401:
            raise SourceRefused(f"401: {answer.said}", Verdict.WRONG_ACCESS_KEY)
        if answer.refused:
            raise await self._why_refused(answer, day)
        if answer.status == 404:
            seen = f"404 for {GROUPED.format(day=day)}: is this the vendor's address?"
            raise SourceUnavailable(seen, Verdict.VENDOR_FAULT)

    async def _why_refused(self, answer: Answer, day: TradingDay) -> SourceError:
        """One status, three causes: ask for a day the plan should have before believing a text."""
        seen = f"403 for {day}: {answer.said}"
        control = control_day(day, self._now())
        if control < day and "before end of day" in answer.said:
            return NotPublished(seen)
        try:
            other = await self._grouped(control)
        except SourceError:
            outside = "timeframe" in answer.said
            return SourceRefused(
                seen, Verdict.DATE_OUTSIDE_PLAN if outside else Verdict.PLAN_LACKS_DATA_SET
            )
        if other.status == 200 and not other.refused:
            seen = f"{seen}; {control} is served"
            if control < day:
                return NotPublished(seen)
            return SourceRefused(seen, Verdict.DATE_OUTSIDE_PLAN)
        return SourceRefused(f"{seen}; {control} is refused as well", Verdict.PLAN_LACKS_DATA_SET)


def _splits(answer: Answer) -> list[Split]:
    if answer.status != 200 or answer.refused:
        wrong_key = Verdict.WRONG_ACCESS_KEY if answer.status == 401 else None
        raise SourceRefused(f"splits: HTTP {answer.status}: {answer.said}", wrong_key)
    check_served(answer.body)
    try:
        return [
            Split(
                date.fromisoformat(r["execution_date"]),
                str(r["ticker"]),
                float(r["split_from"]),
                float(r["split_to"]),
            )
            for r in answer.body.get("results") or []
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
