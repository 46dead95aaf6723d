"""Works off a backfill: some sessions at a time, elsewhere, giving way to the newest one.

The job is the database's: this may die at any moment, and goes on with what waits when it is run
again. Sessions are fetched without holding anybody up; only storing one takes the turn.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.attempts import Attempts, unsaid
from bot.giving_way import given_way
from bot.outcomes import away_because, cannot_be_kept, cause, instead_of, is_away, is_refusal_of_all
from bot.over_there import Terms
from bot.patience import Patience
from bot.told import After, Told, nothing_more, untold
from core.afterwards import Afterwards
from core.alone import alone
from core.begun import Begun
from core.db import StorageError, Unwritable
from core.elsewhere import Made, MakeTask, NobodyToWork, WorkerUnfit, unheard
from core.errors import LeaseLost, SourceUnavailable, TapewatchError
from core.jobs import BAD, GOOD, Job, Jobs, JobState, Unit
from core.ladder import Ladder
from core.moved import move
from core.pipeline import Pipeline, SplitsSource
from core.pool import Pool
from core.renewed import Renewal
from core.sources import AWAY_AFTER, NoneServed
from core.staged import Staged
from core.turn import Turn
from core.unworked import Unworked

logger = logging.getLogger(__name__)

_REST_S = 60.0
_LOOK_S = 15.0


@dataclass(slots=True)
class Runner:
    """One job at a time."""

    jobs: Jobs
    ladder: Ladder
    pool: Pool
    staged: Staged
    task: MakeTask
    made: Made = unheard
    splits: SplitsSource | None = None
    """Who is asked for them instead of those whom the nightly run asks."""
    turn: Turn = field(default_factory=Turn)
    """Held while a session is stored, by whoever stores one."""
    free: asyncio.Event = field(default_factory=asyncio.Event)
    """Not set while the newest session is coming in: then none of the past is begun."""
    lock: Path | None = None
    """Held by whoever works: a shell and a service may have the same folder."""
    told: Told = untold
    said: Callable[[], None] = unsaid
    """Hears that there is a correction to be delivered."""
    after: After = nothing_more
    rest_s: float = _REST_S
    """Between two rounds while a source is away; a word in chat ends it."""
    look_s: float = _LOOK_S
    """Between two looks at the tables while there is nothing to do."""
    is_there: bool = False
    """Does somebody look for work here, now and later?"""
    _knows_splits: tuple[int, str] | None = None
    """Of a job and its series: they may be many pages, at few calls a minute."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """For whoever shows jobs: one was begun, or changed, whatever is done here meanwhile."""
    renewal: Renewal = field(init=False)
    """For whoever builds the rungs anew."""
    begun: Begun = field(init=False)
    """What is under way; to be given back when it cannot be."""
    _afterwards: Afterwards = field(init=False)
    _unworked: Unworked = field(init=False)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Nothing is coming in yet."""
        self.free.set()
        self.renewal = Renewal(self.jobs, self.ladder)
        self.begun = Begun(self.jobs, self.ladder, self.turn)
        self._afterwards, self._unworked = Afterwards(self.jobs.db), Unworked(self.jobs.db)

    def wake(self) -> None:
        """A job was begun, or changed."""
        self._woken.set()
        self.moved.set()

    async def run(self) -> None:
        """For ever: whatever waits, then for a word."""
        self.is_there, is_begun = True, False
        while True:
            self._woken.clear()
            try:
                if not is_begun:
                    await self._begin()
                    is_begun = True
                if not await self._next():
                    # Another process may have begun a job, or resumed it: the tables know.
                    await self._pause(self.look_s)
            except (OSError, Unwritable) as error:
                # A bucket that is away, a disk without room for a lock: over by itself, perhaps.
                await self._nowhere(error)

    async def _begin(self) -> None:
        """What a process that is no more has left behind."""
        async with alone(self.lock) as mine:
            if mine:
                await self.begun.interrupted()
        await asyncio.to_thread(self.staged.clear, self.jobs.now())

    async def _nowhere(self, error: OSError | Unwritable) -> None:
        """There is no place to work in; whoever waits for a job is told why."""
        why = cannot_be_kept(error)
        if (job := await self._waiting()) is not None:
            await self._rest(job, why)
        else:
            logger.warning("no backfill could be read now", extra={"seen": why})
            await self._pause(self.rest_s)

    async def _waiting(self) -> Job | None:
        """The job that is under way, or else the first that has something left to do."""
        job = await self.jobs.newest()
        if job is not None and job.state is JobState.RUNNING:
            return job
        return await self._afterwards.unsettled()

    async def _next(self) -> bool:
        """Work at what there is; False if there is nothing."""
        if (job := await self._waiting()) is None:
            return False
        async with alone(self.lock) as mine:
            if not mine:
                logger.info("another process is at the backfill")
                await self._pause(self.look_s)
            elif job.state is JobState.RUNNING:
                await self.work_off(job)
            else:
                await self.settle(job)
        return True

    async def settle(self, job: Job) -> bool:
        """What is left to do after it, one stage; False if that gave way to another job."""
        await self.told(job)
        # What it meets is a value here: one job's fault is not to stand in every other's way.
        (done,) = await asyncio.gather(self.begun.then(job, self.after), return_exceptions=True)
        if isinstance(done, OSError | Unwritable):
            await self._rest(job, cannot_be_kept(done))
            return False
        if done is False:
            return False
        if isinstance(done, BaseException):
            if not isinstance(done, Exception) or isinstance(done, StorageError | LeaseLost):
                raise done
            facts = {"job": job.id, "stage": job.stage}
            logger.error("what is left to do after a backfill failed", extra=facts, exc_info=done)
            await self._afterwards.give_up(job)
        await self._unworked.because(job, "")
        await self._afterwards.settled(job)
        await self.told(await self.jobs.job(job.id))
        return True

    async def work_off(self, job: Job) -> None:
        """Until it is over, paused, or about another series."""
        self._woken.clear()  # what was said before it is in the tables
        job = await self.renewal.present(job)
        pipeline = self._pipeline(job)
        if pipeline is None:
            said = f"{job.series} is not read under these settings"
            await self.jobs.state(job, JobState.PAUSED, said)
            return await self.told(await self.jobs.job(job.id))
        try:
            try:
                await self._worked(job, pipeline)
            except NobodyToWork as error:
                if not await self._is_moved(job):
                    why = f"{error}; it goes on by itself when that is over"
                    return await self._rest(job, why)
            await self._end(job)
        except (OSError, Unwritable) as error:
            await self._rest(job, cannot_be_kept(error))
        return None

    async def _worked(self, job: Job, pipeline: Pipeline) -> None:
        """Raises NobodyToWork; OSError and Unwritable if what comes in cannot be kept."""
        units = set[asyncio.Task[TapewatchError | None]]()
        try:
            await self.pool.ready()
            # When nothing could be written, nothing could be given back.
            await self.begun.give_back(job)
            await self._unworked.because(job, "")
            await self.told(await self.jobs.job(job.id))
            await self._learn_splits(job, pipeline)
            await self._units(job, pipeline, units)
        finally:
            for unit in units:
                unit.cancel()
            await asyncio.gather(*units, return_exceptions=True)
            await self.pool.close()
            with suppress(OSError):  # once their bars can be had again
                await self.begun.give_back(job)

    async def _learn_splits(self, job: Job, pipeline: Pipeline) -> None:
        if self._knows_splits == (job.id, job.series):
            return
        await given_way(self.free, job, self._unworked, self.told)
        asking = asyncio.create_task(pipeline.learn_splits(job.first, job.last), name="splits")
        try:
            while not asking.done() and not await self._is_moved(job):
                await self._pause(self.look_s, asking)
            if asking.done() and not asking.result():
                self._knows_splits = job.id, job.series
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _units(
        self, job: Job, pipeline: Pipeline, units: set[asyncio.Task[TapewatchError | None]]
    ) -> None:
        """Raises NobodyToWork, once every session that is under way has ended."""
        attempts = Attempts(self.jobs, self.ladder, self.turn, self.said)
        away, nobody, patience = 0, None, Patience()
        clock = asyncio.get_running_loop().time
        while True:
            await given_way(self.free, job, self._unworked, self.told)
            if (await self.jobs.job(job.id)).series != job.series:
                return
            more = nobody is None and len(units) < self.pool.crew.size
            if more and (day := await self.jobs.take(job)):
                if patience.is_over(clock()):
                    pipeline.ask_all_again()
                    await self._unworked.because(job, "")
                made = attempts.made(job, pipeline, day, waits=patience.waits)
                units.add(asyncio.create_task(made, name=f"unit {day}"))
                continue
            if not units:
                if nobody is not None:
                    raise nobody
                return
            errors = await self._some(job, units)
            nobody = next((e for e in errors if isinstance(e, NobodyToWork)), nobody)
            away = await self._weighed(job, errors, away, patience)
            await self.told(job)
            if not all(map(is_away, errors)):
                patience.came_in()
            if away >= AWAY_AFTER:
                away = 0
                await self._rest(job, away_because(errors))
                if any(isinstance(cause(error), SourceUnavailable) for error in errors):
                    patience.rested(clock())
                await self._unworked.away(job)
                pipeline.ask_all_again()
                if not patience.waits and (said := instead_of(pipeline.chain.sources)):
                    await self._unworked.meanwhile(job, said)

    async def _some(
        self, job: Job, units: set[asyncio.Task[TapewatchError | None]]
    ) -> list[TapewatchError | None]:
        """What came of those that end next; a word in chat that ends the job may end all."""
        if await self._pause(None, *units):
            state = (await self.jobs.job(job.id)).state
            if state is not JobState.RUNNING and not self.pool.crew.lets_end:
                await self.pool.close(f"the backfill is {state}")
        done = {unit for unit in units if unit.done()}
        units -= done
        return [unit.result() for unit in done]

    async def _weighed(
        self, job: Job, errors: list[TapewatchError | None], away: int, patience: Patience
    ) -> int:
        """How many in a row were the source's fault by now; what holds for all pauses the job."""
        for error in errors:
            away = away + 1 if is_away(error) else 0
            if isinstance(error, WorkerUnfit):
                await self.jobs.state(job, JobState.PAUSED, str(error))
            if patience.is_sure(refused=is_refusal_of_all(error)) and isinstance(error, NoneServed):
                await self._refused(job, error)
        return away

    async def _refused(self, job: Job, error: NoneServed) -> None:
        """The next series of the ladder serves instead; after the last one a person has to help."""
        keys = [rung.series.key for rung in self.ladder.rungs]
        now = await self.jobs.job(job.id)
        if now.series != job.series or now.is_over:
            return  # another unit has met the same, or nobody wants it any more
        # It is no session's fault: each waits, for the next series, or for the key or the plan.
        await self._unworked.refused(job, str(cause(error).verdict))
        if lower := keys[keys.index(job.series) + 1 :]:
            await move(self.jobs.db, job, lower[0], f"{job.series} is refused: {error}")
        else:
            await self.jobs.state(job, JobState.PAUSED, str(error))

    async def _rest(self, job: Job, why: str) -> None:
        """For a reason that the card tells; not when somebody has moved the job, or does."""
        if await self._is_moved(job):
            return
        logger.warning("the backfill rests", extra={"job": job.id, "seen": why})
        with suppress(OSError, Unwritable):  # the log has it
            await self._unworked.because(job, why)
        said = (await self.jobs.job(job.id)).reason
        with suppress(OSError, Unwritable):
            await self.told(await self.jobs.job(job.id))
        left_s = self.rest_s
        # Whoever moves it may be another process: the tables know. Paused and resumed between two
        # looks it is what it was, but for the reason.
        while left_s > 0 and not await self._is_moved(job, said):
            is_woken = await self._pause(min(left_s, self.look_s))
            left_s = 0 if is_woken else left_s - self.look_s

    async def _is_moved(self, job: Job, said: str | None = None) -> bool:
        """Is it another state, or another reason than was `said`?"""
        now = await self.jobs.job(job.id)
        return now.state is not job.state or (said is not None and now.reason != said)

    async def _pause(self, most_s: float | None, *doing: asyncio.Task[Any]) -> bool:
        """For a while, or until one of them is done, or there is a word; was there one?"""
        woken = asyncio.create_task(self._woken.wait(), name="woken")
        try:
            await asyncio.wait({*doing, woken}, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        is_woken = self._woken.is_set()
        self._woken.clear()
        return is_woken

    async def _end(self, job: Job) -> None:
        counts = await self.jobs.counts(job)
        is_done = not counts.get(Unit.WAITING) and not counts.get(Unit.RUNNING)
        if is_done or (await self.jobs.job(job.id)).is_over:
            # Nobody works any more: what is there was put there for somebody who was killed.
            await asyncio.to_thread(self.staged.empty)
        if is_done:
            good, bad = (sum(counts.get(u, 0) for u in units) for units in (GOOD, BAD))
            await self.jobs.state(job, JobState.DONE)
            logger.info("backfill done", extra={"job": job.id, "stored": good, "failed": bad})
        await self.ladder.compact()
        await self.told(await self.jobs.job(job.id))

    def _pipeline(self, job: Job) -> Pipeline | None:
        """The job's rung, read elsewhere; None if these settings read no such series."""
        found = next((p for p in self.ladder.rungs if p.series.key == job.series), None)
        told = Terms(self.pool, self.staged, self.task, self.made, self.ladder.rules, self.splits)
        return None if found is None else told.read(found)
