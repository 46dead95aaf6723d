"""One attempt at one session of a backfill, on record whatever comes of it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.outcomes import cause, is_away, is_refusal_of_all, outcome_of
from core.calendar import TradingDay, last_complete, sessions_ending
from core.db import Unwritable
from core.elsewhere import NotTried, WorkerLost
from core.errors import SourceError, TapewatchError
from core.gate import Unusual
from core.jobs import Job, Jobs, Outcome, Policy, Unit
from core.keep import Keeper, Kept
from core.ladder import Ladder
from core.ledger import Status
from core.neighbours import came_in, others_to_come, there_by_now
from core.pipeline import REVISIT_SESSIONS, Pipeline
from core.sources import NoneServed
from core.turn import Turn

logger = logging.getLogger(__name__)

MOST_TRIES = 5
"""So often a session is asked for while its source is away, or its worker dies."""


def unsaid() -> None:
    """Where nobody delivers."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Fetching holds nobody up; storing takes the turn."""

    jobs: Jobs
    ladder: Ladder
    turn: Turn
    said: Callable[[], None] = unsaid
    """Hears that there is a correction to be delivered."""
    _ending: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One at a time: of two beside each other the later one sees what became of the earlier."""

    async def made(
        self, job: Job, pipeline: Pipeline, day: TradingDay, *, waits: bool
    ) -> TapewatchError | None:
        """One attempt at one session, on record either way.

        `waits`: for a source that is away, until the session's last try; only then another serves.
        """
        clock = asyncio.get_running_loop().time
        began, again = clock(), job.policy is Policy.ALL
        waits = waits and await self.jobs.tries(job, day) < MOST_TRIES
        there = await there_by_now(self.jobs, job, day)
        # What it meets is a value here: whatever that is, the other sessions are read.
        (met,) = await asyncio.gather(
            self._brought(pipeline, day, again=again, waits=waits), return_exceptions=True
        )
        if isinstance(met, OSError | Unwritable):
            raise met  # no session's fault
        if isinstance(met, NotTried):
            return met  # it stays under way until all have ended, and are given back
        async with self._ending:
            if isinstance(met, BaseException):
                outcome = await self._failed(job, day, met, clock() - began, there)
            else:
                changed, worked = met
                await came_in(self.jobs, job, day, MOST_TRIES)
                unit = Unit.STORED if changed else Unit.SAME
                outcome = Outcome(unit, clock() - began, worked=worked)
            await self.jobs.put(job, day, outcome)
        return met if isinstance(met, SourceError | WorkerLost) else None

    async def _failed(
        self, job: Job, day: TradingDay, error: BaseException, seconds: float, there: int
    ) -> Outcome:
        """What becomes of it; a source that is away, and what nobody foresaw, is tried again.

        `there`: so many beside it had come in when it began.
        """
        # The first refusal of all may be a mistake; of the second the job makes an end.
        passes = is_away(error) or is_refusal_of_all(error)
        if isinstance(error, SourceError):
            (unit, why), seen = outcome_of(error), str(error)
            # By the sessions that were there, while others beside it are still to come, or came in
            # meanwhile: the gate may have looked before that.
            if isinstance(cause(error), Unusual):
                passes = await others_to_come(self.jobs, job, day, why)
                passes = passes or await there_by_now(self.jobs, job, day) > there
        elif isinstance(error, WorkerLost):
            unit, why, seen = Unit.FAILED, "its process died", str(error)
        else:
            facts = {"session": str(day)}
            logger.error("a session of the backfill failed", extra=facts, exc_info=error)
            unit, why, passes = Unit.FAILED, "our fault", True
            seen = f"failed on our side ({type(error).__name__}); the log has the details"
        again = passes and unit in (Unit.FAILED, Unit.HELD)
        if again and await self.jobs.tries(job, day) < MOST_TRIES:
            unit = Unit.WAITING
        return Outcome(unit, seconds, why, seen)

    async def _brought(
        self, pipeline: Pipeline, day: TradingDay, *, again: bool, waits: bool
    ) -> tuple[bool, float]:
        """Store the session and those beside it; did that change anything, and the work's seconds.

        What is waited for, a call, a worker, the turn, is no work.
        """
        changed, waited, clock = False, 0.0, asyncio.get_running_loop().time
        began = clock()
        # Whoever reads a part that is gone may find that the rest was republished.
        compares = again or (await _has(pipeline, day) and not await _is_whole(pipeline, day))
        teller = await self._teller(day) if compares else None
        silently = not await self._is_to_be_said(day)
        for one in (pipeline.beside, pipeline):
            if one is None or (not again and await _is_whole(one, day)):
                continue
            try:
                served = await one.fetched(day, waits=waits)
            except NoneServed as error:
                async with self.turn():
                    await one.not_served(day, error)
                raise
            asked = clock()
            async with self.turn():
                waited += served.waited_s + clock() - asked
                # In one go: the nightly run would say a session that is only stored.
                history = silently and one is pipeline and not _is_of(teller, one)
                kept = await one.take(day, served, silently=history)
                if kept is Kept.NEW and teller is not None and _is_of(teller.beside, one):
                    await Keeper(teller.store, teller.ledger, teller.now).anew(day)
                changed |= kept is not Kept.SAME
        if teller is not None:
            await self._corrected(teller, day)
        if silently and not _is_of(teller, pipeline):
            async with self.turn():
                await self._finished(pipeline, day)
        return changed, clock() - began - waited

    async def _teller(self, day: TradingDay) -> Pipeline | None:
        """Whose word on the session the channels have, young enough to be corrected."""
        watched = sessions_ending(last_complete(self.jobs.now()), REVISIT_SESSIONS)
        teller = await self.ladder.of(day)
        entry = await teller.ledger.entry(day)
        return teller if day in watched and entry is not None and entry.announced else None

    async def _corrected(self, teller: Pipeline, day: TradingDay) -> None:
        """Say what has changed of it, as of a file that was republished."""
        async with self.turn():
            entry = await teller.ledger.entry(day)
            if entry is not None and entry.status is Status.STORED:
                await teller.trading_day(day, announce=True)
                self.said()

    async def _is_to_be_said(self, day: TradingDay) -> bool:
        """Does the nightly run still owe the channels this session? Then it is only stored here."""
        entry = await self.ladder.entry(day)
        if entry is not None and entry.status is Status.FINISHED:
            return False
        newest = last_complete(self.jobs.now())
        return day in await self.ladder.owed(newest)

    async def _finished(self, pipeline: Pipeline, day: TradingDay) -> None:
        entry = await pipeline.ledger.entry(day)
        if entry is not None and entry.revision and entry.status is not Status.FINISHED:
            await pipeline.finish_silently(day)


async def _has(pipeline: Pipeline, day: TradingDay) -> bool:
    entry = (await pipeline.entries([day])).get(day.date)
    return entry is not None and entry.revision > 0


async def _is_whole(pipeline: Pipeline, day: TradingDay) -> bool:
    """Are its bars there, and those that came with them, if there were any?"""
    return await _has(pipeline, day) and not await pipeline.lacks([day])


def _is_of(one: Pipeline | None, other: Pipeline) -> bool:
    return one is not None and one.series == other.series
