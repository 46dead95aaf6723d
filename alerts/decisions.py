"""What an operator decides of a delivery: send again, look for it, drop it. By whom, on record."""

from datetime import datetime

from alerts import outbox
from alerts.model import ATTACHED, Delivery, Kind, State
from alerts.outbox import What
from core.db import Connection, Db, iso
from core.errors import CommandError, Reason


async def resend(db: Db, number: int, who: str, now: datetime) -> Delivery:
    """Send it, on a person's word that it is not there; those that wait for it wait again.

    Raises CommandError for what cannot be sent (any more).
    """
    found = await _find(db, number)
    if found.kind in ATTACHED and await outbox.anchor(db, found) is None:
        raise CommandError(f"#{number} belongs to a digest that is not there; send that first")
    if await _said_otherwise(db, found):
        raise CommandError(
            f"#{number} was said by a later revision: {found.destination} has what came after it"
        )
    async with db.transaction() as writer:
        await _again(writer, found, now, iso(now))
        await outbox.record(writer, found.key, What.OPERATOR, Reason.RESENT, who, now)
    return found


async def after_a_restart(db: Db, now: datetime) -> None:
    """A new process may have a new token, and new rights.

    What a platform refused for its token goes out again: of each kind of a session only the newest,
    and only where nothing of it is there or on its way. What nobody could look for is looked for
    once more.
    """
    rows = await db.rows(
        "SELECT max(id) AS id FROM deliveries WHERE state = ? AND reason = ?"
        " GROUP BY series, session, destination, kind",
        (State.REFUSED, Reason.TOKEN_REFUSED),
    )
    for row in rows:
        found = await _find(db, row["id"])
        fresh = now - found.created_at <= outbox.EXPIRES_AFTER
        if fresh and not found.doubt and not await _said_otherwise(db, found):
            async with db.transaction() as writer:
                await _again(writer, found, now, iso(found.created_at))
    async with db.transaction() as writer:
        await writer.execute(
            "UPDATE deliveries SET next_try_at = ?, changed_at = ? WHERE state = ?"
            " AND next_try_at IS NULL",
            (iso(now), iso(now), State.AMBIGUOUS),
        )


async def look(db: Db, number: int, who: str, now: datetime) -> Delivery:
    """Look for it again: the history can be read now. Raises CommandError if there is no doubt."""
    found = await _find(db, number)
    if found.state is not State.AMBIGUOUS:
        raise CommandError(f"#{number} is {found.state}: there is nothing to look for")
    async with db.transaction() as writer:
        await _change(writer, found, State.AMBIGUOUS, Reason.INTERRUPTED, now, next_try_at=now)
        await outbox.record(writer, found.key, What.OPERATOR, Reason.INTERRUPTED, who, now)
    return found


async def drop(db: Db, number: int, who: str, now: datetime) -> Delivery:
    """Give it up, and what waits for it. Raises CommandError for what is under way or done."""
    found = await _find(db, number)
    async with db.transaction() as writer:
        await _change(writer, found, State.EXPIRED, Reason.DROPPED, now, seen=f"by {who}")
        await outbox.record(writer, found.key, What.OPERATOR, Reason.DROPPED, who, now)
    return found


async def _again(writer: Connection, found: Delivery, now: datetime, created: str) -> None:
    """Pending once more, and so is what was given up because it had not arrived.

    `created`: from when its age counts; else what was given up for it would be given up again.
    """
    await _change(writer, found, State.PENDING, Reason.RESENT, now, next_try_at=now, doubt=False)
    await writer.execute("UPDATE deliveries SET created_at = ? WHERE key = ?", (created, found.key))
    if found.kind is Kind.DIGEST:
        await writer.execute(
            "UPDATE deliveries SET state = ?, reason = NULL, created_at = ?, changed_at = ?"
            " WHERE (series, session, destination) = (?, ?, ?) AND state = ? AND reason = ?",
            (State.PENDING, created, iso(now), found.series, str(found.session),
             str(found.destination), State.EXPIRED, Reason.NO_MESSAGE),
        )  # fmt: skip


async def _change(
    writer: Connection,
    found: Delivery,
    state: State,
    reason: Reason,
    now: datetime,
    *,
    next_try_at: datetime | None = None,
    seen: str = "",
    doubt: bool | None = None,
) -> None:
    done = await outbox.settle(
        writer,
        *(found.key, state, reason, now),
        expected=found.state,
        next_try_at=next_try_at,
        seen=seen,
        doubt=doubt,
    )
    if not done:
        raise CommandError(f"#{found.id} has changed meanwhile; /outbox shows how it stands")


async def _find(db: Db, number: int) -> Delivery:
    row = await db.row("SELECT * FROM deliveries WHERE id = ?", (number,))
    if row is None:
        raise CommandError(f"there is no delivery #{number}; /outbox lists those that need you")
    found = outbox.delivery(row)
    if found.state is State.SENT:
        raise CommandError(f"#{number} arrived; there is nothing to do")
    if found.state is State.SENDING:
        raise CommandError(f"#{number} is being sent right now; ask again in a minute")
    return found


async def _said_otherwise(db: Db, found: Delivery) -> bool:
    """Is another one of its kind there or on its way; of an edit, or pictures, a later one?"""
    row = await db.row(
        "SELECT 1 FROM deliveries WHERE (series, session, destination, kind) = (?, ?, ?, ?)"
        " AND id != ? AND state IN ('pending', 'sending', 'sent', 'ambiguous')"
        " AND (kind = ? OR (kind IN (?, ?) AND revision > ?)) LIMIT 1",
        (found.series, str(found.session), str(found.destination), found.kind, found.id,
         Kind.DIGEST, Kind.EDIT, Kind.DETAILS, found.revision),
    )  # fmt: skip
    return row is not None
