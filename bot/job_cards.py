"""The card of a backfill in its channel: posted once, then edited at a humane pace."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from alerts.backfill_card import Standing, backfill_card, summary_card
from alerts.buttons import keep
from alerts.deliver import Sender
from alerts.message import stamp
from alerts.model import TERMINAL, Destination, Letter, Message, Receipt, Tried
from bot.backfilling import Backfilling
from core.afterwards import Afterwards
from core.db import Unwritable
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)
from core.jobs import Job, JobState, Stage

logger = logging.getLogger(__name__)

_OWED_FOR = timedelta(days=7)
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
    look_s: float = 15.0
    """Between two looks at what other processes have moved."""
    every_s: float = 5.0
    """A card that moves on is edited so often, and no more."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _late: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _put_off: set[int] = field(default_factory=set)
    """Jobs for which a platform has asked to wait."""
    _tried: dict[str, datetime] = field(default_factory=dict)
    """By its key, when a letter was sent last."""
    _looked: dict[int, tuple[float, JobState, Stage | None, str]] = field(default_factory=dict)
    _there: dict[int, Message] = field(default_factory=dict)
    """What each card shows by now."""

    @classmethod
    async def over(cls, backfilling: Backfilling, senders: Mapping[str, Sender]) -> Self:
        """Hears of every session from now on."""
        jobs = backfilling.runner.jobs
        cards = cls(backfilling, senders, jobs.now(), await Afterwards(jobs.db).last())
        backfilling.runner.told = cards
        return cards

    async def run(self) -> None:
        """For ever: the cards that are owed, whoever has moved the job, and whenever that was."""
        runner = self.backfilling.runner
        while True:
            runner.moved.clear()
            try:
                since = runner.jobs.now() - _OWED_FOR
                for job in await Afterwards(runner.jobs.db).owed(since):
                    await self(job)
            except (OSError, Unwritable) as error:
                logger.warning("cards are not shown", extra={"seen": str(error)})
            with suppress(TimeoutError):
                async with asyncio.timeout(self.look_s):
                    await runner.moved.wait()

    async def __call__(self, job: Job) -> None:
        """Post it or edit it; what cannot be said in the channel is in the log and /backfill."""
        where = Destination.parse(job.place)
        if where.platform == TERMINAL.platform or where.platform not in self.senders:
            return None
        if job.id in self._put_off:
            return None
        # Before the rest is read: this is told of every session, and shown every few seconds.
        early_s = self._early_s(await self.backfilling.runner.jobs.job(job.id))
        if early_s > 0:
            return self._show_later(job, early_s)
        async with self._turn:
            standing = await self.backfilling.standing(job)
            if standing is not None:
                await self._card(standing, where)
                await self._summary(standing, where)
        return None

    async def _card(self, standing: Standing, where: Destination) -> None:
        job, said = standing.job, stamp(self.backfilling.ladder.top.series)
        letter = Letter(f"backfill:{job.id}", backfill_card(standing, said))
        try:
            if job.receipt is None:
                await self._posted(letter, where, job)
            elif self._there.get(job.id) != letter.message:
                await self._edited(letter, where, job, Receipt(job.receipt))
        except DeliveryError as error:
            if not self._waits(job, error):
                await self._afterwards.shown(job)
            return
        self._there[job.id] = letter.message
        await self._afterwards.shown(job)

    async def _summary(self, standing: Standing, where: Destination) -> None:
        job, said = standing.job, stamp(self.backfilling.ladder.top.series)
        if not _is_to_be_summed_up(job):
            return
        letter = Letter(f"backfill:{job.id}:end", summary_card(standing, said))
        try:
            there = await self._post(letter, where, job)
        except DeliveryError as error:
            if not self._waits(job, error):
                await self._afterwards.summed_up(job, "")
            return
        await self._afterwards.summed_up(job, there.message_id)

    def _waits(self, job: Job, error: DeliveryError) -> bool:
        """Is it worth another try?"""
        logger.warning("the card is not shown", extra={"job": job.id, "seen": str(error)})
        if not isinstance(error, DeliveryDeferred | DeliveryAmbiguous):
            return False
        if isinstance(error, DeliveryDeferred):
            # Neither sooner nor later than the platform says.
            self._put_off.add(job.id)
            self._let_go(job)
        wait_s = getattr(error, "retry_after_s", None)
        self._show_later(job, min(wait_s or _REST_S, _LONGEST_S))
        return True

    def _let_go(self, job: Job) -> None:
        waits = self._late.pop(job.id, None)
        if waits is not None and waits is not asyncio.current_task():
            waits.cancel()

    def _show_later(self, job: Job, seconds: float) -> None:
        waits = self._late.get(job.id)
        if waits is None or waits.done() or waits is asyncio.current_task():
            self._late[job.id] = asyncio.create_task(self._later(job, seconds))

    async def _later(self, job: Job, seconds: float) -> None:
        """Nobody may tell of this job again: its end is told once."""
        await asyncio.sleep(seconds)
        self._looked.pop(job.id, None)
        self._put_off.discard(job.id)
        with suppress(OSError, Unwritable):  # then it stays owed
            await self(job)

    async def close(self) -> None:
        """What is owed then the next start finds."""
        for task in self._late.values():
            task.cancel()
        await asyncio.gather(*self._late.values(), return_exceptions=True)

    def _early_s(self, job: Job) -> float:
        """How long to wait before it is shown again; none if it is another matter than before."""
        now, told = (
            asyncio.get_running_loop().time(),
            (job.state, job.stage, job.reason + job.moved),
        )
        looked = self._looked.get(job.id)
        if looked is not None and looked[1:] == told and now - looked[0] < self.every_s:
            return self.every_s - (now - looked[0])
        self._looked[job.id] = (now, *told)
        return 0.0

    @property
    def _afterwards(self) -> Afterwards:
        return Afterwards(self.backfilling.runner.jobs.db)

    async def _posted(self, letter: Letter, where: Destination, job: Job) -> None:
        there = await self._post(letter, where, job)
        await self._afterwards.posted(job, there.message_id)

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

    async def _edited(self, letter: Letter, where: Destination, job: Job, there: Receipt) -> None:
        """In place; somebody who deletes the card has it once more, and not a third time."""
        sender, jobs = self.senders[where.platform], self.backfilling.runner.jobs
        await keep(jobs.db, letter.message, jobs.now())
        try:
            async with sender.turn(where):
                await sender.edit(where, there, letter)
        except DeliveryRefused as error:
            if error.reason is not Reason.MESSAGE_GONE:
                raise
            if await self._afterwards.is_posted_anew(job):
                raise
            await self._posted(letter, where, job)


def _is_to_be_summed_up(job: Job) -> bool:
    """Not before it is known which past alerts would differ."""
    is_known = job.state is JobState.DONE and job.stage is not Stage.ALERTS
    return job.announce and is_known and job.summary is None
