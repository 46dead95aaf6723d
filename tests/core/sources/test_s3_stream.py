"""A stream over bad lines: the bytes of one copy, in order, and none of them fetched twice."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from core.errors import SourceError, SourceRefused, SourceUnavailable, Verdict
from core.sources.s3 import S3Reader
from core.sources.s3_names import Forbidden, Gone, Listed, Republished
from core.sources.s3_stream import Patience, S3Stream
from core.sources.tape_job import TapeJob
from tests import files
from tests.contracts.test_sources import FAULTS
from tests.servers import faults, s3
from tests.servers.faults import Fault
from tests.servers.s3 import S3Server

NAME = "us_stocks_sip/trades_v1/2026/10/2026-10-02.csv.gz"
SIZE = 3_000_000
WHOLE = Random(1).randbytes(SIZE)
QUICK = Patience(tries=3, least_bytes=1, least_s=10, first_wait_s=0)


@dataclass(frozen=True, slots=True)
class There:
    """A bucket with one object, and whoever reads it."""

    server: S3Server
    reader: S3Reader
    listed: Listed

    def stream(self, patience: Patience = QUICK) -> S3Stream:
        """The object, as listed before the test began."""
        return S3Stream(self.reader, self.listed, patience)

    async def read(self, patience: Patience = QUICK) -> bytes:
        """All of it, away from the loop."""
        with self.stream(patience) as stream:
            return await asyncio.to_thread(stream.read)

    async def failure(self, patience: Patience = QUICK) -> SourceError:
        """Why it cannot be read."""
        with pytest.raises(SourceError) as caught:
            await self.read(patience)
        assert files.says_no_secret(caught.value)
        return caught.value

    @property
    def starts(self) -> list[int]:
        """The first byte that each request asked for."""
        asked = [seen.range or "bytes=0-" for seen in self.server.requests if seen.key]
        return [int(part.removeprefix("bytes=").removesuffix("-")) for part in asked]


@asynccontextmanager
async def bucket(
    timeout_s: float = 5, body: bytes = WHOLE, **settings: Any
) -> AsyncIterator[There]:
    async with files.s3_server({NAME: body}, **settings) as server:

        def opened() -> tuple[S3Reader, Listed | None]:
            access = files.s3_access(server.url)
            reader = S3Reader(access, attempts=1, read_timeout_s=timeout_s)
            return reader, reader.find(NAME)

        reader, listed = await asyncio.to_thread(opened)
        assert listed is not None
        yield There(server, reader, listed)


async def test_a_good_line_needs_one_request_for_the_copy_that_was_listed() -> None:
    async with bucket() as there:
        assert await there.read() == WHOLE
        seen = there.server.requests[-1]
        assert (seen.range, seen.if_match) == (None, f'"{there.listed.etag}"')
        assert there.server.sent_bytes(NAME) == SIZE


async def test_an_empty_object_is_asked_for_by_nobody() -> None:
    async with bucket(body=b"") as there:
        assert await there.read() == b""
        assert there.starts == []


@pytest.mark.parametrize("seed", range(6))
async def test_closed_at_random_bytes_nothing_is_fetched_twice(seed: int) -> None:
    rng = Random(seed)
    async with bucket() as there:
        for _ in range(rng.randint(1, 9)):
            cut = faults.Truncated(after_bytes=rng.choice([1, rng.randrange(1, SIZE // 8)]))
            there.server.faults.add(cut, on="get")
        assert await there.read() == WHOLE
        assert there.server.sent_bytes(NAME) == SIZE
        assert there.starts == sorted(set(there.starts))


@pytest.mark.parametrize("seed", range(6))
async def test_reset_at_random_bytes_only_what_was_lost_is_fetched_again(seed: int) -> None:
    rng = Random(seed)
    async with bucket() as there:
        cuts = [rng.randrange(1, SIZE // 8) for _ in range(rng.randint(1, 9))]
        there.server.faults.add(*(faults.Reset(after_bytes=cut) for cut in cuts), on="get")
        assert await there.read() == WHOLE
        # What was on its way when the line was reset is gone; all before it was kept.
        came = [later - earlier for earlier, later in pairwise(there.starts)]
        lost = sum(cut - got for cut, got in zip(cuts, came, strict=True))
        assert all(0 <= got <= cut for cut, got in zip(cuts, came, strict=True))
        assert there.server.sent_bytes(NAME) == SIZE + lost


async def test_a_burst_of_refusals_is_waited_out() -> None:
    async with bucket() as there:
        there.server.faults.add(s3.slow_down(), s3.too_many(), faults.html(502), on="get")
        there.server.faults.add(faults.Truncated(after_bytes=1000), on="get")
        there.server.faults.add(s3.internal_error(), faults.Reset(), on="get")
        assert await there.read() == WHOLE
        assert there.starts == [0, 0, 0, 0, 1000, 1000, 1000]


async def test_patience_ends_after_so_many_connections_that_brought_next_to_nothing() -> None:
    async with bucket() as there:
        there.server.faults.add(faults.Truncated(after_bytes=1000), on="get")
        there.server.faults.always(s3.slow_down(), on="get")
        error = await there.failure()
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.RATE_LIMITED)
        assert f"1,000 of {SIZE:,} bytes" in error.seen
        assert there.starts == [0, 1000, 1000, 1000]


async def test_crumbs_are_no_progress() -> None:
    patience = Patience(tries=3, least_bytes=1000, first_wait_s=0)
    async with bucket() as there:
        there.server.faults.always(faults.Truncated(after_bytes=249), on="get")
        assert isinstance(await there.failure(patience), SourceUnavailable)
        assert there.starts == [0, 249, 498, 747]
        there.server.requests.clear()
        there.server.faults.clear()
        there.server.faults.add(*[faults.Truncated(after_bytes=334)] * 40, on="get")
        assert await there.read(patience) == WHOLE


async def test_waits_grow_and_have_an_end() -> None:
    patience = Patience(tries=5, first_wait_s=0.02, longest_wait_s=0.08)
    async with bucket() as there:
        there.server.faults.always(s3.slow_down(), on="get")
        began = time.monotonic()
        await there.failure(patience)
        spent = time.monotonic() - began
        assert 0.02 + 0.04 + 3 * 0.08 <= spent < 2


async def test_silence_is_a_lost_connection() -> None:
    async with bucket(timeout_s=0.2) as there:
        there.server.faults.add(faults.Hang(), faults.Hang(after_bytes=70_000), on="get")
        assert await there.read() == WHOLE
        assert there.starts == [0, 0, 70_000]


async def test_a_drip_is_a_lost_connection_and_not_one_byte_of_it_is_wasted() -> None:
    patience = Patience(tries=3, least_bytes=5_000, least_s=0.2, first_wait_s=0)
    drip = faults.Drip(chunk_bytes=1, pause_s=0.01, after_bytes=40_000)
    async with bucket() as there:
        there.server.faults.add(drip, drip, on="get")
        assert await there.read(patience) == WHOLE
        first, second, third = there.starts
        assert first == 0
        assert 40_000 < second < 40_100
        assert 80_000 < third < 80_200
        there.server.faults.always(faults.Drip(chunk_bytes=1, pause_s=0.01), on="get")
        assert "fewer than 5,000 bytes in 0.2 s" in (await there.failure(patience)).seen


async def test_another_copy_is_never_mixed_with_the_first() -> None:
    async with bucket() as there:
        there.server.faults.add(
            there.server.replaced_midway(NAME, WHOLE[::-1], after_bytes=10_000), on="get"
        )
        assert type(await there.failure()) is Republished
        assert type(await there.failure()) is Republished, "it is not the one that was listed"
        assert there.server.sent_bytes(NAME) == 10_000


@pytest.mark.parametrize("start", [0, 1000])
async def test_another_copy_from_a_server_that_knows_no_conditions(start: int) -> None:
    async with bucket() as there:
        if start:
            there.server.faults.add(faults.Truncated(after_bytes=start), on="get")
        other = faults.Status(206 if start else 200, WHOLE[::-1], headers={"ETag": '"other"'})
        there.server.faults.add(other, on="get")
        assert type(await there.failure()) is Republished


async def test_a_whole_object_is_not_taken_for_its_rest() -> None:
    async with bucket(ignores_ranges=True) as there:
        there.server.faults.add(faults.Truncated(after_bytes=1000), on="get")
        error = await there.failure()
        assert (type(error), error.verdict) == (SourceUnavailable, Verdict.VENDOR_FAULT)
        assert "HTTP 200, all of it, when asked for the bytes from 1,000 on" in error.seen
        there.server.ignores_ranges = False
        assert await there.read() == WHOLE


ODD: dict[str, Fault] = {
    "another part": faults.Status(206, WHOLE[2000:], headers={"Content-Range": "bytes 2000-/*"}),
    "a part without its place": faults.Status(206, WHOLE[1000:]),
    "too little": faults.Clipped(),
    "nothing": faults.Status(204),
    "not modified": faults.Status(304),
    "a web page": faults.html(),
    "blanks without end": faults.Endless(claims_bytes=3 * 10**9),
    "a bomb": faults.GzipBomb(megabytes=1),
    "no such range": s3.xml_error(416, "InvalidRange"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_an_odd_answer_is_asked_for_again(odd: Fault) -> None:
    async with bucket() as there:
        there.server.faults.add(faults.Truncated(after_bytes=1000), odd, on="get")
        assert await there.read() == WHOLE
        assert there.starts == [0, 1000, 1000]


REFUSALS: dict[str, tuple[Fault, type[SourceError], Verdict]] = {
    "no entitlement": (faults.Status(403), Forbidden, Verdict.PLAN_LACKS_DATA_SET),
    "gone": (s3.xml_error(404, "NoSuchKey"), Gone, Verdict.NOT_PUBLISHED_YET),
    "a key that was revoked": (
        s3.xml_error(403, "InvalidAccessKeyId"),
        SourceRefused,
        Verdict.WRONG_ACCESS_KEY,
    ),
}


@pytest.mark.parametrize(("fault", "kind", "verdict"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_is_believed_at_once(
    fault: Fault, kind: type[SourceError], verdict: Verdict
) -> None:
    async with bucket() as there:
        there.server.faults.add(faults.Truncated(after_bytes=1000), fault, on="get")
        error = await there.failure()
        assert (type(error), error.verdict) == (kind, verdict)
        assert there.starts == [0, 1000]


async def test_whatever_comes_only_what_the_errand_knows_escapes() -> None:
    patience = Patience(tries=0)
    async with bucket(body=WHOLE[:1000]) as there:
        for name, fault in FAULTS.items():
            there.server.faults.always(fault, on="get")
            # The last one is none: blanks without end that have no length, cut off at 1,000.
            if name != "endless":
                assert type(await there.failure(patience)) in TapeJob.errors.values(), name
            there.server.faults.clear()
        assert await there.read() == WHOLE[:1000]


async def test_without_etags_the_size_must_do() -> None:
    async with bucket() as there:
        listed = Listed(NAME, "", SIZE)
        there.server.faults.add(faults.Truncated(after_bytes=1000), on="get")
        with S3Stream(there.reader, listed, QUICK) as stream:
            assert await asyncio.to_thread(stream.read) == WHOLE
        assert {seen.if_match for seen in there.server.requests} == {None}


async def test_closing_hangs_up() -> None:
    async with bucket() as there:
        stream = there.stream()
        assert len(await asyncio.to_thread(stream.read, 100)) == 100
        stream.close()
        with pytest.raises(ValueError, match="closed"):
            stream.read(1)


async def test_closing_ends_a_wait_for_the_next_connection() -> None:
    patience = Patience(tries=3, first_wait_s=50)
    async with bucket() as there:
        there.server.faults.always(faults.Reset(), on="get")
        stream = there.stream(patience)
        reading = asyncio.create_task(asyncio.to_thread(stream.read, 100))
        await asyncio.sleep(0.5)  # it has lost the line by then, and waits
        assert there.starts == [0]
        assert not reading.done()
        began = time.monotonic()
        stream.close()
        with pytest.raises(ValueError, match="closed"):
            await reading
        assert time.monotonic() - began < 1
        assert there.starts == [0]
