"""Trades from S3 to bars of both scopes, undisturbed and otherwise: the result is the same."""

import asyncio
import gzip
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from polars.testing import assert_frame_equal

import core
from core.bars import Family, Scope, Series
from core.calendar import TradingDay, last_complete, sessions_ending
from core.conditions import bundled
from core.errors import (
    BadBars,
    NotPublished,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    Verdict,
)
from core.progress import Reading
from core.sources import Served
from core.sources.control import control_day
from core.sources.day_aggs import key
from core.sources.flatfiles import TRADES
from core.sources.s3 import S3Reader
from core.sources.s3_names import Listed
from core.sources.s3_stream import Patience
from core.sources.sample_market import SampleMarket
from core.sources.tape_job import TapeJob
from core.sources.tape_served import both_scopes
from core.sources.trades import TradesSource
from core.tape import Tape, read_tape, session_of
from core.tape_sums import Limits
from tests import files
from tests.core.sources.test_errand import gone_within
from tests.files import Clock
from tests.servers import faults, s3
from tests.servers.faults import Fault
from tests.servers.s3 import S3Server

NOW = datetime.now(UTC)
DAY, OLD = (sessions_ending(last_complete(NOW), 60)[n] for n in (-2, 0))
NAME = key(TRADES, DAY.date)
CACHE = Path(core.__file__).parent / "__pycache__"
"""Compiled once for all tests."""
QUICK = Patience(tries=3, least_bytes=1, first_wait_s=0)


@cache
def tape_file() -> bytes:
    """A session of the built-in market: some 100,000 trades, 4 MB."""
    return SampleMarket().trades(DAY)


def lines(change: Callable[[list[str]], list[str]]) -> bytes:
    """The first trades of the session, changed."""
    text = gzip.decompress(tape_file()).decode().split("\n")[:3000]
    return gzip.compress("\n".join([*change(text), ""]).encode())


@cache
def other_file() -> bytes:
    """Another copy of the session: fewer trades."""
    return lines(lambda text: text)


@cache
def expected(body: bytes) -> Tape:
    """The same file, read from memory in this process."""
    return read_tape(io.BytesIO(body), DAY, bundled())


@pytest.fixture(scope="module", autouse=True)
def _read_before_the_loop_runs() -> None:
    """The compiled code is loaded from disk, which the loop must not do."""
    expected(tape_file())
    expected(other_file())


@dataclass(frozen=True, slots=True)
class There:
    """A bucket and a source that reads it."""

    server: S3Server
    source: TradesSource
    clock: Clock
    said: list[Reading] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, reading: Reading) -> None:
        """What the source says on its way."""
        self.said.append(reading)
        if reading.rows:
            self.begun.set()

    async def failure(self, day: TradingDay = DAY) -> SourceError:
        """Why the bars cannot be had."""
        with pytest.raises(SourceError) as caught:
            await self.source.bars(day)
        assert files.says_no_secret(caught.value)
        assert self.source.progress is None
        return caught.value


@asynccontextmanager
async def bucket(body: bytes | None = None, **settings: Any) -> AsyncIterator[There]:
    """DAY's trades; and small files for the sessions of the control reads."""
    others = [key(TRADES, day.date) for day in (OLD, control_day(DAY, NOW), control_day(OLD, NOW))]
    objects = dict.fromkeys(others, b"small") | {NAME: tape_file() if body is None else body}
    patience = settings.pop("patience", QUICK)
    scope = settings.pop("scope", Scope.OFF_EXCHANGE)
    async with files.s3_server(objects, **settings) as server:
        access, clock = files.s3_access(server.url), Clock(NOW)
        reader = await asyncio.to_thread(S3Reader, access, attempts=1)

        def told(reading: Reading) -> None:
            there.told(reading)

        source = TradesSource(reader, access, clock, bundled(), scope, CACHE, told, patience)
        there = There(server, source, clock)
        yield there


