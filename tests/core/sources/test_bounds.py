"""Downloads that are too much, each from a local server: refused by number, and asked for once."""

import asyncio
import gzip
import random
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from core.bars import Bars
from core.calendar import TradingDay, last_complete, sessions_ending
from core.errors import BadBars, SourceRefused, SourceUnavailable, Verdict
from core.headlines import Newsstand
from core.sources.bounds import (
    DAY_FILE,
    FINRA_FILE,
    UNPACKS,
    UNPACKS_FROM_BYTES,
    Gzipped,
    Tally,
    refuse_large_table,
)
from core.sources.day_aggs import key, parse
from core.sources.finra import FinraSource
from core.sources.finra_file import name_of
from core.sources.flatfiles import DayAggsSource
from core.sources.reference import Reference
from core.sources.s3 import S3Reader
from core.sources.short_volume import ShortVolumeSource
from tests import files
from tests.core.sources import bombs
from tests.core.sources.bombs import DAY
from tests.files import Clock, Rest, line
from tests.servers import faults
from tests.servers.faults import Fault
from tests.servers.finra import FinraServer

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
PACKED = {"Content-Encoding": "gzip"}


def sent(body: bytes, headers: dict[str, str] | None = None, status: int = 200) -> Fault:
    return faults.Status(status, body, "application/json", headers or {})


def ask_all(rest: Rest) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every question there is for the REST API."""
    reference = Reference(rest.client)
    return {
        "grouped": lambda: rest.source.bars(DAY),
        "short volumes": lambda: ShortVolumeSource(rest.client, Clock(NOW)).bars(DAY),
        "splits": lambda: rest.source.splits(DAY.date, DAY.date),
        "conditions": reference.conditions,
        "exchanges": reference.exchanges,
        "tickers": reference.tickers,
        "events": lambda: reference.renamed("A"),
        "news": lambda: reference.news(NOW, NOW),
    }


REST = bombs.JSON | bombs.PLAIN_JSON


def rest_fault(name: str) -> Fault:
    return sent(REST[name].body, PACKED if name in bombs.JSON else None)


@pytest.mark.parametrize("name", REST)
async def test_an_answer_that_is_too_much_is_refused_and_not_asked_for_again(name: str) -> None:
    async with files.rest(Clock(NOW), attempts=3) as rest:
        rest.server.faults.always(rest_fault(name))
        with pytest.raises(BadBars) as caught:
            await rest.source.bars(DAY)
        assert REST[name].said in caught.value.seen
        assert len(rest.paths) == 1


async def test_every_question_to_the_vendor_has_the_same_bounds() -> None:
    async with files.rest(Clock(NOW), attempts=3) as rest:
        for ask in ask_all(rest).values():
            for name in ("unpacks too far", "too many rows", "too many values"):
                rest.server.faults.add(rest_fault(name))
                with pytest.raises(BadBars) as caught:
                    await ask()
                assert REST[name].said in caught.value.seen
        assert len(rest.paths) == 3 * len(ask_all(rest))


async def test_headlines_that_are_too_much_are_unknown() -> None:
    async with files.rest(Clock(NOW), attempts=3) as rest:
        rest.server.faults.always(rest_fault("unpacks too far"))
        assert await Newsstand(Reference(rest.client), Clock(NOW)).headlines(DAY) is None
        assert len(rest.paths) == 1


async def test_a_refusal_that_is_too_much_is_still_a_refusal() -> None:
    body = REST["too many rows"].body
    async with files.rest(Clock(NOW), attempts=3) as rest:
        rest.server.faults.always(sent(body, status=401))
        with pytest.raises(SourceRefused) as caught:
            await rest.source.bars(DAY)
        assert caught.value.verdict is Verdict.WRONG_ACCESS_KEY


PAGES: dict[str, tuple[bytes, int, str]] = {
    "rows": (b"{}," * 70_000 + b"{}", 3, "210,009 objects"),
    "values": (b"1," * 200_000 + b"1", 3, "600,0"),
    "bytes": (b" " * (6 * bombs.MB) + b"{}", 3, "bytes or more; 16,777,216"),
}


@pytest.mark.parametrize("name", PAGES)
async def test_the_pages_of_a_table_are_bounded_together(name: str) -> None:
    rows, pages, said = PAGES[name]
    async with files.rest(Clock(NOW), attempts=3) as rest:
        more = f'"next_url":"{rest.server.url}/v3/reference/tickers?cursor=1"'.encode()
        rest.server.faults.always(sent(b'{"status":"OK",' + more + b',"results":[' + rows + b"]}"))
        with pytest.raises(BadBars) as caught:
            await Reference(rest.client).tickers()
        assert said in caught.value.seen
        assert len(rest.paths) == pages


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "compress", "gzip, gzip"])
async def test_what_is_packed_as_nobody_asked_for_is_unreadable(encoding: str) -> None:
    async with files.rest(Clock(NOW)) as rest:
        rest.server.faults.always(sent(b"{}", {"Content-Encoding": encoding}))
        with pytest.raises(SourceUnavailable, match="nobody asked for") as caught:
            await rest.source.bars(DAY)
        assert caught.value.verdict is Verdict.VENDOR_FAULT


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_what_is_packed_as_asked_for_is_the_same_session(encoding: str) -> None:
    rows = files.grouped([line("A"), line("B")])
    async with files.rest(Clock(NOW), days={DAY.date: rows}) as rest:
        plain = (await rest.source.bars(DAY)).bars
        rest.server.faults.always(Zipped(encoding))
        served = await rest.source.bars(DAY)
        assert served.bars.equals(plain)
        rest.server.faults.clear()
        rest.server.faults.always(Zipped(encoding, cut=9))
        with pytest.raises(SourceUnavailable, match="unreadable"):
            await rest.source.bars(DAY)


@dataclass(frozen=True, slots=True)
class Zipped(Fault):
    """The right answer, packed; perhaps without its last bytes."""

    encoding: str
    cut: int = 0

    def spoil(self, answer: faults.Answer) -> faults.Answer:
        """Packed."""
        body = gzip.compress(answer.body)
        headers = {**answer.headers, "Content-Encoding": self.encoding}
        return replace(answer, body=body[: len(body) - self.cut], headers=headers)


# FINRA's files.


@asynccontextmanager
async def finra(body: bytes) -> AsyncIterator[tuple[FinraServer, FinraSource]]:
    async with (
        FinraServer(files={name_of(DAY.date): body}, now=Clock(NOW)) as server,
        files.plain_http() as http,
    ):
        yield server, FinraSource(http, server.daily_url, Clock(NOW))


@pytest.mark.parametrize("name", bombs.FINRA_FILES)
async def test_a_finra_file_that_is_too_much_is_refused(name: str) -> None:
    bomb = bombs.FINRA_FILES[name]
    async with finra(bomb.body) as (server, source):
        with pytest.raises(BadBars) as caught:
            await source.bars(DAY)
        assert bomb.said in caught.value.seen
        (asked,) = server.requests
        assert asked.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("name", bombs.PACKED_FINRA)
async def test_a_packed_finra_file_that_is_too_much_is_refused(name: str) -> None:
    bomb = bombs.PACKED_FINRA[name]
    async with finra(b"") as (server, source):
        server.faults.always(sent(bomb.body, PACKED))
        with pytest.raises(BadBars) as caught:
            await source.bars(DAY)
        assert bomb.said in caught.value.seen
        assert len(server.requests) == 1


# Day aggregates.


def recent() -> TradingDay:
    """Signatures carry the machine's own time."""
    return sessions_ending(last_complete(datetime.now(UTC)), 2)[0]


