"""The deliveries table: what is to be said where, how far it got, and every attempt at it.

Nothing here sends. `next_try_at` says when a pending or ambiguous delivery is looked at again; one
without it waits for its digest to arrive, or for an operator.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from pydantic import TypeAdapter

from alerts.model import ATTACHED, Delivery, Destination, Kind, Message, State
from core.db import Connection, Db, Row, Value, insert, iso
from core.errors import Reason

EXPIRES_AFTER = timedelta(days=7)
"""What could not be delivered for so long is news no more; an operator is told."""

_CLOCK_SET_BACK = timedelta(minutes=1)
MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
_WAITING = "state IN ('pending', 'ambiguous') AND next_try_at IS NOT NULL"
_ATTACHED = json.dumps(ATTACHED)


class What(StrEnum):
    """What an attempt did."""

    SEND = "send"
    LOOK = "look"
    OPERATOR = "operator"
    """Somebody decided; `seen` has who."""


def key_of(
    series: str, session: date, kind: Kind, revision: int, destination: Destination, more: str = ""
) -> str:
    """The name of a delivery: the same thing said twice has it twice."""
    parts = [series, str(session), kind, f"r{revision}", str(destination), more]
    return "/".join(filter(None, parts))


async def add(
    writer: Connection,
    *,
    destination: Destination,
    series: str,
    session: date,
    kind: Kind,
    now: datetime,
    revision: int = 0,
    more: str = "",
    since: int | None = None,
    edition: str | None = None,
    lines: Sequence[str] | None = None,
    body: Message | None = None,
    silent: bool = False,
    waits: bool = False,
) -> bool:
    """Put one delivery into the outbox, as part of a transaction; False if it is there already.

    `waits`: for its digest to arrive.
    """
    at = iso(now)
    row: dict[str, Value] = {
        "key": key_of(series, session, kind, revision, destination, more),
        "destination": str(destination),
        "series": series,
        "session": str(session),
        "revision": revision,
        "kind": kind,
        "state": State.PENDING,
        "since": since,
        "edition": edition,
        "lines": None if lines is None else json.dumps(lines),
        "body": None if body is None else MESSAGE.dump_json(body).decode(),
        "silent": int(silent),
        "created_at": at,
        "next_try_at": None if waits else at,
        "changed_at": at,
    }
    return bool(await insert(writer, "deliveries", row, or_="IGNORE"))


# Pictures that have to wait hold up nobody: they stand at the end of the line until they are due.
_LINE = "ORDER BY kind = 'details' AND next_try_at > ?, session, id"


async def heads(db: Db, now: datetime, only: date | None = None) -> dict[Destination, datetime]:
    """Per destination, when the first in its line is tried next; with `only`, of that session."""
    rows = await db.rows(
        "SELECT destination, next_try_at, changed_at FROM (SELECT destination, next_try_at,"  # noqa: S608
        f" changed_at, row_number() OVER (PARTITION BY destination {_LINE}) AS place"
        f" FROM deliveries WHERE {_WAITING} AND session = coalesce(?, session)) WHERE place = 1",
        (_precise(now), None if only is None else str(only)),
    )
    return {
        Destination.parse(row[0]): due_at(
            datetime.fromisoformat(row[1]), datetime.fromisoformat(row[2]), now
        )
        for row in rows
    }


def due_at(next_try_at: datetime, changed_at: datetime, now: datetime) -> datetime:
    """When that is. What was put off in what is now the future was so by a clock that was wrong."""
    return now if changed_at > now + _CLOCK_SET_BACK else next_try_at


async def first_in_line(
    db: Db, destination: Destination, now: datetime, only: date | None = None
) -> Delivery | None:
    """What a destination gets next, whenever that is."""
    row = await db.row(
        f"SELECT * FROM deliveries WHERE destination = ? AND {_WAITING}"  # noqa: S608
        f" AND session = coalesce(?, session) {_LINE} LIMIT 1",
        (str(destination), None if only is None else str(only), _precise(now)),
    )
    return delivery(row) if row else None


async def of_key(db: Db, key: str) -> Delivery | None:
    """One delivery."""
    row = await db.row("SELECT * FROM deliveries WHERE key = ?", (key,))
    return delivery(row) if row else None


async def anchor(db: Db, attached: Delivery) -> Delivery | None:
    """The digest in whose thread it belongs: the newest one that arrived."""
    row = await db.row(
        "SELECT * FROM deliveries WHERE series = ? AND session = ? AND destination = ?"
        " AND kind = ? AND state = ? ORDER BY id DESC LIMIT 1",
        (
            attached.series,
            str(attached.session),
            str(attached.destination),
            Kind.DIGEST,
            State.SENT,
        ),
    )
    return delivery(row) if row else None


async def begin(db: Db, waiting: Delivery, what: What, now: datetime) -> int | None:
    """Commit the attempt before it is made; None if somebody else was faster.

    A look changes nothing at the destination: its delivery stays ambiguous meanwhile.
    """
    sends = what is What.SEND
    state, at = State.SENDING if sends else State.AMBIGUOUS, iso(now)
    first, last = (at, at) if sends else (None, None)
    async with db.transaction() as writer:
        cursor = await writer.execute(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, changed_at = ?,"
            " doubt = max(doubt, ?), first_try_at = coalesce(first_try_at, ?),"
            " last_try_at = coalesce(?, last_try_at)"
            " WHERE key = ? AND state = ?",
            (state, at, int(sends), first, last, waiting.key, waiting.state),
        )
        if cursor.rowcount != 1:
            return None
        attempt: dict[str, Value] = {"delivery": waiting.key, "what": what, "began_at": at}
        await insert(writer, "delivery_attempts", attempt)
        (row,) = await writer.execute_fetchall("SELECT last_insert_rowid()")
    return int(row[0])


async def settle(
    writer: Connection,
    key: str,
    state: State,
    reason: Reason,
    now: datetime,
    *,
    expected: State,
    seen: str = "",
    receipt: str | None = None,
    next_try_at: datetime | None = None,
    attempt: int | None = None,
    doubt: bool | None = None,
) -> bool:
    """What became of a delivery, and of those that wait for it; part of a transaction.

    False, and nothing is changed, if it is not in the `expected` state any more: somebody else
    decided meanwhile. That it is there is a fact whatever was decided. `doubt`: None leaves it.
    """
    at = iso(now)
    if attempt is not None:
        await writer.execute(
            "UPDATE delivery_attempts SET ended_at = ?, reason = ?, seen = ? WHERE id = ?",
            (at, reason, seen, attempt),
        )
    again = None if next_try_at is None else _precise(next_try_at)
    cursor = await writer.execute(
        "UPDATE deliveries SET state = ?, reason = ?, seen = ?, receipt = coalesce(?, receipt),"
        " next_try_at = ?, changed_at = ?, doubt = coalesce(?, doubt)"
        " WHERE key = ? AND (state = ? OR ? = 'sent')",
        (*(state, reason, seen, receipt, again, at, doubt), *(key, expected, state)),
    )
    if cursor.rowcount != 1:
        return False
    if state is State.SENT:
        await _release(writer, key, now)
    elif state in (State.REFUSED, State.EXPIRED):
        await _forgo(writer, key, now)
    return True


async def record(
    writer: Connection, key: str, what: What, reason: Reason, seen: str, now: datetime
) -> None:
    """An attempt that is over as it begins; part of a transaction."""
    row: dict[str, Value] = {"delivery": key, "what": what, "began_at": iso(now)}
    row |= {"ended_at": iso(now), "reason": reason, "seen": seen}
    await insert(writer, "delivery_attempts", row)


_ATTACHED_TO = (
    "state = 'pending' AND next_try_at IS NULL AND kind IN (SELECT value FROM json_each(?))"
    " AND (series, session, destination) = (SELECT series, session, destination FROM deliveries"
    " WHERE key = ? AND kind = 'digest')"
)


async def _release(writer: Connection, digest_key: str, now: datetime) -> None:
    """The digest is there: what belongs in its thread may go."""
    await writer.execute(
        f"UPDATE deliveries SET next_try_at = ? WHERE {_ATTACHED_TO}",  # noqa: S608
        (iso(now), _ATTACHED, digest_key),
    )


async def _forgo(writer: Connection, digest_key: str, now: datetime) -> None:
    """The digest will never be there, and so will nothing in its thread."""
    await writer.execute(
        "UPDATE deliveries SET state = ?, reason = ?, changed_at = ?"  # noqa: S608
        f" WHERE {_ATTACHED_TO}",
        (State.EXPIRED, Reason.NO_MESSAGE, iso(now), _ATTACHED, digest_key),
    )


async def supersede(
    writer: Connection, series: str, session: date, destination: Destination, now: datetime
) -> set[Kind]:
    """A later revision speaks instead of what is still pending about a session; what that was."""
    rows = await writer.execute_fetchall(
        "UPDATE deliveries SET state = ?, reason = ?, changed_at = ?, next_try_at = NULL"
        " WHERE series = ? AND session = ? AND destination = ? AND state = ?"
        " AND kind IN ('digest', 'edit', 'correction', 'details') RETURNING kind",
        (State.EXPIRED, Reason.SUPERSEDED, iso(now), series, str(session), str(destination),
         State.PENDING),
    )  # fmt: skip
    return {Kind(row["kind"]) for row in rows}


async def interrupted(
    db: Db, now: datetime, *, before: datetime | None = None, keys: Sequence[str] | None = None
) -> None:
    """What was being sent when a process died, or could not be recorded, may have arrived.

    `before`: only attempts begun earlier; `keys`: only these.
    """
    which = "state = ? AND (? IS NULL OR last_try_at < ?)"
    limit = None if before is None else iso(before)
    values: list[Value] = [State.SENDING, limit, limit]
    if keys is not None:
        which += " AND key IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(list(keys)))
    async with db.transaction() as writer:
        await writer.execute(
            "UPDATE delivery_attempts SET ended_at = ?, reason = ? WHERE ended_at IS NULL"  # noqa: S608
            f" AND delivery IN (SELECT key FROM deliveries WHERE {which})",
            (iso(now), Reason.INTERRUPTED, *values),
        )
        await writer.execute(
            "UPDATE deliveries SET state = ?, reason = ?, seen = '', next_try_at = ?,"  # noqa: S608
            f" changed_at = ? WHERE {which}",
            (State.AMBIGUOUS, Reason.INTERRUPTED, iso(now), iso(now), *values),
        )


def delivery(row: Row) -> Delivery:
    """A row of the table."""
    return Delivery(
        id=row["id"],
        key=row["key"],
        destination=Destination.parse(row["destination"]),
        series=row["series"],
        session=date.fromisoformat(row["session"]),
        revision=row["revision"],
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        attempts=row["attempts"],
        doubt=bool(row["doubt"]),
        since=row["since"],
        edition=row["edition"],
        body=None if row["body"] is None else MESSAGE.validate_json(row["body"]),
        silent=bool(row["silent"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        first_try_at=_moment(row["first_try_at"]),
        last_try_at=_moment(row["last_try_at"]),
        next_try_at=_moment(row["next_try_at"]),
        changed_at=datetime.fromisoformat(row["changed_at"]),
        reason=row["reason"],
        seen=row["seen"],
        receipt=row["receipt"],
    )


def _precise(moment: datetime) -> str:
    """A pause of a second must not round to none."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
