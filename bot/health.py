"""Three questions about the service: is it alive, is it able, is what it knows fresh?

A copy that waits for another one's lease is alive and not able: whoever deploys should look at
/healthz, or would wait for a copy that waits for the copy that is to be replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts import counted
from bot.app import App
from bot.links import LinkState
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, last_complete, sessions_ending
from core.db import StorageError
from core.lease import Lease
from core.ledger import Status

_WRITTEN_WITHIN = timedelta(seconds=30)


class Standing(StrEnum):
    """What this copy is at."""

    PAUSED = "paused"
    PASSIVE = "passive"
    STARTING = "starting"
    ACTIVE = "active"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Freshness:
    """How the newest session that is expected stands."""

    expected: TradingDay
    """The newest one whose deadline has passed."""
    status: Status | None
    newest: TradingDay | None
    """The newest one that is finished, of the last sessions."""
    behind: int
    """Expected sessions after that one."""
    seen: str

    @property
    def is_fresh(self) -> bool:
        """Is nothing missing that should be there?"""
        return self.behind == 0


@dataclass(slots=True)
class Health:
    """Of one copy."""

    lease: Lease
    now: Callable[[], datetime]
    app: App | None = None
    """Once it is open."""
    leaving: bool = False
    paused: bool = False
    """By the settings: it never asks for the lease."""

    @property
    def standing(self) -> Standing:
        """By what it has."""
        if self.leaving or self.lease.lost.is_set():
            return Standing.LEAVING
        if self.paused:
            return Standing.PAUSED
        if not self.lease.is_held:
            return Standing.PASSIVE
        return Standing.STARTING if self.app is None else Standing.ACTIVE

    async def alive(self) -> tuple[bool, dict[str, object]]:
        """It answers, so it is."""
        return True, {"alive": True, "standing": self.standing}

    async def able(self) -> tuple[bool, dict[str, object]]:
        """Does everything work that it needs to say a digest, and to answer?"""
        lacking = self._lacking() + await self._unread()
        return not lacking, {
            "able": not lacking,
            "standing": self.standing,
            "lacking": lacking,
        }

    async def fresh(self) -> tuple[bool, dict[str, object]]:
        """Is the newest session that is expected in and judged?"""
        if self.app is None:
            return False, {"fresh": False, "standing": self.standing}
        try:
            found = await freshness(self.app)
        except StorageError as error:
            seen = f"the sessions cannot be read: {error}"
            return False, {"fresh": False, "standing": self.standing, "seen": seen}
        return found.is_fresh, {
            "fresh": found.is_fresh,
            "expected": str(found.expected),
            "finished": found.newest and str(found.newest),
            "behind": found.behind,
            "status": found.status or "missing",
            "seen": found.seen,
        }

    def _lacking(self) -> list[str]:
        """In words, without names of channels."""
        if self.standing is not Standing.ACTIVE or self.app is None:
            other = self.lease.other
            since = f": another copy works, since {other.since}" if other is not None else ""
            return [f"{self.standing}{since}"]
        said = []
        renewed = self.lease.renewed_at
        if renewed is None or self.now() - renewed > _WRITTEN_WITHIN:
            said.append("the state database takes nothing")
        links = (ear.link for ear in self.app.ears)
        down = [
            f"{link.platform}: {link.state}" for link in links if link.state is not LinkState.UP
        ]
        return said + down

    async def _unread(self) -> list[str]:
        """The outbox, if nothing could be sent from it."""
        if self.app is None:
            return []
        try:
            await counted.depths(self.app.db, self.now())
        except (StorageError, ValueError) as error:  # a damaged page, or what is read of one
            return [f"the outbox cannot be read: {error}"]
        return []


async def freshness(app: App) -> Freshness:
    """Of the service-wide series, as the ladder has it."""
    now = app.now()
    expected = app.hours.expected(now)
    days = sessions_ending(last_complete(now), LOOKBACK_SESSIONS)
    entries = await app.ladder.entries(days)
    finished = [d for d in days if (e := entries.get(d.date)) and e.status is Status.FINISHED]
    newest = max(finished, default=None)
    behind = [day for day in days if day <= expected and (newest is None or day > newest)]
    entry = entries.get(expected.date)
    status = entry.status if entry is not None else None
    seen = "" if entry is None or not behind else entry.note or ""
    return Freshness(expected, status, newest, len(behind), seen)