@pytest.mark.parametrize("name", bombs.DAY_FILES)
async def test_a_day_file_that_is_too_much_is_refused(name: str) -> None:
    bomb = bombs.DAY_FILES[name]
    day = recent()
    async with files.s3_server({key("day_aggs_v1", day.date): bomb.body}) as server:
        reader = await asyncio.to_thread(S3Reader, files.s3_access(server.url))
        with pytest.raises(BadBars) as caught:
            await DayAggsSource(reader, Clock(datetime.now(UTC))).bars(day)
        assert bomb.said in caught.value.seen
        assert len([seen for seen in server.requests if seen.key]) == 1


@pytest.mark.parametrize(("on", "status"), [("list", 200), ("list", 403), ("get", 403)])
async def test_what_s3_says_is_bounded(on: str, status: int) -> None:
    day = recent()
    async with files.s3_server({key("day_aggs_v1", day.date): b""}) as server:
        server.faults.add(faults.Status(status, b"<a/>" * 600_000, "application/xml"), on=on)
        reader = await asyncio.to_thread(S3Reader, files.s3_access(server.url), attempts=3)
        with pytest.raises(BadBars, match="2,097,152 is the most"):
            await DayAggsSource(reader, Clock(datetime.now(UTC))).bars(day)
        assert len(server.requests) == (1 if on == "list" else 2)


# There is room for several times a real day.


def bars_of(count: int) -> Bars:
    lines = [line(f"T{n:05}", volume=f"{n * 7919 % 10**8 + 1}.{n:06}") for n in range(count)]
    return parse(files.packed(DAY, lines), DAY)


def test_four_real_days_in_one_fit() -> None:
    assert len(bars_of(50_000)) == 50_000


async def test_four_real_answers_in_one_fit() -> None:
    rows = files.grouped([line(f"T{n:05}", volume=f"{n * 7919}.5") for n in range(50_000)])
    async with files.rest(Clock(NOW), days={DAY.date: rows}) as rest:
        rest.server.faults.always(Zipped("gzip"))
        assert len((await rest.source.bars(DAY)).bars) == 50_000


