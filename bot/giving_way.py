"""A backfill gives way while the newest session comes in; if that takes long, it says so."""

import asyncio
from contextlib import suppress

from bot.told import Told
from core.jobs import Job
from core.unworked import Unworked

_SOON_S = 5.0
"""A look at the sources in which nothing is new takes no longer."""
_FIRST = "the newest sessions come in first; it goes on by itself"


async def given_way(
    free: asyncio.Event, job: Job, unworked: Unworked, told: Told, *, soon_s: float = _SOON_S
) -> None:
    """Until `free` is set; OSError and Unwritable as core.unworked."""
    with suppress(TimeoutError):
        async with asyncio.timeout(soon_s):
            await free.wait()
            return
    await unworked.because(job, _FIRST)
    await told(job)
    await free.wait()
    await unworked.because(job, "")
    await told(job)
