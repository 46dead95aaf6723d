"""The promises of the Source port, held against every adapter: the same tests for all of them."""

import asyncio
import gzip
import pickle
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from polars.testing import assert_frame_equal

from core.bars import BARS, Bars
from core.calendar import TradingDay, trading_day
from core.conditions import bundled
from core.elsewhere import Elsewhere, Receipt, Refused, Task, fetched
from core.errors import BadBars, HeldBars, NotPublished, SourceRefused, SourceUnavailable
from core.files import Folder
from core.sources import Source
from core.sources.control import control_day
from core.sources.day_aggs import key
from core.sources.finra import FinraSource
from core.sources.finra_file import name_of
from core.sources.flatfiles import DayAggsSource
from core.sources.s3 import S3Reader
from core.sources.sample import SampleSource
from core.sources.sample_market import SampleMarket
from core.sources.short_volume import ShortVolumeSource
from core.staged import Staged
from tests import files
from tests.files import HEADER, Clock, Line, line
from tests.servers import faults, vendor_faults
from tests.servers.faults import Fault
from tests.servers.finra import FinraServer
from tests.servers.local import LocalServer

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
DAY = trading_day(date(2026, 10, 2))
PROMISED = (NotPublished, SourceUnavailable, SourceRefused, BadBars)

LINES = [
    line("A", volume="2036584.149027", open="115.030000", low="113.675000"),
    line("BAPA", volume="7"),
    line("BApA", volume="1733619.463400", close="145.5"),
    line("BRK.B"),
    *map(line, ("FALSE", "INF", "N", "NA", "NE.WS.A", "NULL", "TRUE", "ZNMCr", "nan")),
]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A source, and a hand on what stands behind it."""

    source: Source
    clock: Clock
    publish: Callable[[TradingDay, list[Line]], Awaitable[list[Line]]]
    """Puts a session up, where that can be done; gives what is up."""
    garble: Callable[[TradingDay, bytes], Awaitable[None]]
    """The same with bytes that are no day at all."""
    server: LocalServer | None = None
    """Ours, with faults to queue and requests to count."""


@asynccontextmanager
async def over_rest(moto_url: str) -> AsyncIterator[Adapter]:
    clock = Clock(NOW)
    async with files.rest(clock, days={}) as rest:

        async def publish(day: TradingDay, lines: list[Line]) -> list[Line]:
            rest.server.days = {day.date: files.grouped(lines)}
            return lines

        async def garble(day: TradingDay, junk: bytes) -> None:
            await publish(day, LINES)
            rest.server.faults.add(faults.Status(200, junk, "application/json"), on="grouped")

        yield Adapter(rest.source, clock, publish, garble, rest.server)


def volumes(lines: list[Line]) -> list[Line]:
    """What sources of volume alone have of these rows."""
    return [{"ticker": row["ticker"], "volume": row["volume"]} for row in lines]


@asynccontextmanager
async def over_finra(moto_url: str) -> AsyncIterator[Adapter]:
    clock = Clock(NOW)
    control = {name_of(control_day(DAY, NOW).date): b"there"}
    async with FinraServer(files=control, now=clock) as server, files.plain_http() as http:

        async def garble(day: TradingDay, junk: bytes) -> None:
            server.files[name_of(day.date)] = junk

        async def publish(day: TradingDay, lines: list[Line]) -> list[Line]:
            await garble(day, files.finra(day, lines))
            return volumes(lines)

        source = FinraSource(http, server.daily_url, clock, attempts=1)
        yield Adapter(source, clock, publish, garble, server)


@asynccontextmanager
async def over_short_volume(moto_url: str) -> AsyncIterator[Adapter]:
    clock = Clock(NOW)
    async with files.rest(clock) as rest:

        async def publish(day: TradingDay, lines: list[Line]) -> list[Line]:
            rest.server.short_volumes = {day.date: files.short_volumes(lines)}
            return volumes(lines)

        async def garble(day: TradingDay, junk: bytes) -> None:
            await publish(day, LINES)
            rest.server.faults.add(faults.Status(200, junk, "application/json"), on="short-volume")

        source = ShortVolumeSource(rest.client, clock)
        yield Adapter(source, clock, publish, garble, rest.server)


async def flat_files(url: str, clock: Clock, bucket: str) -> DayAggsSource:
    access = files.s3_access(url, bucket=bucket)
    return DayAggsSource(await asyncio.to_thread(S3Reader, access, attempts=1), clock)


@asynccontextmanager
async def over_our_s3(moto_url: str) -> AsyncIterator[Adapter]:
    clock, objects = Clock(NOW), dict[str, bytes]()
    async with files.s3_server(objects, today=NOW.date()) as server:

        async def garble(day: TradingDay, junk: bytes) -> None:
            objects[key("day_aggs_v1", day.date)] = junk

        async def publish(day: TradingDay, lines: list[Line]) -> list[Line]:
            await garble(day, files.packed(day, lines))
            return lines

        source = await flat_files(server.url, clock, "flatfiles")
        yield Adapter(source, clock, publish, garble, server)


@asynccontextmanager
async def over_moto(moto_url: str) -> AsyncIterator[Adapter]:
    clock, bucket = Clock(NOW), f"flatfiles-{uuid4()}"
    login = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    client: Any = await asyncio.to_thread(
        boto3.client, "s3", endpoint_url=moto_url, region_name="us-east-1", **login
    )
    await asyncio.to_thread(client.create_bucket, Bucket=bucket)

    async def garble(day: TradingDay, junk: bytes) -> None:
        name = key("day_aggs_v1", day.date)
        await asyncio.to_thread(client.put_object, Bucket=bucket, Key=name, Body=junk)

    async def publish(day: TradingDay, lines: list[Line]) -> list[Line]:
        await garble(day, files.packed(day, lines))
        return lines

    yield Adapter(await flat_files(moto_url, clock, bucket), clock, publish, garble)
    client.close()


@asynccontextmanager
async def built_in(moto_url: str) -> AsyncIterator[Adapter]:
    async def publish(day: TradingDay, lines: list[Line]) -> list[Line]:
        return files.unpacked(SampleMarket().day_aggs(day))

    async def garble(day: TradingDay, junk: bytes) -> None:
        raise AssertionError("the sample cannot be spoiled")

    yield Adapter(SampleSource(SampleMarket()), Clock(NOW), publish, garble)


@asynccontextmanager
async def elsewhere(moto_url: str) -> AsyncIterator[Adapter]:
    """As another process has it: what goes there and comes back is pickled, frames go by disk."""
    async with over_our_s3(moto_url) as near:
        with tempfile.TemporaryDirectory() as name:
            staged = Staged(Folder(Path(name)))

            async def task(source: Source, day: TradingDay) -> Task:
                return Task(source.name, source.series.key, day, bundled(), near.clock())

            async def submit(asked: Task) -> Receipt | Refused:
                given: Task = pickle.loads(pickle.dumps(asked))  # noqa: S301 - our own
                done = await fetched(near.source, given, staged)
                told: Receipt | Refused = pickle.loads(pickle.dumps(done))  # noqa: S301
                return told

            yield replace(near, source=Elsewhere(near.source, submit, staged, task))
            assert not await asyncio.to_thread(staged.files.listed, "staged")


DAILY = (over_rest, over_our_s3, over_moto, elsewhere)
OFF_EXCHANGE = (over_finra, over_short_volume)
VENDORS = (*DAILY, *OFF_EXCHANGE)


@pytest.fixture(params=[*VENDORS, built_in], ids=lambda made: made.__name__)
async def adapter(request: pytest.FixtureRequest, moto_url: str) -> AsyncIterator[Adapter]:
    """Each adapter in turn."""
    async with request.param(moto_url) as made:
        yield made


@pytest.fixture(params=VENDORS, ids=lambda made: made.__name__)
async def vendor(request: pytest.FixtureRequest, moto_url: str) -> AsyncIterator[Adapter]:
    """Each adapter that asks someone else."""
    async with request.param(moto_url) as made:
        yield made


@pytest.fixture(params=DAILY[1:], ids=lambda made: made.__name__)
async def bucket(request: pytest.FixtureRequest, moto_url: str) -> AsyncIterator[Adapter]:
    """Each adapter that reads files."""
    async with request.param(moto_url) as made:
        yield made


def numbers(bars: Bars) -> dict[str, list[float | None]]:
    named = bars.select("ticker", "open", "high", "low", "close", "volume", "transactions")
    return {ticker: list(values) for ticker, *values in named.iter_rows()}


def published_numbers(lines: Sequence[Line]) -> dict[str, list[float | None]]:
    columns = ("open", "high", "low", "close", "volume", "transactions")
    return {row["ticker"]: [float(row[c]) if c in row else None for c in columns] for row in lines}


async def refusal(adapter: Adapter) -> BaseException:
    """What bars() raises; anything that was not promised fails the test by itself."""
    with pytest.raises(PROMISED) as caught:
        await adapter.source.bars(DAY)
    assert files.says_no_secret(caught.value)
    assert caught.value.seen
    return caught.value


async def test_gives_the_checked_bars_of_exactly_that_session(adapter: Adapter) -> None:
    published = await adapter.publish(DAY, LINES)
    served = await adapter.source.bars(DAY)
    bars = served.bars
    assert dict(bars.schema) == BARS
    assert bars["session"].unique().to_list() == [DAY.date]
    assert bars["ticker"].to_list() == sorted(row["ticker"] for row in published)
    assert bars["ticker"].is_unique().all()
    assert numbers(bars) == published_numbers(published)
    assert served.source == adapter.source.name
    assert (served.refused, served.notes) == ((), ())


async def test_keeps_the_case_of_tickers_and_those_that_look_like_no_value(vendor: Adapter) -> None:
    await vendor.publish(DAY, LINES)
    bars = (await vendor.source.bars(DAY)).bars
    volume = dict(bars.select("ticker", "volume").iter_rows())
    assert {"NA", "NULL", "TRUE", "FALSE", "INF", "nan", "N", "BRK.B"} <= set(volume)
    assert (volume["BAPA"], volume["BApA"]) == (7.0, 1733619.4634)


async def test_reads_whole_shares_and_fractions(vendor: Adapter) -> None:
    volumes = ["1942872", "0.711800", "33278552.153126", "5000000000", "0"]
    await vendor.publish(DAY, [line(f"T{n}", volume=v) for n, v in enumerate(volumes)])
    assert (await vendor.source.bars(DAY)).bars["volume"].to_list() == list(map(float, volumes))


async def test_sorts_rows_that_come_in_another_order(vendor: Adapter) -> None:
    await vendor.publish(DAY, [line(ticker) for ticker in ("b", "ZZZ", "A", "BApA", "BAPA")])
    bars = (await vendor.source.bars(DAY)).bars
    assert bars["ticker"].to_list() == ["A", "BAPA", "BApA", "ZZZ", "b"]


@pytest.mark.parametrize("made", [DAILY, OFF_EXCHANGE], ids=["daily", "off exchange"])
async def test_sources_of_one_series_give_equal_bars_of_one_market_day(
    made: Any, moto_url: str
) -> None:
    sample = files.unpacked(SampleMarket().day_aggs(DAY))
    served, series = [], set()
    for each in made:
        async with each(moto_url) as adapter:
            await adapter.publish(DAY, sample)
            series.add(adapter.source.series)
            served.append((await adapter.source.bars(DAY)).bars.drop("vwap"))
    assert len(series) == 1
    for other in served[1:]:
        assert_frame_equal(served[0], other, check_exact=True)


@pytest.mark.parametrize(
    "header",
    [
        "transactions,window_start,low,high,close,open,volume,ticker",
        f"{HEADER},otc,decimal_size",
        f"vwap_note,{HEADER}",
    ],
)
async def test_reads_columns_by_name_in_any_order_and_more_of_them(
    bucket: Adapter, header: str
) -> None:
    await bucket.garble(DAY, files.packed(DAY, LINES, header))
    assert numbers((await bucket.source.bars(DAY)).bars) == published_numbers(LINES)


async def test_a_session_that_is_not_over_is_not_published_and_nobody_is_asked(
    vendor: Adapter,
) -> None:
    await vendor.publish(DAY, LINES)
    vendor.clock.now = DAY.tape_end - timedelta(seconds=1)
    assert type(await refusal(vendor)) is NotPublished
    assert vendor.server is None or not vendor.server.requests  # type: ignore[attr-defined]


async def test_what_is_not_published_is_not_published(vendor: Adapter) -> None:
    assert type(await refusal(vendor)) is NotPublished


GARBAGE = {
    "nothing": b"",
    "blanks": b" " * 100,
    "a web page": b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>",
    "binary": bytes(range(256)) * 20,
    "deep JSON": b"[" * 100_000,
    "a JSON list": b"[]",
    "a JSON number": b"1e999",
    "not UTF-8": b'{"status":"OK","results":[{"T":"\xff"}]}',
    "gzip of a web page": gzip.compress(b"<html>\n<body>\n</body></html>"),
    "gzip of nothing": gzip.compress(b""),
    "a header alone": gzip.compress(HEADER.encode()),
    "half a file": files.packed(DAY, LINES)[:90],
    "yesterday": files.packed(trading_day(date(2026, 10, 1)), LINES),
}


async def test_garbage_is_bad_bars_or_an_unavailable_source(vendor: Adapter) -> None:
    for name, junk in GARBAGE.items():
        await vendor.garble(DAY, junk)
        assert isinstance(await refusal(vendor), BadBars | SourceUnavailable), name


FAULTS: dict[str, Fault] = {
    **{f"HTTP {n}": faults.Status(n) for n in (201, 204, 301, 304, 400, 401, 402, 403, 404, 405)},
    **{f"HTTP {n}": faults.Status(n) for n in (409, 410, 418, 429, 451, 500, 501, 502, 503, 504)},
    "a web page": faults.html(),
    "a web page that is no XML": faults.html(well_formed=False),
    "a web page of a proxy": faults.html(502),
    "empty": faults.empty(),
    "clipped": faults.Clipped(),
    "truncated": faults.Truncated(),
    "reset": faults.Reset(),
    "reset midway": faults.Reset(after_bytes=40),
    "endless by its own word": faults.Endless(claims_bytes=3 * 10**9),
    "endless": faults.Endless(),
    "a refusal inside a success": vendor_faults.refused_200(),
    "a throttle": vendor_faults.too_many("1"),
}


OPERATIONS: dict[Any, tuple[str, ...]] = {
    over_rest: ("grouped",),
    over_our_s3: ("list", "get"),
    over_finra: ("get",),
    over_short_volume: ("short-volume",),
}


@pytest.mark.parametrize("made", OPERATIONS, ids=lambda made: made.__name__)
async def test_only_what_is_promised_ever_escapes(made: Any, moto_url: str) -> None:
    async with made(moto_url) as adapter:
        await adapter.publish(DAY, LINES)
        raised = {}
        for operation in OPERATIONS[made]:
            for name, fault in FAULTS.items():
                if operation == "list" and isinstance(fault, faults.Endless):
                    continue  # botocore reads any listing to its end: nothing of ours can stop it
                adapter.server.faults.always(fault, on=operation)
                try:
                    raised[operation, name] = await adapter.source.bars(DAY)
                except Exception as error:  # noqa: BLE001 - which one it is is the question
                    raised[operation, name] = error
                adapter.server.faults.clear()
        assert {at: r for at, r in raised.items() if not isinstance(r, PROMISED)} == {}
        assert all(files.says_no_secret(error) for error in raised.values())
        assert len((await adapter.source.bars(DAY)).bars) == len(LINES)


async def test_the_sample_serves_every_session_and_asks_nobody() -> None:
    async with built_in("") as adapter:
        for day in (date(2003, 9, 10), date(2020, 3, 16), date(2026, 11, 27)):
            assert len((await adapter.source.bars(trading_day(day))).bars) > 400
        assert await adapter.source.version(DAY) is None


async def test_a_version_names_the_copy_that_was_served(vendor: Adapter) -> None:
    await vendor.publish(DAY, LINES)
    first = (await vendor.source.bars(DAY)).version
    assert await vendor.source.version(DAY) == first
    await vendor.publish(DAY, LINES[:-1])
    second = (await vendor.source.bars(DAY)).version
    assert await vendor.source.version(DAY) == second
    assert (first is None) == (vendor.source.name.startswith("REST"))
    assert first is None or first != second


async def test_rows_of_another_session_come_along_to_be_kept_aside(bucket: Adapter) -> None:
    await bucket.garble(DAY, files.packed(trading_day(date(2026, 10, 1)), LINES))
    error = await refusal(bucket)
    assert isinstance(error, HeldBars)
    assert "rows are of 2026-10-01, not of 2026-10-02" in error.seen
    assert error.rows["ticker"].to_list() == sorted(row["ticker"] for row in LINES)
