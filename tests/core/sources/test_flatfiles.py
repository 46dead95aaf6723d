"""Flat files over real boto3 and a local S3: each row of its tables of refusals and oddities."""

import asyncio
import gzip
import inspect
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import botocore.exceptions
import botocore.parsers
import pytest
import urllib3.exceptions

from core.calendar import TradingDay, last_complete, sessions_ending
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.sources.bounds import DAY_FILE, DAY_FILE_PACKED_BYTES
from core.sources.control import control_day
from core.sources.day_aggs import key, parse, unpack
from core.sources.flatfiles import DayAggsSource
from core.sources.s3 import S3Reader, looks_like_api_key, translate
from core.sources.s3_names import Forbidden
from tests import files
from tests.files import HEADER, Clock, line
from tests.servers import faults, s3
from tests.servers.faults import Fault
from tests.servers.s3 import S3Server

# Signatures carry the machine's own time, so these sessions are of this week.
NOW = datetime.now(UTC)
DAY, OLD = (sessions_ending(last_complete(NOW), 60)[n] for n in (-2, 0))
LINES = [line("A"), line("BApA", volume="1733619.463400"), line("NA")]
GOOD = files.packed(DAY, LINES)
NAME = key("day_aggs_v1", DAY.date)


@dataclass(frozen=True, slots=True)
class Files:
    """A bucket and a source that reads it."""

    server: S3Server
    source: DayAggsSource
    reader: S3Reader

    @property
    def gets(self) -> list[str]:
        """The objects that were asked for."""
        return [seen.key for seen in self.server.requests if seen.key]


async def reader(url: str, *, timeout_s: float = 5, attempts: int = 1, **access: Any) -> S3Reader:
    def made() -> S3Reader:
        told = files.s3_access(url, **access)
        return S3Reader(told, attempts=attempts, read_timeout_s=timeout_s, whole_s=2 * timeout_s)

    return await asyncio.to_thread(made)


@asynccontextmanager
async def bucket(
    *,
    attempts: int = 1,
    timeout_s: float = 5,
    access: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Files]:
    """The sessions of these tests and of the control reads."""
    days = (DAY, OLD, control_day(DAY, NOW), control_day(OLD, NOW))
    objects = {key("day_aggs_v1", day.date): files.packed(day, LINES) for day in days}
    async with files.s3_server(objects, **settings) as server:
        asking = await reader(server.url, timeout_s=timeout_s, attempts=attempts, **(access or {}))
        yield Files(server, DayAggsSource(asking, Clock(NOW)), asking)


async def failure(files_: Files, day: TradingDay = DAY) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await files_.source.bars(day)
    assert files.says_no_secret(caught.value)
    return caught.value


async def test_reads_a_session_with_two_requests_and_names_its_copy() -> None:
    async with bucket() as there:
        served = await there.source.bars(DAY)
        assert served.bars["ticker"].to_list() == ["A", "BApA", "NA"]
        asked = [(seen.method, seen.key) for seen in there.server.requests]
        assert asked == [("GET", ""), ("GET", NAME)]
        assert there.server.requests[0].query["prefix"] == NAME
        assert served.version == await there.source.version(DAY)
        there.server.objects[NAME] = files.packed(DAY, LINES[:2])
        assert await there.source.version(DAY) not in (None, served.version)


async def test_a_file_without_an_etag_has_no_version() -> None:
    async with bucket() as there:
        there.server.faults.add(faults.Status(200, GOOD), on="get")
        served = await there.source.bars(DAY)
    assert (served.version, len(served.bars)) == (None, 3)


# Credentials: refused at the listing, whatever the plan.

CREDENTIALS: dict[str, tuple[dict[str, Any], dict[str, Any], Verdict]] = {
    "an unknown access key": ({"access_key_id": "other"}, {}, Verdict.WRONG_ACCESS_KEY),
    "a wrong secret": ({"secret_access_key": "other"}, {}, Verdict.WRONG_SECRET),
    "a clock that is behind": ({}, {"clock_shift": timedelta(minutes=20)}, Verdict.CLOCK_WRONG),
    "a clock that is ahead": ({}, {"clock_shift": timedelta(minutes=-20)}, Verdict.CLOCK_WRONG),
    "an opaque 403": (
        {"secret_access_key": "other"},
        {"opaque_credentials": True},
        Verdict.WRONG_ACCESS_KEY,
    ),
    "an opaque 403 and a clock that is off": (
        {},
        {"opaque_credentials": True, "clock_shift": timedelta(minutes=20)},
        Verdict.CLOCK_WRONG,
    ),
    "the API key for an access key": (
        {"access_key_id": files.API_KEY},
        {},
        Verdict.KEY_LOOKS_LIKE_API_KEY,
    ),
    "what looks like another API key": (
        {"access_key_id": "Z" * 32},
        {"opaque_credentials": True},
        Verdict.KEY_LOOKS_LIKE_API_KEY,
    ),
}


