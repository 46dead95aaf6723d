"""What is not where it should be, read for operators."""

import json
from collections.abc import Collection
from datetime import date

from alerts.model import Delivery, Destination, State, Troubled
from alerts.outbox import delivery
from core.db import Connection, Db
from core.errors import Reason

_STUCK = (
    "(state = 'refused' OR (state = 'ambiguous' AND next_try_at IS NULL)"
    f" OR (state = 'expired' AND reason = '{Reason.TOO_OLD}'))"
)
_GOING = "(state IN ('pending', 'sending') OR (state = 'ambiguous' AND next_try_at IS NOT NULL))"


async def destinations(db: Db) -> list[Destination]:
    """Wherever something was ever to go."""
    rows = await db.rows("SELECT DISTINCT destination FROM deliveries")
    return [Destination.parse(row["destination"]) for row in rows]


async def troubled(db: Db, most: int, there: Collection[Destination] | None = None) -> Troubled:
    """Pending, being sent, ambiguous, refused, given up; at most so many of them in full.

    Of a channel that fails for the same reason session after session only the newest. `there`: of
    these channels only.
    """
    among = "1" if there is None else "destination IN (SELECT value FROM json_each(?))"
    named = () if there is None else (json.dumps([str(one) for one in there]),)
    (counted,) = await db.rows(
        f"SELECT total({_STUCK}) AS stuck, total({_GOING}) AS going FROM deliveries"  # noqa: S608
        f" WHERE state != 'sent' AND {among}",
        named,
    )
    rows = await db.rows(
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY destination, reason, state"  # noqa: S608
        " ORDER BY session DESC, id DESC) AS place, count(*) OVER (PARTITION BY destination,"
        f" reason, state) AS alike FROM deliveries WHERE ({_STUCK} OR {_GOING}) AND {among})"
        f" WHERE place = 1 OR {_GOING} ORDER BY {_STUCK} DESC, session DESC, id LIMIT ?",
        (*named, most),
    )
    alike = {row["id"]: row["alike"] - 1 for row in rows if row["state"] != State.PENDING}
    first = tuple(map(delivery, rows))
    stuck, going = int(counted["stuck"]), int(counted["going"])
    return Troubled(stuck, going, first, alike)


async def told_before(writer: Connection, lost: Delivery, reason: Reason) -> bool:
    """Did the session before fail for the same reason, in the same channel?"""
    rows = await writer.execute_fetchall(
        "SELECT state = 'refused' AND reason = ? FROM deliveries WHERE destination = ?"
        " AND kind = ? AND session < ? AND state NOT IN ('pending', 'sending')"
        " AND coalesce(reason, '') != ? ORDER BY session DESC, id DESC LIMIT 1",
        (reason, str(lost.destination), lost.kind, str(lost.session), Reason.SUPERSEDED),
    )
    return any(row[0] for row in rows)


async def not_there(db: Db, session: date) -> list[Delivery]:
    """What of a session has been tried and did not arrive, and is not given up for a later word."""
    rows = await db.rows(
        f"SELECT * FROM deliveries WHERE session = ? AND ({_STUCK} OR {_GOING})"  # noqa: S608
        " AND attempts > 0 ORDER BY id",
        (str(session),),
    )
    return [delivery(row) for row in rows]
