"""Sides of the stream measurement: who reads the file, and how late the loop is meanwhile."""

import asyncio
import resource
import sys
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any, BinaryIO, cast

from bench.child import Job, Watch, peak_mb
from bench.lag import tick
from bench.stream import ACCESS_KEY_ID, DAY, SECRET
from core.bars import Scope
from core.calendar import trading_day
from core.conditions import bundled
from core.sources.day_aggs import key
from core.sources.flatfiles import TRADES
from core.sources.s3 import S3Reader
from core.sources.s3_names import S3Access
from core.sources.s3_stream import S3Stream
from core.sources.trades import TradesSource
from core.tape import read_tape

_NOW = datetime(2026, 10, 3, 16, tzinfo=UTC)


def in_a_child(job: Job, watch: Watch) -> dict[str, Any]:
    """The service's own source."""
    reader, access = _s3(job)
    source = TradesSource(
        reader, access, lambda: _NOW, bundled(), Scope.OFF_EXCHANGE, Path(job.work) / "cache",
        lambda reading: None,
    )  # fmt: skip
    found = asyncio.run(_watched(source.bars(trading_day(DAY)), watch))
    children_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return found | {"reader_mb": children_kb / 1024, "bytes": _size(job)}


def in_a_thread(job: Job, watch: Watch) -> dict[str, Any]:
    """The same reading beside the loop, in its process."""
    reader, _ = _s3(job)

    def read() -> None:
        listed = reader.find(key(TRADES, DAY))
        assert listed is not None
        with S3Stream(reader, listed) as stream:
            read_tape(cast(BinaryIO, stream), trading_day(DAY), bundled())

    sys.setswitchinterval(0.005)
    found = asyncio.run(_watched(asyncio.to_thread(read), watch))
    return found | {"reader_mb": peak_mb()}


def from_disk(job: Job, watch: Watch) -> dict[str, Any]:
    """Nothing but the kernel: what the way from S3 may cost at most."""
    with watch.lap(), (Path(job.work) / key(TRADES, DAY)).open("rb") as stream:
        read_tape(stream, trading_day(DAY), bundled())
    return {"reader_mb": peak_mb()}


def _s3(job: Job) -> tuple[S3Reader, S3Access]:
    access = S3Access(job.market, "flatfiles", ACCESS_KEY_ID, SECRET)
    return S3Reader(access), access


def _size(job: Job) -> int:
    return (Path(job.work) / key(TRADES, DAY)).stat().st_size


async def _watched(work: Awaitable[Any], watch: Watch) -> dict[str, Any]:
    lags_s: list[float] = []
    ticking = asyncio.create_task(tick(lags_s))
    await asyncio.sleep(0.05)
    lags_s.clear()
    with watch.lap():
        await work
    await asyncio.sleep(0.01)
    ticking.cancel()
    return {"max_s": max(lags_s), "p99_s": quantiles(lags_s, n=100, method="inclusive")[98]}
