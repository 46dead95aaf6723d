"""One HTTP request, bounded in time and size: all that fails leaves it as a SourceError."""

import asyncio
import math
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import httpx
import stamina

from core.errors import SourceError, SourceUnavailable, Verdict
from core.sources.bounds import ANSWER, Bounds, Gzipped, Plain, refuse_over
from core.sources.certificate import not_accepted

ANSWER_S = 45.0
"""A whole answer takes no longer, tries included."""

_SHORT_WAIT_S = 5.0
_FIRST_WAIT_S = 0.5
_PACKED = {"Accept-Encoding": "gzip"}
"""What can be unpacked within bounds, and nothing else is taken."""

T = TypeVar("T")

# Its own hooks are found at the first retry, on the loop, by loading what is installed; what is
# tried again is on record here anyway.
stamina.instrumentation.set_on_retry_hooks(())


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that came whole, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    travelled: int
    """Bytes of the body on the wire, packed as they came."""


def client() -> httpx.AsyncClient:
    """A client that goes to the address in the settings and nowhere else: no redirects."""
    timeout = httpx.Timeout(20, connect=5)
    return httpx.AsyncClient(verify=_trusted(), timeout=timeout, follow_redirects=False)


@cache
def _trusted() -> ssl.SSLContext:
    # Reading the authorities takes 50 ms: once a process, not once a client.
    return httpx.create_ssl_context()


async def retried(ask: Callable[[], Awaitable[T]], attempts: int, answer_s: float) -> T:
    """What `ask` gives; after network faults and 5xx it is asked again a little later.

    So it is after a 429 that asks for a short wait: a longer one is the caller's to plan.
    """
    async for attempt in stamina.retry_context(
        on=_worth_another, attempts=attempts, timeout=answer_s, wait_initial=_FIRST_WAIT_S
    ):
        with attempt:
            return await ask()
    raise AssertionError("stamina ends with a value or an error")


async def fetch(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    params: Mapping[str, str] | None = None,
    most: Bounds = ANSWER,
    answer_s: float = ANSWER_S,
) -> Reply:
    """Ask once. Raises SourceUnavailable, also for a 429, or BadBars if more than `most` comes."""
    try:
        async with (
            asyncio.timeout(answer_s),
            http.stream(method, url, params=params, headers={**headers, **_PACKED}) as response,
        ):
            body = await _read(response, most)
    except TimeoutError as error:
        raise SourceUnavailable(f"no whole answer within {answer_s:.0f} s") from error
    except FOREIGN as error:
        raise translate(error) from error
    if response.status_code == 429:
        raise SourceUnavailable(
            "429: too many calls", Verdict.RATE_LIMITED, retry_after_s=_retry_after_s(response)
        )
    return Reply(response.status_code, response.headers, body, response.num_bytes_downloaded)


FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)
"""The roots of all that httpx raises."""


def translate(error: Exception) -> SourceError:
    """Our error for any of httpx's; a test holds this against the library's whole list."""
    kind = type(error).__name__
    if fault := not_accepted(error):
        return fault
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


async def _read(response: httpx.Response, most: Bounds) -> bytes:
    """The body, unpacked here: httpx would make 64 MB of a chunk before anybody could count."""
    what = "the answer"
    claimed = response.headers.get("Content-Length", "0")
    if claimed.isdigit():
        refuse_over(int(claimed), most.unpacked_bytes, "bytes", what)
    body = _reader(response.headers.get("Content-Encoding", ""))(most, what)
    try:
        async for chunk in response.aiter_raw():
            body.add(chunk)
        return body.whole()
    except (zlib.error, EOFError) as error:
        raise httpx.DecodingError(str(error)) from error


def _reader(encoding: str) -> type[Gzipped] | type[Plain]:
    match encoding.strip().lower():
        case "" | "identity":
            return Plain
        case "gzip" | "x-gzip":
            return Gzipped
    seen = f"an unreadable answer, packed as nobody asked for ({encoding[:20]!r})"
    raise SourceUnavailable(seen, Verdict.VENDOR_FAULT)