async def test_four_real_finra_files_in_one_fit() -> None:
    body = files.finra(DAY, [line(f"T{n:05}", volume=f"{n * 7919}.5") for n in range(40_000)])
    async with finra(body) as (_, source):
        assert len((await source.bars(DAY)).bars) == 40_000


async def test_two_real_days_of_short_volumes_in_one_fit() -> None:
    names, some = [f"a_short_volume_of_some_facility_{n:02}" for n in range(9)], random.Random(3)
    rows = [
        {"ticker": f"T{n:05}", "total_volume": n + 0.5}
        | {name: some.randrange(10**6) for name in names}
        for n in range(20_000)
    ]
    async with files.rest(Clock(NOW), short_volumes={DAY.date: rows}) as rest:
        rest.server.faults.always(Zipped("gzip"))
        served = await ShortVolumeSource(rest.client, Clock(NOW)).bars(DAY)
        assert len(served.bars) == 20_000
        assert served.travelled is not None
        assert served.travelled < 3 * 10**6


async def test_three_large_pages_of_news_fit() -> None:
    told = {"title": "Up", "article_url": "https://a.example/", "published_utc": f"{NOW:%FT%TZ}"}
    story = told | {"tickers": ["A", "B"], "description": "word, " * 40 + "x" * 6_000}
    async with files.rest(Clock(NOW), news=[story] * 3_000) as rest:
        news = await Reference(rest.client).news(NOW, NOW)
        assert (len(news.stories), news.whole) == (3_000, True)


# The counting itself.


def unpacked(payload: bytes, slice_bytes: int) -> bytes:
    file = Gzipped(DAY_FILE, "it")
    for start in range(0, len(payload), slice_bytes):
        file.add(payload[start : start + slice_bytes])
    return file.whole()


@pytest.mark.parametrize("slice_bytes", [1, 7, 4096, 10**6])
def test_gzip_in_any_slices_is_the_same_text(slice_bytes: int) -> None:
    text = random.Random(2).randbytes(30_000).hex().encode() + b"x" * 300_000
    payload = gzip.compress(text[:100]) + b"\0" * 9 + gzip.compress(text[100:]) + b"\0" * 5
    assert unpacked(payload, slice_bytes) == text
    with pytest.raises(EOFError):
        unpacked(payload[:-15], slice_bytes)
    with pytest.raises(zlib.error):
        unpacked(payload + b"junk", slice_bytes)


def test_what_is_small_may_unpack_as_it_likes() -> None:
    allowed = b"x" * UNPACKS_FROM_BYTES
    assert unpacked(gzip.compress(allowed), 100) == allowed
    with pytest.raises(BadBars, match=f"more than {UNPACKS} times"):
        unpacked(gzip.compress(allowed + b"x"), 100)


def test_a_bound_is_the_last_that_fits() -> None:
    most = replace(FINRA_FILE, unpacked_bytes=40, rows=3, values=6, columns=3)
    refuse_large_table(b"a|b|c\n1|2|3\n1|2|3\n", b"|", most, "it")
    for text in (b"a|b|c|d\n", b"a\n" * 4, b"a|b\n|||||| \n", b"a" * 41):
        with pytest.raises(BadBars):
            refuse_large_table(text, b"|", most, "it")
    Tally(most, "it").add(b'{"a":[1,2,3,4,5,6,{}]}')
    for body in (b"[[[[", b"[1,1,1,1,1,1,1,1]", b" " * 41):
        with pytest.raises(BadBars):
            Tally(most, "it").add(body)


# What all that is for.

PEAK_MB = 320
"""Of a process that may have 512."""


async def test_the_worst_of_all_sources_stays_in_a_small_memory() -> None:
    """In a process of its own, which says at how many MB it peaked."""
    rest = [*map(rest_fault, REST), *map(sent, bombs.just_within())]
    finra_files = [sent(bomb.body) for bomb in bombs.FINRA_FILES.values()]
    finra_files += [sent(bomb.body, PACKED) for bomb in bombs.PACKED_FINRA.values()]
    day_files = [sent(bomb.body) for bomb in bombs.DAY_FILES.values()]
    there = {key("day_aggs_v1", recent().date): b""}
    async with (
        files.rest() as vendor,
        FinraServer() as finra_server,
        files.s3_server(there) as bucket,
    ):
        times = [len(rest)] * 4 + [len(finra_files), len(day_files)]
        for operation in ("grouped", "short-volume", "tickers", "news"):
            vendor.server.faults.add(*rest, on=operation)
        finra_server.faults.add(*finra_files, on="get")
        bucket.faults.add(*day_files, on="get")
        urls = (vendor.server.url, finra_server.daily_url, bucket.url)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.core.sources.bombed_child", *urls, *map(str, times)),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await child.communicate()
        left = [len(it.faults) for it in (vendor.server, finra_server, bucket)]
        assert left == [0, 0, 0], "not all of it was asked for"
    assert child.returncode == 0
    assert int(told.split()[-1]) < PEAK_MB, told.decode()
