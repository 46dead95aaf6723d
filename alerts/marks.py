"""The feedback table: one word of one reader on one line, with the line as evidence."""

from collections.abc import Collection
from datetime import date, datetime

from pydantic import TypeAdapter

from alerts.feedback import Mark
from alerts.reads import Rows
from core.anomaly import Anomaly
from core.bars import Series
from core.db import Db, Value, insert, iso

_ANOMALY: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)
USEFUL, NOISE = "useful", "noise"


async def keep(db: Db, mark: Mark, series: Series, *, place: str, now: datetime) -> bool | None:
    """Put a mark on record, in the place of the same reader's on the same line.

    Was that one `useful`? None if there was none.
    """
    key: dict[str, Value] = {"who": mark.who, "series": series.key, "session": str(mark.session)}
    key["ticker"] = mark.anomaly.ticker
    row = key | {"verdict": USEFUL if mark.useful else NOISE, "place": place, "said_at": iso(now)}
    row["evidence"] = _ANOMALY.dump_json(mark.anomaly).decode()
    async with db.transaction() as writer:
        found = await writer.execute_fetchall(
            "SELECT verdict FROM feedback WHERE who = ? AND series = ? AND session = ?"
            " AND ticker = ?",
            tuple(key.values()),
        )
        await insert(writer, "feedback", row, or_="REPLACE")
    return next((one["verdict"] == USEFUL for one in found), None)


async def marks(rows: Rows, series: Collection[Series]) -> list[Mark]:
    """All marks of lines of these series, oldest first."""
    places = ", ".join("?" * len(series))
    found = await rows(
        "SELECT who, session, verdict, evidence FROM feedback"  # noqa: S608
        f" WHERE series IN ({places}) ORDER BY said_at, who, session, ticker",
        tuple(one.key for one in series),
    )
    return [
        Mark(
            row["who"],
            date.fromisoformat(row["session"]),
            row["verdict"] == USEFUL,
            _ANOMALY.validate_json(row["evidence"]),
        )
        for row in found
    ]