@pytest.mark.parametrize(
    ("access", "settings", "verdict"), CREDENTIALS.values(), ids=CREDENTIALS.keys()
)
async def test_bad_credentials_are_told_apart(
    access: dict[str, Any], settings: dict[str, Any], verdict: Verdict
) -> None:
    async with bucket(access=access, **settings) as there:
        error = await failure(there)
        assert (type(error), error.verdict) == (SourceRefused, verdict)
        assert there.gets == []
        with pytest.raises(SourceRefused) as caught:
            await there.source.version(DAY)
        assert caught.value.verdict is verdict


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
async def test_credentials_refused_at_the_object_are_told_apart_as_well(code: str) -> None:
    async with bucket() as there:
        there.server.faults.add(s3.xml_error(403, code), on="get")
        wanted = {"InvalidAccessKeyId": Verdict.WRONG_ACCESS_KEY}.get(code, Verdict.WRONG_SECRET)
        assert (await failure(there)).verdict is wanted


@pytest.mark.parametrize("odd", ["clé", "two\nlines", "blank "])
async def test_credentials_that_fit_in_no_header_are_a_source_error(odd: str) -> None:
    async with bucket(access={"access_key_id": odd}) as there:
        assert isinstance(await failure(there), SourceError)


def test_api_keys_are_told_from_access_keys_by_their_shape() -> None:
    assert looks_like_api_key(files.API_KEY)
    assert not looks_like_api_key(files.ACCESS_KEY_ID)


async def test_the_machines_own_aws_settings_have_no_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = nowhere\ns3 =\n  addressing_style = virtual\n")
    for name, value in {
        "AWS_PROFILE": "not-there",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    async with bucket() as there:
        assert len((await there.source.bars(DAY)).bars) == 3


# Listed, or not.


@pytest.mark.parametrize("body", ["empty", "json"])
async def test_listed_and_refused_while_another_date_is_not_is_a_date_outside_the_plan(
    body: Any,
) -> None:
    async with bucket(entitled=lambda k: k != key("day_aggs_v1", OLD.date)) as there:
        there.server.refusal_body = body
        error = await failure(there, OLD)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.DATE_OUTSIDE_PLAN)
        assert there.server.requests[-1].range == "bytes=0-0"


@pytest.mark.parametrize("day", [DAY, OLD], ids=["recent", "old"])
async def test_listed_and_refused_like_any_other_date_is_a_plan_without_the_data_set(
    day: TradingDay,
) -> None:
    async with bucket(entitled=lambda k: False) as there:
        error = await failure(there, day)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.PLAN_LACKS_DATA_SET)


async def test_listed_and_refused_without_another_date_to_ask_is_put_down_to_the_plan() -> None:
    async with bucket(entitled=lambda k: False) as there:
        del there.server.objects[key("day_aggs_v1", control_day(DAY, NOW).date)]
        assert (await failure(there)).verdict is Verdict.PLAN_LACKS_DATA_SET


@pytest.mark.parametrize("fault", [s3.slow_down(), s3.internal_error(), faults.Reset()])
@pytest.mark.parametrize("day", [DAY, OLD], ids=["recent", "old"])
async def test_listed_and_refused_while_another_date_cannot_be_asked_is_not_known_why(
    day: TradingDay, fault: Fault
) -> None:
    async with bucket(entitled=lambda k: k != key("day_aggs_v1", day.date)) as there:
        there.server.faults.add(Fault(), fault, on="list")
        error = await failure(there, day)
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.REFUSAL_UNCLEAR)
        assert f"{control_day(day, NOW)} could not be asked" in error.seen


@pytest.mark.parametrize("status", [403, 404])
async def test_what_is_not_listed_is_not_published_and_not_asked_for(status: int) -> None:
    async with bucket() as there:
        del there.server.objects[NAME]
        there.server.faults.always(faults.Status(status), on="get")
        assert type(await failure(there)) is NotPublished
        assert there.gets == []
        assert await there.source.version(DAY) is None


async def test_a_longer_key_in_the_listing_is_another_file() -> None:
    async with bucket() as there:
        there.server.objects[f"{NAME}.part"] = there.server.objects.pop(NAME)
        assert type(await failure(there)) is NotPublished


