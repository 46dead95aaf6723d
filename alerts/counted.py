"""The outbox in numbers, for whoever watches the service: counts and ages, no channel's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.db import Db, iso
from core.errors import Reason

_TALLIES = """
SELECT substr(destination, 1, instr(destination, ':') - 1) AS platform, what, a.reason,
    count(*) AS count
FROM delivery_attempts a JOIN deliveries d ON d.key = a.delivery
WHERE a.reason IS NOT NULL GROUP BY 1, 2, 3
"""
# One line a channel: what its quiet hours hold up holds up all that is behind it.
_DEPTHS = """
SELECT CASE WHEN state = 'pending' AND destination IN (
        SELECT destination FROM deliveries WHERE state = 'pending' AND reason = ?
        AND next_try_at > ?
    ) THEN 'quiet' ELSE state END AS state,
    count(*) AS count, min(created_at) AS oldest
FROM deliveries GROUP BY 1
"""
# Each from when its age counts: what an operator sent again late took no longer for that. Nothing
# changes a row that is sent.
_LAGS = """
WITH newest AS (
    SELECT series, session, revision, stored_at FROM sessions
    WHERE announced AND stored_at IS NOT NULL ORDER BY session DESC LIMIT 1
)
SELECT substr(destination, 1, instr(destination, ':') - 1) AS platform,
    unixepoch(min(created_at)) - unixepoch(min(stored_at)) AS published,
    CASE WHEN min(state = 'sent')
        THEN max(unixepoch(changed_at) - unixepoch(created_at)) END AS delivered
FROM deliveries JOIN newest USING (series, session, revision)
WHERE kind IN ('digest', 'edit', 'correction') GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Depth:
    """The messages in one state."""

    state: str
    """Of those that are pending, `quiet`: only until a channel's quiet hours end, and what stands
    in line behind such a one.
    """
    count: int
    oldest: datetime
    """When the oldest of them was decided."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something came of an attempt, since the database began."""

    platform: str
    what: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How long the newest announced session took through the outbox; seconds."""

    platform: str
    published_s: float
    """From its bars on disk to its message in the outbox."""
    delivered_s: float | None
    """From there until the last channel had it; None while one waits, or where one never got it."""


async def depths(db: Db, now: datetime) -> Sequence[Depth]:
    """One for each state that any message is in."""
    rows = await db.rows(_DEPTHS, (Reason.QUIET_HOURS, iso(now)))
    return [
        Depth(row["state"], row["count"], datetime.fromisoformat(row["oldest"])) for row in rows
    ]


async def tallies(db: Db) -> Sequence[Tally]:
    """Of every attempt that has ended, by platform."""
    rows = await db.rows(_TALLIES)
    return [Tally(row["platform"], row["what"], row["reason"], row["count"]) for row in rows]


async def lags(db: Db) -> Sequence[Lag]:
    """By platform; none before the first session was announced."""
    rows = await db.rows(_LAGS)
    return [Lag(row["platform"], row["published"], row["delivered"]) for row in rows]