def assert_as_undisturbed(served: Served, body: bytes | None = None) -> None:
    """Both scopes, to the last digit."""
    wanted = both_scopes(expected(tape_file() if body is None else body), DAY)
    assert_frame_equal(served.bars, wanted[Scope.OFF_EXCHANGE], check_exact=True)
    ((series, bars),) = served.also
    assert series == Series(Scope.ALL, Family.TRADES, rules=bundled().version)
    assert_frame_equal(bars, wanted[Scope.ALL], check_exact=True)


def children() -> list[int]:
    """The processes that read, or invent, for this one."""
    told = ("ps", "-A", "-o", "pid=,ppid=,args=")
    shown = subprocess.run(told, capture_output=True, check=True, text=True).stdout
    rows = [row.split(None, 2) for row in shown.splitlines()]
    own = [(pid, args) for pid, parent, args in rows if parent == str(os.getpid())]
    return [int(pid) for pid, args in own if " core.sources." in args]


async def test_both_scopes_come_from_one_reading() -> None:
    async with bucket() as there:
        served = await there.source.bars(DAY)
        assert_as_undisturbed(served)
        assert served.bars.columns[-2:] == ["uncounted", "uncounted_volume"]
        assert there.source.series == Series(
            Scope.OFF_EXCHANGE, Family.TRADES, rules=bundled().version
        )
        assert [(seen.key, seen.range) for seen in there.server.requests] == [
            ("", None),
            (NAME, None),
        ]
        assert served.version == await there.source.version(DAY)
        assert served.source == "flat files (trades)"
        assert served.notes == ()
        assert served.detail is not None
        assert served.detail.startswith("off-exchange trades by facility: Nasdaq TRF Carteret ")
    first, *_, last = there.said
    assert (first.done_bytes, first.rows, first.share) == (0, 0, 0)
    assert (last.share, last.day, last.source) == (1, DAY, "flat files (trades)")
    done = [reading.done_bytes for reading in there.said]
    assert done == sorted(done)
    assert there.source.progress is None
    assert await asyncio.to_thread(children) == []


async def test_the_scope_asked_for_comes_first() -> None:
    async with bucket(other_file(), scope=Scope.ALL) as there:
        served = await there.source.bars(DAY)
        wanted = both_scopes(expected(other_file()), DAY)
        assert_frame_equal(served.bars, wanted[Scope.ALL], check_exact=True)
        assert served.also[0][0].scope is Scope.OFF_EXCHANGE
        assert there.source.series.scope is Scope.ALL


# Unkillable.


