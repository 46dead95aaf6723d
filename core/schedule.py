"""What is due, and when to ask. APScheduler only rings: a late or lost ring loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from core.calendar import NEW_YORK, TradingDay, last_complete, sessions_ending
from core.ledger import Entry, Status

ANNOUNCED_SESSIONS = 2
"""After an outage at most so many sessions are announced; older ones are stored silently."""

_ABSENT_AGAIN = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Hours:
    """When to ask for a session that is not in yet; times of day in New York."""

    first: time
    every_minutes: int
    deadline: time

    def open(self, now: datetime) -> bool:
        """Is this a time of day at which to ask again?"""
        return self.first <= now.astimezone(NEW_YORK).time() <= self.deadline

    def expected(self, now: datetime) -> TradingDay:
        """The newest session whose deadline has passed."""
        local = now.astimezone(NEW_YORK)
        day = local.date() if local.time() > self.deadline else local.date() - timedelta(days=1)
        return last_complete(datetime.combine(day, self.first, NEW_YORK))


def due(
    wanted: Sequence[TradingDay], entries: Mapping[date, Entry], now: datetime
) -> list[TradingDay]:
    """The sessions to work on, oldest first: wanted minus finished.

    One that every source says it lacks is asked for again once a day.
    """

    def _is_due(day: TradingDay) -> bool:
        entry = entries.get(day.date)
        if entry is None:
            return True
        if entry.status is Status.ABSENT:
            return now - entry.tried_at >= _ABSENT_AGAIN
        return entry.status is not Status.FINISHED

    return sorted(day for day in wanted if _is_due(day))


def announced(newest: TradingDay) -> list[TradingDay]:
    """The sessions worth a message, oldest first; the rest is history."""
    return sessions_ending(newest, ANNOUNCED_SESSIONS)


class Bell:
    """Rings at EOD time and every few minutes; what is due then is not its business."""

    def __init__(self, hours: Hours) -> None:
        self._hours, self._rung = hours, asyncio.Event()

    def ring(self) -> None:
        """Somebody wants the tables looked at now."""
        self._rung.set()

    async def heard(self) -> None:
        """Returns at the next ring; rings in between count as one."""
        await self._rung.wait()
        self._rung.clear()

    @asynccontextmanager
    async def ringing(self) -> AsyncIterator[None]:
        """Ring by the clock until the block ends."""
        scheduler = await asyncio.to_thread(self._clockwork)
        scheduler.start()
        try:
            yield
        finally:
            scheduler.shutdown(wait=False)

    async def _ring_from_scheduler(self) -> None:
        self.ring()

    def _clockwork(self) -> Any:
        # It takes its time to load, beside the loop; and only the service rings.
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.cron import CronTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        scheduler = AsyncIOScheduler(timezone=NEW_YORK)
        # APScheduler's defaults would skip a tick that comes a second late.
        always = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        first = CronTrigger(
            hour=self._hours.first.hour, minute=self._hours.first.minute, timezone=NEW_YORK
        )
        scheduler.add_job(self._ring_from_scheduler, first, **always)
        again = IntervalTrigger(minutes=self._hours.every_minutes, timezone=NEW_YORK)
        scheduler.add_job(self._ring_from_scheduler, again, **always)
        return scheduler
