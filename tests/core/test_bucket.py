"""core.bucket: the cache, and what a storage that misbehaves is taken for."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.bucket import Bucket
from core.bucket_bounds import Most
from core.errors import BarsAway, Verdict
from core.files import parquet
from core.sources.bounds import LISTING_BYTES
from core.sources.s3_names import S3Access
from tests.servers.faults import Drip, Fault, Hang, Reset, Status, Truncated, html
from tests.servers.s3 import internal_error, slow_down, too_many, xml_error
from tests.servers.s3_writable import WritableS3Server

KEY_ID, SECRET = "AKIDAKIDAKIDAKIDAKID", "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr"
NAME = "bars/x/2026-11-19.parquet"
LOTS = 1 << 30


@dataclass
class There:
    """A server, and the folder that is the cache."""

    server: WritableS3Server
    cache: Path

    def bucket(self, **given: Any) -> Bucket:
        """As after a start."""
        secret = given.pop("secret", SECRET)
        key_id = given.pop("key_id", KEY_ID)
        access = S3Access(self.server.url, given.pop("name", "tape"), key_id, secret)
        most = given.pop("most_bytes", LOTS)
        return Bucket(access, "pre", self.cache, most, attempts=1, **given)

    def asked(self, method: str) -> list[str]:
        """The keys, in order; listings have none."""
        return [seen.key for seen in self.server.requests if seen.method == method and seen.key]

    def cached(self) -> list[Path]:
        """All files of the cache."""
        return sorted(p for p in self.cache.rglob("*") if p.is_file())


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[There]:
    async with WritableS3Server(
        access_key_id=KEY_ID, secret_access_key=SECRET, bucket="tape"
    ) as server:
        yield There(server, tmp_path / "cache")


async def run(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


def read(bucket: Bucket, name: str = NAME) -> bytes:
    (path,) = bucket.paths([name])
    return path.read_bytes()


def age(path: Path, by_s: float = 601) -> None:
    """As if it had not been asked for since then."""
    old_s = path.stat().st_mtime - by_s
    os.utime(path, (old_s, old_s))


async def test_an_object_is_fetched_once_also_over_a_restart(there: There) -> None:
    def work() -> None:
        there.bucket().put(NAME, b"one")
        there.cached()[0].unlink()
        assert [read(there.bucket()) for _ in range(3)] == [b"one"] * 3
        assert there.asked("GET") == [f"pre/{NAME}"]

    await run(work)


async def test_what_others_wrote_is_seen_when_the_listing_is_old(there: There) -> None:
    def work() -> None:
        mine, theirs = there.bucket(listed_for_s=0), there.bucket()
        mine.put(NAME, b"one")
        there.server.objects[f"pre/{NAME}"] = b"of another machine"
        assert read(mine) == b"of another machine"
        assert read(theirs) == b"of another machine"

    await run(work)


@pytest.mark.parametrize("way", ["written", "fetched"])
async def test_a_path_that_was_given_may_be_opened_after_the_session_was_rewritten(
    there: There, way: str
) -> None:
    """By another process as well, with which the cache is shared."""

    def work() -> None:
        mine, theirs = there.bucket(listed_for_s=0), there.bucket(listed_for_s=0)
        mine.put(NAME, b"one")
        (given,) = mine.paths([NAME])
        if way == "written":
            theirs.put(NAME, b"two")
        else:
            there.server.objects[f"pre/{NAME}"] = b"two"
        assert read(theirs) == b"two"
        assert given.read_bytes() == b"one"
        age(given)
        theirs.put(NAME, b"three")
        assert not given.exists(), "nobody opens it any more"
        assert read(mine) == b"three"

    await run(work)


async def test_of_a_session_that_is_rewritten_often_some_copies_are_kept(there: There) -> None:
    def work() -> None:
        bucket = there.bucket()
        bucket.put(NAME, b"first")
        for path in bucket.paths([NAME]):
            age(path, 300)
        for n in range(40):
            bucket.put(NAME, f"{n}".encode())
        kept = {path.read_bytes() for path in there.cached()}
        assert kept == {f"{n}".encode() for n in range(40 - 17, 40)}
        bucket.put(NAME.replace("19", "20"), b"another")
        bucket.forget_copy(NAME)
        assert [path.read_bytes() for path in there.cached()] == [b"another"]
        assert read(bucket) == b"39"
        bucket.put(NAME, b"40")
        bucket.drop(NAME)
        assert len(there.cached()) == 1

    await run(work)


async def test_a_listing_of_many_pages_is_read_to_its_end(there: There) -> None:
    def work() -> None:
        there.server.page_keys = 2
        names = [f"bars/x/2026-11-{n:02}.parquet" for n in range(1, 8)]
        for name in names:
            there.server.objects[f"pre/{name}"] = name.encode()
        bucket = there.bucket()
        assert sorted(bucket.listed("bars/x")) == [Path(name).name for name in names]
        assert [p.read_bytes() for p in bucket.paths(names)] == [n.encode() for n in names]

    await run(work)


async def test_the_cache_forgets_what_was_not_asked_for_for_longest(there: There) -> None:
    def work() -> None:
        names = [f"bars/x/2026-11-{n:02}.parquet" for n in range(1, 6)]
        for name in names:
            there.server.objects[f"pre/{name}"] = b"x" * 1000
        bucket = there.bucket(most_bytes=2500)
        bucket.paths(names)
        assert len(there.cached()) == 5, "all of them were asked for just now"
        for age, path in enumerate(there.cached()):
            old = path.stat().st_mtime - 3600 * (5 - age)
            os.utime(path, (old, old))
        last = there.cached()[-1].name
        bucket.paths([names[0]])
        there.server.objects["pre/bars/x/2026-11-09.parquet"] = b"y" * 1000
        there.bucket(most_bytes=2500).paths(["bars/x/2026-11-09.parquet"])
        kept = [path.name for path in there.cached()]
        assert len(kept) == 2
        assert any(name.endswith(names[0].rpartition("/")[2]) for name in kept)
        assert any(name.endswith("2026-11-09.parquet") for name in kept)
        assert last not in kept
        assert read(there.bucket(), names[3]) == b"x" * 1000

    await run(work)


@pytest.mark.parametrize("fault", [Reset(), internal_error(), slow_down(), html(502)])
async def test_a_lost_answer_to_a_write_is_an_error_and_the_next_one_holds(
    there: There, fault: Fault
) -> None:
    def work() -> None:
        bucket = there.bucket()
        bucket.put(NAME, b"one")
        there.server.faults.add(fault, on="put")
        with pytest.raises(BarsAway):
            bucket.put(NAME, b"two")
        # It had arrived; whoever reads meets one or the other, and never a mixture.
        assert read(bucket) in (b"one", b"two")
        bucket.put(NAME, b"two")
        assert read(bucket) == read(there.bucket()) == b"two"

    await run(work)


@pytest.mark.parametrize("fault", [Truncated(), Reset(after_bytes=1), html(200), too_many()])
async def test_half_an_object_never_comes_into_the_cache(there: There, fault: Fault) -> None:
    def work() -> None:
        there.server.objects[f"pre/{NAME}"] = b"all of it"
        there.server.faults.add(fault, on="get")
        with pytest.raises(BarsAway):
            read(there.bucket())
        assert there.cached() == []
        assert read(there.bucket()) == b"all of it"

    await run(work)


@pytest.mark.parametrize("on", ["get", "list"])
async def test_an_answer_that_drips_is_not_waited_for_to_its_end(there: There, on: str) -> None:
    """Each byte comes soon enough for a read time-out to be content."""

    def work() -> None:
        there.server.objects[f"pre/{NAME}"] = b"all of it" * 50
        there.server.faults.add(Drip(chunk_bytes=1, pause_s=0.2), on=on)
        with pytest.raises(BarsAway, match=r"was not whole after 0\.3 s") as caught:
            read(there.bucket(whole_s=0.3))
        assert caught.value.verdict is Verdict.UNREACHABLE
        assert there.cached() == []
        assert read(there.bucket()) == b"all of it" * 50

    await run(work)


@pytest.mark.parametrize("fault", [html(200), html(200, well_formed=False), internal_error()])
async def test_a_web_page_is_no_empty_listing(there: There, fault: Fault) -> None:
    def work() -> None:
        there.server.objects[f"pre/{NAME}"] = b"all of it"
        there.server.faults.add(fault, on="list")
        bucket = there.bucket()
        with pytest.raises(BarsAway):
            bucket.listed("bars/x")
        assert len(bucket.listed("bars/x")) == 1

    await run(work)


def parquet_of(rows: int) -> bytes:
    return parquet(pl.DataFrame({"ticker": ["AAPL"] * rows}))


async def test_what_is_too_large_is_refused_before_it_is_read(there: There) -> None:
    """Bytes, rows that a small file says to have, an answer, and a listing without an end."""

    def work() -> None:
        small = Most(4_000, 100, 4_000, 200, letters=500, pages=5)
        quarter = "quarters/x/2026Q4.77ab.parquet"
        there.server.objects.update(
            {f"pre/{NAME}": b"x" * 4_001, f"pre/{quarter}": parquet_of(150)}
        )

        def refused(told: str, ask: Callable[[], object]) -> None:
            with pytest.raises(BarsAway, match=told) as caught:
                ask()
            assert caught.value.verdict is Verdict.VENDOR_FAULT

        bucket = there.bucket(most=small)
        refused("4,001 bytes or more; 4,000 is the most", lambda: read(bucket))
        there.server.objects[f"pre/{NAME}"] = parquet_of(101)
        refused("101 rows or more; 100 is the most", lambda: read(there.bucket(most=small)))
        assert there.cached() == []
        there.server.objects[f"pre/{NAME}"] = parquet_of(100)
        assert there.bucket(most=small).paths([NAME, quarter])
        long = Status(200, b" " * (LISTING_BYTES + 1), "application/xml")
        there.server.faults.add(long, on="list")
        refused("bytes or more", lambda: there.bucket().listed("bars/x"))
        names = [f"pre/bars/x/2026-11-{n:02}.parquet" for n in range(1, 21)]
        there.server.objects.update(dict.fromkeys(names, b""))
        refused("letters or more", lambda: there.bucket(most=small).listed("bars/x"))
        there.server.page_keys = 1
        refused("6 pages or more", lambda: there.bucket(most=small).listed("bars/x"))

    await run(work)


async def test_each_refusal_has_its_verdict_and_no_secret_in_it(there: There) -> None:
    def work() -> None:
        seen = dict[Verdict, str]()

        def probed(**given: str) -> None:
            with pytest.raises(BarsAway) as caught:
                there.bucket(**given).probe()
            seen[caught.value.verdict] = str(caught.value)

        probed(secret="n0t" * 10)
        probed(key_id="AKIDNOBODY")
        probed(name="another")
        there.server.refuses_writes = True
        probed()
        there.server.refuses_writes = False
        there.server.faults.add(xml_error(403, "RequestTimeTooSkewed"), on="put")
        probed()
        there.server.faults.add(too_many(), on="put")
        probed()
        assert set(seen) == {
            *(Verdict.WRONG_SECRET, Verdict.WRONG_ACCESS_KEY, Verdict.NOT_CONFIGURED),
            *(Verdict.NO_ACCESS, Verdict.CLOCK_WRONG, Verdict.RATE_LIMITED),
        }
        for said in seen.values():
            assert said.startswith("s3://")
            assert SECRET not in said
            assert "n0t" not in said
        assert seen[Verdict.NO_ACCESS] == "s3://tape/pre/: put: HTTP 403 AccessDenied"

    await run(work)


async def test_a_server_that_hangs_is_waited_for_once_by_all(there: There) -> None:
    there.server.faults.always(Hang(), on="list")
    bucket = await asyncio.to_thread(there.bucket, list_timeout_s=0.5)
    asks = [asyncio.to_thread(bucket.listed, "bars/x") for _ in range(4)]
    met = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(error) for error in met] == 4 * [BarsAway]
    assert len(there.server.requests) == 1


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    def work() -> None:
        access = S3Access("http://127.0.0.1:9", "tape", KEY_ID, SECRET)
        with pytest.raises(BarsAway) as caught:
            Bucket(access, "", tmp_path, LOTS, attempts=1).listed("bars/x")
        assert caught.value.verdict is Verdict.UNREACHABLE

    await run(work)