async def test_drops_at_random_bytes_cost_not_one_byte_twice() -> None:
    rng, size = Random(7), len(tape_file())
    async with bucket() as there:
        for _ in range(12):
            cut = faults.Truncated(after_bytes=rng.randrange(1, size // 12))
            there.server.faults.add(cut, on="get")
        assert_as_undisturbed(await there.source.bars(DAY))
        assert not there.server.faults
        assert there.server.sent_bytes(NAME) == size


async def test_every_fault_of_a_bad_night_in_turn() -> None:
    slow = Patience(tries=4, least_bytes=20_000, least_s=0.3, silence_s=0.5, first_wait_s=0.01)
    async with bucket(patience=slow) as there:
        there.server.faults.add(s3.slow_down(), s3.too_many(), faults.html(502), on="get")
        there.server.faults.add(faults.Reset(after_bytes=300_000), on="get")
        there.server.faults.add(s3.internal_error(), faults.Hang(after_bytes=400_000), on="get")
        there.server.faults.add(faults.Drip(1, 0.01, after_bytes=500_000), on="get")
        there.server.faults.add(faults.Truncated(), faults.Clipped(), s3.slow_down(), on="get")
        assert_as_undisturbed(await there.source.bars(DAY))
        assert not there.server.faults


async def test_a_file_that_is_republished_is_read_from_its_start() -> None:
    async with bucket() as there:
        there.server.faults.add(
            there.server.replaced_midway(NAME, other_file(), after_bytes=1_000_000), on="get"
        )
        served = await there.source.bars(DAY)
        assert_as_undisturbed(served, other_file())
        assert served.version == await there.source.version(DAY)
        assert there.server.sent_bytes(NAME) == 1_000_000 + len(other_file())


async def test_a_file_that_is_republished_again_and_again_is_left_alone() -> None:
    async with bucket() as there:
        for n in range(3):
            other = tape_file() + gzip.compress(b"A" * n)
            replaced = there.server.replaced_midway(NAME, other, after_bytes=1000)
            # The second one is for the request that finds out.
            there.server.faults.add(replaced, Fault(), on="get")
        error = await there.failure()
        assert isinstance(error, SourceUnavailable)
        assert "was replaced 3 times while it was read" in error.seen


@asynccontextmanager
async def midway(**settings: Any) -> AsyncIterator[tuple[There, "asyncio.Task[Served]"]]:
    """The source while it waits for the second half."""
    async with bucket(**settings) as there:
        there.server.faults.add(faults.Hang(after_bytes=2_000_000), on="get")
        task = asyncio.create_task(there.source.bars(DAY))
        await there.begun.wait()
        assert there.source.progress is not None
        yield there, task


async def test_a_reader_that_is_killed_is_started_again() -> None:
    async with midway() as (there, task):
        (child,) = await asyncio.to_thread(children)
        os.kill(child, signal.SIGKILL)
        assert_as_undisturbed(await task)
        assert there.server.sent_bytes(NAME) == 2_000_000 + len(tape_file())
        assert await asyncio.to_thread(gone_within, 0, child)


async def test_a_cancelled_reading_ends_at_once_and_can_begin_anew() -> None:
    async with midway() as (there, task):
        (child,) = await asyncio.to_thread(children)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 0.5)
        assert await asyncio.to_thread(gone_within, 0, child)
        assert there.source.progress is None
        assert_as_undisturbed(await there.source.bars(DAY))


async def test_a_killed_service_leaves_no_reader_and_the_next_one_gives_the_same() -> None:
    async with bucket() as there:
        there.server.faults.add(faults.Hang(after_bytes=2_000_000), on="get")
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.core.sources.reading_parent", there.server.url),
            stdout=asyncio.subprocess.PIPE,
        )
        assert parent.stdout is not None
        child = int(await parent.stdout.readline())
        parent.kill()
        await parent.wait()
        assert await asyncio.to_thread(gone_within, 1, child)
        assert_as_undisturbed(await there.source.bars(DAY))


# Refused, absent, bad.


async def test_what_is_not_over_or_not_listed_is_not_published() -> None:
    async with bucket() as there:
        there.clock.now = DAY.tape_end - timedelta(seconds=1)
        assert type(await there.failure()) is NotPublished
        assert not there.server.requests
        there.clock.now = NOW
        del there.server.objects[NAME]
        assert type(await there.failure()) is NotPublished
        assert await there.source.version(DAY) is None


async def test_listed_and_refused_is_the_plan_or_the_date() -> None:
    async with bucket(entitled=lambda name: False) as there:
        error = await there.failure()
        assert (type(error), error.verdict) == (SourceRefused, Verdict.PLAN_LACKS_DATA_SET)
        there.server.entitled = lambda name: name != key(TRADES, OLD.date)
        error = await there.failure(OLD)
        assert (type(error), error.verdict) == (SourceRefused, Verdict.DATE_OUTSIDE_PLAN)


async def test_a_key_that_is_revoked_on_the_way_is_told() -> None:
    async with bucket() as there:
        revoked: list[Fault] = [faults.Truncated(), s3.xml_error(403, "InvalidAccessKeyId")]
        there.server.faults.add(*revoked, on="get")
        error = await there.failure()
        assert (type(error), error.verdict) == (SourceRefused, Verdict.WRONG_ACCESS_KEY)


async def test_listed_and_then_gone_is_not_published() -> None:
    async with bucket() as there:
        there.server.faults.add(s3.xml_error(404, "NoSuchKey"), on="get")
        error = await there.failure()
        assert type(error) is NotPublished
        assert "being replaced" in error.seen


