"""The outbox's way out: record the attempt, send, mark. The Sender port."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Protocol

from alerts.corrections import correction
from alerts.message import digest
from alerts.model import TERMINAL, Delivery, Destination, Message, Receipt, State
from alerts.publish import report_of
from core.db import Db, iso
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryRefused

logger = logging.getLogger(__name__)


class Sender(Protocol):
    """Hands a message to a platform."""

    async def send(self, destination: Destination, message: Message, key: str) -> Receipt:
        """The same key twice is one message.

        Raises only DeliveryDeferred, DeliveryAmbiguous or DeliveryRefused.
        """


async def drain(
    db: Db,
    senders: Mapping[str, Sender],
    now: Callable[[], datetime],
    only: date | None = None,
) -> int:
    """Send what is pending, oldest session first, each destination on its own; how many were.

    With `only`, nothing but that session's messages.
    """
    waiting = [d for d in await _pending(db) if only in (None, d.session)]
    lanes: dict[Destination, list[Delivery]] = {}
    for delivery in waiting:
        if delivery.destination.platform in senders:
            lanes.setdefault(delivery.destination, []).append(delivery)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_lane(db, senders, lane, now)) for lane in lanes.values()]
    return sum(task.result() for task in tasks)


async def recover(db: Db, now: Callable[[], datetime]) -> None:
    """After a crash: what was being sent may have arrived, and is shown as such.

    The terminal it was for is gone with the process: there it is simply shown again.
    """
    async with db.transaction() as writer:
        await writer.execute(
            "UPDATE deliveries SET state = ?, changed_at = ? WHERE state = ? AND destination = ?",
            (State.PENDING, iso(now()), State.SENDING, str(TERMINAL)),
        )
        await writer.execute(
            "UPDATE deliveries SET state = ?, reason = ?, changed_at = ? WHERE state = ?",
            (State.AMBIGUOUS, "stopped while sending", iso(now()), State.SENDING),
        )


async def _lane(
    db: Db, senders: Mapping[str, Sender], lane: list[Delivery], now: Callable[[], datetime]
) -> int:
    sent = 0
    for delivery in lane:
        state = await _deliver(db, senders[delivery.destination.platform], delivery, now)
        if state is State.PENDING:
            break  # deferred: what comes after must not overtake it
        sent += state is State.SENT
    return sent


async def _deliver(
    db: Db, sender: Sender, delivery: Delivery, now: Callable[[], datetime]
) -> State:
    message = await _message(db, delivery)
    if not await _claim(db, delivery, now):
        return State.SENDING  # another process has it
    try:
        receipt = await sender.send(delivery.destination, message, delivery.key)
    except DeliveryDeferred as error:
        state, reason = State.PENDING, str(error)
    except DeliveryAmbiguous as error:
        state, reason = State.AMBIGUOUS, str(error)
    except DeliveryRefused as error:
        state, reason = State.REFUSED, str(error)
    else:
        await _mark(db, delivery, State.SENT, now, receipt=receipt.message_id, reason=None)
        return State.SENT
    await _mark(db, delivery, state, now, reason=reason)
    logger.warning("not delivered", extra={"delivery": delivery.key, "state": state})
    return state


async def _message(db: Db, delivery: Delivery) -> Message:
    said = await report_of(db, delivery.series, delivery.session, delivery.revision)
    if delivery.since is None:
        return digest(said)
    before = await report_of(db, delivery.series, delivery.session, delivery.since)
    return correction(before, said)


async def _claim(db: Db, delivery: Delivery, now: Callable[[], datetime]) -> bool:
    """Commit the attempt before it is made; False if somebody else was faster."""
    async with db.transaction() as writer:
        cursor = await writer.execute(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, changed_at = ?"
            " WHERE key = ? AND state = ?",
            (State.SENDING, iso(now()), delivery.key, State.PENDING),
        )
    return cursor.rowcount == 1


async def _mark(
    db: Db,
    delivery: Delivery,
    state: State,
    now: Callable[[], datetime],
    **columns: str | int | None,
) -> None:
    changes: dict[str, str | int | None] = {"state": state, "changed_at": iso(now()), **columns}
    sets = ", ".join(f"{column} = ?" for column in changes)
    async with db.transaction() as writer:
        await writer.execute(
            f"UPDATE deliveries SET {sets} WHERE key = ?",  # noqa: S608 - our own column names
            (*changes.values(), delivery.key),
        )


async def _pending(db: Db) -> list[Delivery]:
    rows = await db.rows(
        "SELECT * FROM deliveries WHERE state = ? ORDER BY session, revision, key", (State.PENDING,)
    )
    return [
        Delivery(
            key=r["key"],
            destination=Destination(*r["destination"].split(":", 1)),
            series=r["series"],
            session=date.fromisoformat(r["session"]),
            revision=r["revision"],
            state=State(r["state"]),
            attempts=r["attempts"],
            since=r["since"],
        )
        for r in rows
    ]
