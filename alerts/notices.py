"""What is said of a day that brings no digest: held, or late. Each once, whoever asks again."""

from collections.abc import Collection
from datetime import date, datetime

from alerts import outbox
from alerts.letters import deaf, held, late
from alerts.model import Destination, Kind, Message
from alerts.subscriptions import listening
from core.bars import Series
from core.db import Db

HELD, LATE, DEAF = "held", "late", "deaf"


async def say_held(
    db: Db, always: Collection[Destination], series: Series, session: date, why: str, now: datetime
) -> bool:
    """Tell every channel why there is no list; False if all have been told."""
    body, new = held(series, session, why), False
    async with db.transaction() as writer:
        for destination in await listening(writer.execute_fetchall, always):
            new |= await outbox.add(
                writer,
                destination=destination,
                series=series.key,
                session=session,
                kind=Kind.NOTICE,
                now=now,
                more=HELD,
                body=body,
                silent=True,
            )
    return new


async def say_late(
    db: Db,
    operator: Destination,
    series: Series,
    session: date,
    why: str,
    now: datetime,
    *,
    is_held: bool = False,
) -> bool:
    """Tell the operators that the deadline has passed; False if they have been told."""
    body = late(series, session, why, is_held=is_held)
    return await _tell(db, operator, series, session, LATE, body, now)


async def say_deaf(
    db: Db,
    operator: Destination,
    series: Series,
    session: date,
    platform: str,
    why: str,
    now: datetime,
) -> bool:
    """Tell the operators that a platform refuses to be listened to; once a session."""
    more = f"{DEAF}-{platform}"
    return await _tell(db, operator, series, session, more, deaf(platform, why), now)


async def _tell(
    db: Db,
    operator: Destination,
    series: Series,
    session: date,
    more: str,
    body: Message,
    now: datetime,
) -> bool:
    async with db.transaction() as writer:
        return await outbox.add(
            writer,
            destination=operator,
            series=series.key,
            session=session,
            kind=Kind.NOTICE,
            now=now,
            more=more,
            body=body,
        )