@pytest.mark.parametrize("fault", [s3.xml_error(404, "NoSuchKey"), faults.Status(404)])
async def test_listed_and_then_gone_is_not_published(fault: Fault) -> None:
    async with bucket() as there:
        there.server.faults.add(fault, on="get")
        error = await failure(there)
        assert type(error) is NotPublished
        assert "being replaced" in error.seen


# Faults of the service and of the line.

_LISTING = "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>"


def listing(inside: str) -> Fault:
    return faults.Status(200, _LISTING.format(inside).encode(), "application/xml")


SERVICE: dict[str, tuple[Fault, str, Verdict]] = {
    "SlowDown": (s3.slow_down(), "list get", Verdict.RATE_LIMITED),
    "429": (s3.too_many(), "list get", Verdict.RATE_LIMITED),
    "500": (s3.internal_error(), "list get", Verdict.VENDOR_FAULT),
    "502 and a web page": (faults.html(502), "list get", Verdict.VENDOR_FAULT),
    "a web page for a listing": (faults.html(), "list", Verdict.VENDOR_FAULT),
    "one that is no XML": (faults.html(well_formed=False), "list", Verdict.VENDOR_FAULT),
    "an empty listing": (faults.empty(), "list", Verdict.VENDOR_FAULT),
    "a clipped listing": (faults.Clipped(), "list", Verdict.VENDOR_FAULT),
    "a size in words": (
        listing(f"<Contents><Key>{NAME}</Key><Size>many</Size></Contents>"),
        "list",
        Verdict.VENDOR_FAULT,
    ),
    "no bucket of that name": (s3.xml_error(404, "NoSuchBucket"), "list", Verdict.VENDOR_FAULT),
    "a redirect": (
        faults.Status(307, headers={"Location": "http://127.0.0.1:1/"}),
        "list get",
        Verdict.VENDOR_FAULT,
    ),
    "a reset": (faults.Reset(), "list get", Verdict.UNREACHABLE),
    "a reset midway": (faults.Reset(after_bytes=30), "list get", Verdict.UNREACHABLE),
    "a truncated body": (faults.Truncated(), "get", Verdict.UNREACHABLE),
    "a hang": (faults.Hang(), "list get", Verdict.UNREACHABLE),
    "a drip": (faults.Drip(chunk_bytes=1, pause_s=0.02), "get", Verdict.UNREACHABLE),
    "a hang midway": (faults.Hang(after_bytes=30), "list get", Verdict.UNREACHABLE),
}


@pytest.mark.parametrize(("fault", "on", "verdict"), SERVICE.values(), ids=SERVICE.keys())
async def test_a_service_that_fails_is_told_and_works_again(
    fault: Fault, on: str, verdict: Verdict
) -> None:
    async with bucket(timeout_s=1) as there:
        for operation in on.split():
            there.server.faults.add(fault, on=operation)
            error = await failure(there)
            assert error.verdict is verdict, operation
            assert isinstance(error, SourceUnavailable) or "bucket" in error.seen
        assert len((await there.source.bars(DAY)).bars) == 3


async def test_a_service_that_falters_is_asked_again() -> None:
    async with bucket(attempts=2) as there:
        there.server.faults.add(s3.slow_down(), on="list")
        there.server.faults.add(s3.internal_error(), on="get")
        assert len((await there.source.bars(DAY)).bars) == 3


async def test_a_bucket_that_is_not_there_is_named() -> None:
    async with bucket(access={"bucket": "flatfile"}) as there:
        error = await failure(there)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.VENDOR_FAULT)
        assert "no bucket 'flatfile'" in error.seen


async def test_a_port_on_which_nobody_listens_is_unreachable() -> None:
    async with bucket() as there:
        pass
    error = await failure(there)
    assert (type(error), error.verdict) == (SourceUnavailable, Verdict.UNREACHABLE)


@pytest.mark.parametrize(
    "fault",
    [faults.Endless(claims_bytes=3 * 10**9), faults.Endless()],
    ids=["by its length", "in chunks"],
)
async def test_an_object_without_end_is_bad_bars(fault: Fault) -> None:
    async with bucket() as there:
        there.server.faults.add(fault, on="get")
        error = await failure(there)
        assert type(error) is BadBars
        assert f"{DAY_FILE_PACKED_BYTES:,}" in error.seen


async def test_an_object_over_the_limit_is_not_read() -> None:
    async with bucket() as there:
        size = len(there.server.objects[NAME])
        assert len((await asyncio.to_thread(there.reader.get, NAME, size))[0]) == size
        with pytest.raises(BadBars, match="the most to expect"):
            await asyncio.to_thread(there.reader.get, NAME, size - 1)


