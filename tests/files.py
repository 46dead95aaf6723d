"""Day files made by hand, invented keys, and local vendors to read them from."""

import csv
import gzip
import io
import ssl
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import httpx

from core.calendar import NEW_YORK, TradingDay
from core.sources.pace import Pace
from core.sources.rest import RestClient, RestSource
from core.sources.s3_names import S3Access
from tests.servers.s3 import S3Server
from tests.servers.vendor import VendorServer

API_KEY = "aP1kEyaP1kEyaP1kEyaP1kEyaP1kEy42"
ACCESS_KEY_ID = "0f1e2d3c-1111-2222-3333-0123456789ab"
SECRET = "s3cr3tS3CR3Ts3cr3tS3CR3Ts3cr3t77"
SECRETS = (API_KEY, ACCESS_KEY_ID, SECRET)

HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
FINRA_HEADER = "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market"

Line = dict[str, str]

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain_http(**settings: Any) -> httpx.AsyncClient:
    """For servers of this machine, which have no TLS: trusts nobody, for it takes 50 ms to read
    whom there is to trust."""
    return httpx.AsyncClient(verify=_NOBODY, **settings)


class Clock:
    """The time of a test, to be moved by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time."""
        return self.now


def line(ticker: str, **values: str) -> Line:
    """One row of a day file, as text; name what should differ."""
    plain = {
        "volume": "1942872",
        "open": "147.09",
        "close": "146",
        "high": "148.5",
        "low": "145.25",
    }
    return {"ticker": ticker, **plain, "transactions": "37404", **values}


def midnight_ns(day: TradingDay) -> int:
    """The `window_start` of real day files."""
    return int(datetime.combine(day.date, time(), NEW_YORK).timestamp()) * 10**9


def text(day: TradingDay, lines: Sequence[Line], header: str = HEADER) -> str:
    """The CSV, in the order of this header; what a row lacks is `x`."""
    stamp = {"window_start": str(midnight_ns(day))}
    rows = (",".join((stamp | row).get(c, "x") for c in header.split(",")) for row in lines)
    return "\n".join((header, *rows, ""))


def packed(day: TradingDay, lines: Sequence[Line], header: str = HEADER) -> bytes:
    """The day file."""
    return gzip.compress(text(day, lines, header).encode(), 1)


def unpacked(payload: bytes) -> list[Line]:
    """The rows of a day file, read by the standard library."""
    return list(csv.DictReader(io.StringIO(gzip.decompress(payload).decode())))


def grouped(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The same rows as REST has them, last one first."""
    return [
        {
            "T": row["ticker"],
            "v": number(row["volume"]),
            **{short: float(row[long]) for short, long in _PRICES},
            "n": int(row["transactions"]),
        }
        for row in reversed(lines)
    ]


def finra(day: TradingDay, lines: Sequence[Line], header: str = FINRA_HEADER) -> bytes:
    """FINRA's file with the volumes of these rows, in its spelling, its order and its line ends."""
    known = {"Date": f"{day.date:%Y%m%d}", "ShortVolume": "1", "Market": "B,Q,N"}
    rows = [
        known | {"Symbol": row["ticker"].replace(".", "/"), "TotalVolume": row["volume"]}
        for row in lines
    ]
    told = ["|".join(row.get(column, "0") for column in header.split("|")) for row in rows]
    return "\r\n".join((header, *told, f"{len(told)}", "")).encode()


def short_volumes(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The same rows as the vendor's short-volume endpoint has them."""
    return [
        {"ticker": row["ticker"], "total_volume": number(row["volume"]), "short_volume": 1}
        for row in reversed(lines)
    ]


def number(text: str) -> int | float:
    """As JSON has it: whole without a point."""
    return float(text) if "." in text else int(text)


_PRICES = (("o", "open"), ("h", "high"), ("l", "low"), ("c", "close"))


@dataclass(frozen=True, slots=True)
class Rest:
    """The REST vendor and a source that asks it."""

    server: VendorServer
    client: RestClient
    source: RestSource

    @property
    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [seen.path for seen in self.server.requests]


@asynccontextmanager
async def rest(
    now: Clock | None = None, *, attempts: int = 1, answer_s: float = 20, **settings: Any
) -> AsyncIterator[Rest]:
    """A vendor, and a source with its key; silence for 0.3 s counts as a hang."""
    clock = now or Clock(datetime.now(UTC))
    usual: dict[str, Any] = {"api_key": API_KEY, "now": clock}
    async with (
        VendorServer(**(usual | settings)) as server,
        plain_http(timeout=0.3 if answer_s < 20 else 10) as http,
    ):
        client = RestClient(
            http, server.url, API_KEY, Pace(0), attempts=attempts, answer_s=answer_s
        )
        yield Rest(server, client, RestSource(client, clock))


def s3_server(objects: dict[str, bytes], **settings: Any) -> S3Server:
    """A bucket with these objects, for the invented keys."""
    usual: dict[str, Any] = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET}
    return S3Server(objects=objects, **(usual | settings))


def s3_access(url: str, **changes: Any) -> S3Access:
    """The right credentials for it, unless told otherwise."""
    usual: dict[str, Any] = {
        "endpoint_url": url,
        "bucket": "flatfiles",
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET,
        "api_key": API_KEY,
    }
    return S3Access(**(usual | changes))


def says_no_secret(told: object, *more: str) -> bool:
    """Is none of the invented secrets in its text, its repr, or all that a log would print?"""
    shown = f"{told} {told!r}"
    if isinstance(told, BaseException):
        shown += "".join(traceback.format_exception(told))
    return not any(secret in shown for secret in (*SECRETS, *more))
