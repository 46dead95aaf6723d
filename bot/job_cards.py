"""The card of a backfill in its channel: posted once, then edited at a humane pace."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.backfill_card import backfill_card, summary_card
from alerts.buttons import keep
from alerts.deliver import Sender
from alerts.message import stamp
from alerts.model import TERMINAL, Destination, Letter, Receipt, Tried
from bot.backfilling import Backfilling
from core.afterwards import Afterwards
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryError
from core.jobs import Job, JobState, Stage

logger = logging.getLogger(__name__)

_EVERY = timedelta(seconds=5)
_REST_S, _LONGEST_S = 30.0, 900.0
_ANSWER_WITHIN = timedelta(minutes=2)
"""A request whose answer is not there by then is not accepted any more either."""


@dataclass(slots=True)
class JobCards:
    """bot.runner.Told: the card is the job's, and so survives whoever posted it."""

    backfilling: Backfilling
    senders: Mapping[str, Sender]
    begun_at: datetime
    """When this process began."""
    known: int = 0
    """The newest job by then: what was posted of those, and not recorded, is looked for."""
    _late: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _tried: dict[str, datetime] = field(default_factory=dict)
    """By its key, when a letter was sent last."""
    _shown: dict[int, tuple[datetime, JobState, Stage | None, str]] = field(default_factory=dict)

    async def __call__(self, job: Job) -> None:
        """Post it or edit it; what cannot be said in the channel is in the log and /backfill."""
        where = Destination.parse(job.place)
        if where.platform == TERMINAL.platform or where.platform not in self.senders:
            return
        jobs = self.backfilling.runner.jobs
        # Before the rest is read: this is told of every session, and shown every few seconds.
        if not self._is_due(await jobs.job(job.id), jobs.now()):
            return
        standing = await self.backfilling.standing(job)
        if standing is None:
            return
        job, said = standing.job, stamp(self.backfilling.ladder.top.series)
        try:
            card = Letter(f"backfill:{job.id}", backfill_card(standing, said))
            if job.receipt is not None:
                await self._edit(card, where, Receipt(job.receipt))
            else:
                there = await self._post(card, where, job)
                await Afterwards(jobs.db).posted(job, there.message_id)
            if _is_to_be_summed_up(job):
                letter = Letter(f"backfill:{job.id}:end", summary_card(standing, said))
                there = await self._post(letter, where, job)
                await Afterwards(jobs.db).summed_up(job, there.message_id)
        except DeliveryError as error:
            logger.warning("the card is not shown", extra={"job": job.id, "seen": str(error)})
            if isinstance(error, DeliveryDeferred | DeliveryAmbiguous):
                wait_s = getattr(error, "retry_after_s", None)
                self._put_off(job, min(wait_s or _REST_S, _LONGEST_S))

    def _put_off(self, job: Job, seconds: float) -> None:
        waits = self._late.get(job.id)
        if waits is None or waits.done() or waits is asyncio.current_task():
            self._late[job.id] = asyncio.create_task(self._later(job, seconds))

    async def _later(self, job: Job, seconds: float) -> None:
        """Nobody may tell of this job again: its end is told once."""
        await asyncio.sleep(seconds)
        self._shown.pop(job.id, None)
        await self(job)

    async def close(self) -> None:
        """What was put off is found at the next start."""
        for task in self._late.values():
            task.cancel()
        await asyncio.gather(*self._late.values(), return_exceptions=True)

    def _is_due(self, job: Job, now: datetime) -> bool:
        shown, told = self._shown.get(job.id), (job.state, job.stage, job.reason)
        if shown is not None and shown[1:] == told and now - shown[0] < _EVERY:
            return False
        self._shown[job.id] = (now, *told)
        return True

    async def _post(self, letter: Letter, where: Destination, job: Job) -> Receipt:
        """One message, though a process that died, or a lost answer, may have posted it before."""
        sender, jobs = self.senders[where.platform], self.backfilling.runner.jobs
        await keep(jobs.db, letter.message, jobs.now())
        async with sender.turn(where):
            last = self._tried.get(letter.key, self.begun_at if job.id <= self.known else None)
            if last is not None:
                tried = Tried(job.created_at, last + _ANSWER_WITHIN, last)
                if (found := await sender.find(where, letter, tried)) is not None:
                    return await sender.edit(where, found, letter)
            self._tried[letter.key] = jobs.now()
            return await sender.send(where, letter)

    async def _edit(self, letter: Letter, where: Destination, there: Receipt) -> None:
        sender, jobs = self.senders[where.platform], self.backfilling.runner.jobs
        await keep(jobs.db, letter.message, jobs.now())
        async with sender.turn(where):
            await sender.edit(where, there, letter)


def _is_to_be_summed_up(job: Job) -> bool:
    """Not before it is known which past alerts would differ."""
    is_known = job.state is JobState.DONE and job.stage is not Stage.ALERTS
    return job.announce and is_known and job.summary is None