async def test_a_web_page_for_a_file_is_bad_bars() -> None:
    async with bucket() as there:
        there.server.faults.add(faults.html(), faults.empty(), on="get")
        assert type(await failure(there)) is BadBars
        assert type(await failure(there)) is BadBars


def test_neither_access_nor_errors_show_a_secret() -> None:
    assert files.says_no_secret(files.s3_access("http://127.0.0.1:1"))


# What is in the file.


def csv(*rows: str, header: str = HEADER) -> bytes:
    return gzip.compress("\n".join((header, *rows, "")).encode())


def one(**values: str) -> bytes:
    return files.packed(DAY, [line("A"), line("B", **values)])


_OTHER = sessions_ending(DAY, 2)[0]
BAD_FILES: dict[str, bytes] = {
    "nothing": b"",
    "no gzip": b"ticker,volume\nA,1\n",
    "corrupt": GOOD[:40] + b"\xff\xff\xff\xff" + GOOD[44:],
    "truncated": GOOD[:-20],
    "truncated in its checksum": GOOD[:-6],
    "a bad checksum": GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:],
    "junk behind it": GOOD + b"junk",
    "a bomb": gzip.compress(b" " * (DAY_FILE.unpacked_bytes + 1), 1),
    "a web page": gzip.compress(b"<!DOCTYPE html>\n<html><body>Welcome</body></html>"),
    "no row": csv(),
    "no line break": gzip.compress(HEADER.encode()),
    "no header": csv("A,1,1,1,1,1,1,1", header="B,1,1,1,1,1,1,1"),
    **{
        f"no {column}": files.packed(DAY, LINES, HEADER.replace(column, "other"))
        for column in ("ticker", "volume", "open", "close", "high", "low", "window_start")
    },
    "a column twice": files.packed(DAY, LINES, f"{HEADER},close"),
    "a wrong volume": one(volume="many"),
    "a wrong price": one(open="$1.50"),
    "a wrong count": one(transactions="twelve"),
    "a count without end": one(transactions="inf"),
    "another session": files.packed(_OTHER, LINES),
    "a row of another session": one(window_start=str(files.midnight_ns(_OTHER))),
    "a negative time": one(window_start="-1"),
    "the least time": one(window_start=str(-(2**63))),
    "too large a time": one(window_start=str(2**63)),
    "no time": one(window_start=""),
    "a row cut short": csv(f"A,1,1,1,1,1,{files.midnight_ns(DAY)},1", "B,1,1"),
    "a row too long": csv(f"A,1,1,1,1,1,{files.midnight_ns(DAY)},1,9"),
    "no ticker": csv(f",1,1,1,1,1,{files.midnight_ns(DAY)},1"),
    "a quote that never closes": csv(f'"A,1,1,1,1,1,{files.midnight_ns(DAY)},1'),
    "bytes that are no text": gzip.compress(
        f"{HEADER}\nA".encode() + f"\xff,1,1,1,1,1,{files.midnight_ns(DAY)},1\n".encode("latin-1")
    ),
}


