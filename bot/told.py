"""Who hears of a backfill as it goes on, and who does what is left to do after it."""

from collections.abc import Awaitable, Callable

from core.jobs import Job

Told = Callable[[Job], Awaitable[None]]
"""Hears of every session that is through, and of the end."""
After = Callable[[Job], Awaitable[bool]]
"""Does what a job's stage asks for; False if it gave way to another job."""


async def untold(job: Job) -> None:
    """Where nobody looks."""


async def nothing_more(job: Job) -> bool:
    """Where nothing is done afterwards."""
    return True
