"""What an operator decides of a delivery: send again, look for it, drop it. By whom, on record."""

from datetime import datetime

from alerts import outbox
from alerts.model import ATTACHED, Delivery, Kind, State
from alerts.outbox import What
from core.db import Connection, Db, Value, insert, iso
from core.errors import CommandError, Reason


async def resend(db: Db, number: int, who: str, now: datetime) -> Delivery:
    """Send it, on a person's word that it is not there; those that wait for it wait again.

    Raises CommandError for what cannot be sent (any more).
    """
    found = await _find(db, number)
    if found.kind in ATTACHED and await outbox.anchor(db, found) is None:
        raise CommandError(f"#{number} belongs to a digest that is not there; send that first")
    if found.kind is Kind.DIGEST and await _said_otherwise(db, found):
        raise CommandError(
            f"#{number} was said by a later revision: {found.destination} has that session's digest"
        )
    await _again(db, found, now, who)
    return found


async def after_a_restart(db: Db, now: datetime) -> None:
    """What a platform refused for its token goes out again: a new process may have a new one.

    Of a session's digests only the newest, and only where none is there or on its way.
    """
    rows = await db.rows(
        "SELECT max(id) AS id FROM deliveries AS d WHERE state = ? AND reason = ?"
        " AND (kind != ? OR NOT EXISTS (SELECT 1 FROM deliveries AS o"
        "  WHERE (o.series, o.session, o.destination, o.kind)"
        "  = (d.series, d.session, d.destination, d.kind)"
        "  AND o.state IN ('pending', 'sending', 'sent', 'ambiguous')))"
        " GROUP BY series, session, destination, kind",
        (State.REFUSED, Reason.TOKEN_REFUSED, Kind.DIGEST),
    )
    for row in rows:
        found = await _find(db, row["id"])
        if now - found.created_at <= outbox.EXPIRES_AFTER:
            await _again(db, found, now)


async def look(db: Db, number: int, who: str, now: datetime) -> Delivery:
    """Look for it again: the history can be read now. Raises CommandError if there is no doubt."""
    found = await _find(db, number)
    if found.state is not State.AMBIGUOUS:
        raise CommandError(f"#{number} is {found.state}: there is nothing to look for")
    async with db.transaction() as writer:
        await _put_back(writer, found, State.AMBIGUOUS, Reason.INTERRUPTED, now, iso(now))
        await _record(writer, found, Reason.INTERRUPTED, who, now)
    return found


async def drop(db: Db, number: int, who: str, now: datetime) -> Delivery:
    """Give it up, and what waits for it. Raises CommandError for what is under way or done."""
    found = await _find(db, number)
    async with db.transaction() as writer:
        await outbox.settle(writer, found.key, State.EXPIRED, Reason.DROPPED, now, seen=f"by {who}")
        await _record(writer, found, Reason.DROPPED, who, now)
    return found


async def _again(db: Db, found: Delivery, now: datetime, who: str = "") -> None:
    """Pending once more, and so is what was given up because it had not arrived."""
    async with db.transaction() as writer:
        # Its age counts from a person's word: else what was given up for it would be again.
        created = iso(now if who else found.created_at)
        await _put_back(writer, found, State.PENDING, Reason.RESENT, now, created)
        if who:
            await _record(writer, found, Reason.RESENT, who, now)
        if found.kind is Kind.DIGEST:
            await writer.execute(
                "UPDATE deliveries SET state = ?, reason = NULL, created_at = ?, changed_at = ?"
                " WHERE (series, session, destination, revision) = (?, ?, ?, ?)"
                " AND state = ? AND reason = ?",
                (State.PENDING, created, iso(now), found.series, str(found.session),
                 str(found.destination), found.revision, State.EXPIRED, Reason.NO_MESSAGE),
            )  # fmt: skip


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


async def _said_otherwise(db: Db, digest: Delivery) -> bool:
    row = await db.row(
        "SELECT 1 FROM deliveries WHERE (series, session, destination, kind) = (?, ?, ?, ?)"
        " AND id != ? AND state IN ('pending', 'sending', 'sent', 'ambiguous') LIMIT 1",
        (digest.series, str(digest.session), str(digest.destination), Kind.DIGEST, digest.id),
    )
    return row is not None


async def _put_back(
    writer: Connection, found: Delivery, state: State, reason: Reason, now: datetime, created: str
) -> None:
    await writer.execute("UPDATE deliveries SET created_at = ? WHERE key = ?", (created, found.key))
    await outbox.settle(writer, found.key, state, reason, now, next_try_at=now)


async def _record(
    writer: Connection, found: Delivery, reason: Reason, who: str, now: datetime
) -> None:
    row: dict[str, Value] = {"delivery": found.key, "what": What.OPERATOR, "began_at": iso(now)}
    row |= {"ended_at": iso(now), "reason": reason, "seen": who}
    await insert(writer, "delivery_attempts", row)