@pytest.mark.parametrize("payload", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_that_is_no_session_is_bad_bars(payload: bytes) -> None:
    with pytest.raises(BadBars):
        parse(payload, DAY)


GOOD_FILES: dict[str, bytes] = {
    "plain": GOOD,
    "of two members": b"".join(
        gzip.compress(half) for half in (gzip.decompress(GOOD)[:100], gzip.decompress(GOOD)[100:])
    ),
    "padded with zeros": GOOD + b"\0" * 512,
    "of Windows": gzip.compress(gzip.decompress(GOOD).replace(b"\n", b"\r\n")),
    "without a last line break": gzip.compress(gzip.decompress(GOOD).rstrip()),
    "counts with a point": files.packed(DAY, [row | {"transactions": "37404.0"} for row in LINES]),
    "in another order, with more": files.packed(
        DAY, LINES, "low,vwap,ticker,otc,high,close,open,transactions,window_start,volume"
    ),
}


@pytest.mark.parametrize("payload", GOOD_FILES.values(), ids=GOOD_FILES.keys())
def test_a_file_that_is_written_another_way_is_the_same_session(payload: bytes) -> None:
    bars = parse(payload, DAY)
    assert bars["ticker"].to_list() == ["A", "BApA", "NA"]
    assert bars["transactions"].to_list() == [37404] * 3
    assert bars["vwap"].null_count() == 3
    row = bars.row(0, named=True)
    found = [row[c] for c in ("open", "high", "low", "close", "volume")]
    assert found == [147.09, 148.5, 145.25, 146.0, 1942872.0]


def test_a_file_may_be_as_large_as_the_limit() -> None:
    packed = zlib.compress(b"x" * 1000, wbits=31)
    assert len(unpack(packed, most=replace(DAY_FILE, unpacked_bytes=1000))) == 1000
    with pytest.raises(BadBars, match="unpacks to more"):
        unpack(packed, most=replace(DAY_FILE, unpacked_bytes=999))


# The libraries' errors, all of them.

_NEVER_OURS = {
    # Raised while a client is made out of the library's own files, before any request.
    "UndefinedModelAttributeError",
    "MissingServiceIdError",
    # Of event streams, which no operation of ours is.
    "NoInitialResponseError",
}


def errors_of(module: ModuleType) -> list[type[Exception]]:
    found = (kind for _, kind in inspect.getmembers(module, inspect.isclass))
    return [
        kind
        for kind in found
        if issubclass(kind, Exception)
        and not issubclass(kind, Warning | botocore.exceptions.ClientError)
        and kind.__name__ not in _NEVER_OURS
    ]


FOREIGN = [
    *errors_of(botocore.exceptions),
    *errors_of(botocore.parsers),
    *errors_of(urllib3.exceptions),
    OSError,
    TimeoutError,
    ConnectionResetError,
    ssl.SSLError,
]


def test_the_lists_of_errors_are_the_whole_ones() -> None:
    assert len(FOREIGN) > 100
    assert {
        botocore.exceptions.EndpointConnectionError,
        botocore.exceptions.FlexibleChecksumError,
        botocore.parsers.ResponseParserError,
        urllib3.exceptions.IncompleteRead,
    } <= set(FOREIGN)


async def test_every_error_of_botocore_and_urllib3_is_translated() -> None:
    asking = await reader("http://127.0.0.1:1")
    for kind in FOREIGN:
        # Their makers differ too much to call.
        silent = {"__init__": lambda self: None, "__str__": object.__repr__}
        error = type(kind.__name__, (kind,), silent | {"__repr__": object.__repr__})()
        told = pytest.raises((SourceUnavailable, SourceRefused))
        with told as caught, asking._translated("get"):
            raise error
        assert kind.__name__ in caught.value.seen
        assert isinstance(translate(error), SourceError)


STATUSES = [*range(300, 600, 7), 400, 401, 403, 404, 408, 409, 412, 416, 429, 499, 503]


async def test_every_status_of_a_client_error_is_translated() -> None:
    asking = await reader("http://127.0.0.1:1")
    for status in (*STATUSES, None):
        for verb in ("list", "get"):
            meta = {} if status is None else {"HTTPStatusCode": status, "HTTPHeaders": {}}
            told: Any = {"ResponseMetadata": meta}
            with pytest.raises(SourceError) as caught, asking._translated(verb):
                raise botocore.exceptions.ClientError(told, "GetObject")
            refused = isinstance(caught.value, SourceRefused)
            assert refused == (status == 403 or (verb == "list" and status in (401, 404)))
            assert isinstance(caught.value, Forbidden) == (status == 403 and verb == "get")


def test_what_makes_polars_panic_is_a_bad_file() -> None:
    header = b"ticker,volume,open,close,high,low,window_start,transactions\n"
    with pytest.raises(BadBars):
        parse(gzip.compress(header + b'\n\n,"'), DAY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_told_as_an_answer_and_asked_for_once(status: int) -> None:
    """botocore asks for the bucket's region, is redirected, asks for the region, and so on."""
    async with bucket() as here:
        # urllib3 trips over what botocore gives it where a 303 leads somewhere.
        for where in ({}, {"Location": "https://example.org/login"} if status != 303 else {}):
            here.server.faults.add(faults.Status(status, headers=where))
            seen = len(here.server.requests)
            with pytest.raises(SourceUnavailable) as caught:
                await asyncio.to_thread(here.reader.find, "a")
            assert caught.value.verdict is Verdict.VENDOR_FAULT
            assert len(here.server.requests) == seen + 1
    told = translate(botocore.exceptions.HTTPClientError(error="expected str"))
    assert (told.verdict, told.seen) == (
        *(Verdict.VENDOR_FAULT, "an answer of no use (HTTPClientError)"),
    )


async def test_a_status_is_told_once() -> None:
    async with bucket() as here:
        here.server.faults.add(faults.Status(401))
        with pytest.raises(SourceRefused) as caught:
            await asyncio.to_thread(here.reader.find, "a")
    assert caught.value.seen == "list: HTTP 401"
