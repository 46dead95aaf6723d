"""The card of a backfill in its channel: posted once, then edited at a humane pace."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.backfill_card import backfill_card, summary_card
from alerts.buttons import keep
from alerts.deliver import Sender
from alerts.message import stamp
from alerts.model import TERMINAL, Destination, Letter, Message, Receipt
from bot.backfilling import Backfilling
from core.afterwards import Afterwards
from core.errors import DeliveryError
from core.jobs import Job, JobState, Stage

logger = logging.getLogger(__name__)

_EVERY = timedelta(seconds=5)


@dataclass(slots=True)
class JobCards:
    """bot.runner.Told: the card is the job's, and so survives whoever posted it."""

    backfilling: Backfilling
    senders: Mapping[str, Sender]
    _shown: dict[int, tuple[datetime, JobState, Stage | None]] = field(default_factory=dict)

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
            message_id = await self._put(job, where, backfill_card(standing, said))
            if message_id != job.receipt:
                await jobs.posted(job, message_id)
            if _is_to_be_summed_up(job):
                letter = Letter(f"backfill:{job.id}:end", summary_card(standing, said))
                there = await self._said(letter, where)
                await Afterwards(jobs.db).summed_up(job, there.message_id)
        except DeliveryError as error:
            logger.warning("the card is not shown", extra={"job": job.id, "seen": str(error)})

    def _is_due(self, job: Job, now: datetime) -> bool:
        shown = self._shown.get(job.id)
        if shown is not None and shown[1:] == (job.state, job.stage) and now - shown[0] < _EVERY:
            return False
        self._shown[job.id] = (now, job.state, job.stage)
        return True

    async def _put(self, job: Job, where: Destination, message: Message) -> str:
        there = None if job.receipt is None else Receipt(job.receipt)
        return (await self._said(Letter(f"backfill:{job.id}", message), where, there)).message_id

    async def _said(
        self, letter: Letter, where: Destination, there: Receipt | None = None
    ) -> Receipt:
        """A new message, or another version of the one that is `there`."""
        jobs = self.backfilling.runner.jobs
        await keep(jobs.db, letter.message, jobs.now())
        sender = self.senders[where.platform]
        async with sender.turn(where):
            if there is None:
                return await sender.send(where, letter)
            return await sender.edit(where, there, letter)


def _is_to_be_summed_up(job: Job) -> bool:
    """Not before it is known which past alerts would differ."""
    is_known = job.state is JobState.DONE and job.stage is not Stage.ALERTS
    return job.announce and is_known and job.summary is None
