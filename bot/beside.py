"""A shell's part in a backfill: it works where nobody else does, and looks on beside a service.

One process at a time fetches, stores and counts the calls; a service that begins takes over.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bot.app import App
from bot.logs import say
from bot.told import Told, untold
from core.alone import alone
from core.jobs import Job
from core.lease import Holder, at_work

Work = Callable[[Job], Coroutine[Any, Any, bool | None]]
"""False if it gave way to another job."""


@dataclass(slots=True)
class Beside:
    """One shell."""

    app: App
    told: Told = untold
    """Hears of the job from time to time while somebody else works at it."""
    service: Holder | None = None
    """Who does, as far as is known."""
    look_s: float = 1.0
    _who: str = ""
    _why: str = ""

    async def through(self, job: Job, is_wanted: Callable[[Job], bool], work: Work) -> Job:
        """The job when it is no longer wanted, or `work` has given way."""
        runner = self.app.backfilling.runner
        runner.look_s = self.look_s  # somebody waits for the prompt
        while is_wanted(job := await runner.jobs.job(job.id)):
            self.service = await at_work(self.app.db, self.app.now())
            if self.service is not None:
                self._says(f"a service ({self.service.place})")
            else:
                async with alone(runner.lock) as mine:
                    self._says("" if mine else "another process")
                    if mine:
                        with suppress(OSError):  # of bars that are away: work says it
                            await runner.begun.interrupted()  # whoever was at it is gone
                        if await self._alone(work(job)) is False:
                            return job
                        continue
            self._rests(job.reason)
            await self.told(job)
            await asyncio.sleep(self.look_s)
        return job

    def _rests(self, why: str) -> None:
        """Whoever works has it in a log of its own."""
        if why and why != self._why:
            say(why)
        self._why = why

    def _says(self, who: str) -> None:
        if who != self._who:
            does = f"{who} does the backfill: this shows how far it is, and ^C ends only that"
            say(does if who else "whoever did the backfill has ended: this goes on with it")
        self._who = who

    async def _alone(self, doing: Coroutine[Any, Any, bool | None]) -> bool | None:
        """What came of it; None if a service has begun meanwhile."""
        task = asyncio.create_task(doing)
        try:
            while not task.done() and await at_work(self.app.db, self.app.now()) is None:
                await asyncio.wait({task}, timeout=self.look_s)
        finally:
            # What is under way waits again, as if nobody had begun it.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return None if task.cancelled() else task.result()