LISTINGS: dict[str, Fault] = {
    **{f"HTTP {n}": faults.Status(n) for n in (204, 301, 400, 403, 404, 429, 500, 503)},
    "a web page": faults.html(),
    "empty": faults.empty(),
    "clipped": faults.Clipped(),
    "reset": faults.Reset(),
}


async def test_whatever_the_listing_says_only_what_is_promised_escapes() -> None:
    async with bucket() as there:
        for name, fault in LISTINGS.items():
            there.server.faults.add(fault, on="list")
            assert isinstance(await there.failure(), SourceRefused | SourceUnavailable), name


async def test_a_line_that_stays_bad_is_an_unavailable_source() -> None:
    async with bucket() as there:
        there.server.faults.add(faults.Truncated(after_bytes=5000), on="get")
        there.server.faults.always(s3.slow_down(), on="get")
        error = await there.failure()
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.RATE_LIMITED)
        assert "(5,000 of " in error.seen


BAD = {
    "cut off": (lambda: other_file()[:-2000], "cut off"),
    "a bad checksum": (lambda: other_file()[:-8] + bytes(8), "no sound gzip"),
    "no price": (
        lambda: lines(lambda text: [text[0].replace("price", "prize"), *text[1:]]),
        "the columns price are missing",
    ),
}


@pytest.mark.parametrize(("body", "why"), BAD.values(), ids=BAD.keys())
async def test_bad_files_are_refused_with_a_sentence(body: Callable[[], bytes], why: str) -> None:
    async with bucket(body()) as there:
        error = await there.failure()
        assert type(error) is BadBars
        assert why in error.seen
        assert str(DAY) in error.seen


async def test_what_was_odd_is_said_with_the_conditions_that_nobody_knows() -> None:
    def odd(text: list[str]) -> list[str]:
        plain = next(row for row in text[1:] if row.split(",")[1] == "").split(",")
        plain[1], plain[8] = "99", str(int(plain[8]) - 2 * 86_400 * 10**9)
        return [*text, *text[1:] * 3, ",".join(plain), "a broken line"]

    async with bucket(lines(odd)) as there:
        first = await there.source.bars(DAY)
        there.server.objects[NAME] = lines(lambda text: [*odd(text), text[1]])
        second = await there.source.bars(DAY)
    assert first.notes == (
        "1 of 11,998 trades were not readable",
        "1 of 11,998 trades carry another date; counted",
    )
    assert first.unknown == second.unknown == ("99",)
    assert second.notes == tuple(n.replace("11,998", "11,999") for n in first.notes)


async def test_a_copy_that_was_read_is_not_read_again_good_or_bad() -> None:
    """A day that is held, or bad, is asked for at every bell; its gigabytes are not."""
    bad = lines(lambda text: text[:1])
    async with bucket() as there:
        good = await there.source.bars(DAY)
        assert await there.source.bars(DAY) is good
        assert there.server.sent_bytes(NAME) == len(tape_file())

        there.server.objects[NAME] = bad
        for _ in range(2):
            assert "header and no trade" in (await there.failure()).seen
        assert there.server.sent_bytes(NAME) == len(tape_file()) + len(bad)


def test_the_errand_arrives_as_it_was_sent_and_shows_no_secret() -> None:
    listed, access = Listed(NAME, "etag", 7), files.s3_access("http://127.0.0.1:1")
    job = TapeJob(access, listed, session_of(DAY), bundled(), QUICK, Limits(tickers=9))
    assert TapeJob.from_line(job.line()) == job
    assert files.says_no_secret(job)


def test_the_counting_process_has_no_room_for_what_it_does_not_need() -> None:
    asked = "import sys, core.sources.tape_child; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    modules = set(shown.stdout.decode().split())
    assert {"numba", "isal", "boto3"} <= modules
    assert not modules & {"polars", "pydantic", "httpx", "core.bars", "core.calendar", "pandas"}


def test_the_service_itself_does_without_compiler() -> None:
    asked = "import sys, core.sources.trades; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert not set(shown.stdout.decode().split()) & {"numba", "llvmlite", "isal"}
