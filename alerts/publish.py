"""A judged session -> what is said, in the outbox. Idempotent, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter

from alerts.model import Destination, Report, State
from alerts.rank import report
from core.bars import Series
from core.calendar import TradingDay
from core.db import Connection, Db, Value, insert, iso
from core.judged import Judged

_REPORT = TypeAdapter(Report)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Puts one delivery per destination beside each new report."""

    destinations: Sequence[Destination]
    top: int

    async def __call__(self, writer: Connection, judged: Judged, now: datetime) -> None:
        """core.pipeline.Publish: the same revision published twice is one report."""
        said = report(judged, self.top)
        at = iso(now)
        key: dict[str, Value] = {"series": judged.series.key, "session": str(judged.session)}
        key["revision"] = judged.revision
        new = await insert(
            writer,
            "digests",
            key | {"report": _REPORT.dump_json(said).decode(), "created_at": at},
            or_="IGNORE",
        )
        if not new:
            return
        for a in judged.anomalies:
            named: dict[str, Value] = {"rank": a.rank, "ticker": a.ticker, "label": a.label}
            await insert(writer, "anomalies", key | named | {"ratio": a.ratio, "z": a.z})
        for destination in self.destinations:
            name = f"{judged.series.key}/{judged.session}/r{judged.revision}/{destination}"
            await insert(
                writer,
                "deliveries",
                key
                | {"key": name, "destination": str(destination), "state": State.PENDING}
                | {"created_at": at, "changed_at": at},
                or_="IGNORE",
            )


async def published(db: Db, series: Series, day: TradingDay) -> Report | None:
    """What was said about a session, by its newest revision; None if nothing was."""
    row = await db.row(
        "SELECT report FROM digests WHERE series = ? AND session = ?"
        " ORDER BY revision DESC LIMIT 1",
        (series.key, str(day)),
    )
    return _REPORT.validate_json(row["report"]) if row else None


async def report_of(db: Db, series_key: str, session: date, revision: int) -> Report:
    """The report of one revision; KeyError if it was never published."""
    row = await db.row(
        "SELECT report FROM digests WHERE series = ? AND session = ? AND revision = ?",
        (series_key, str(session), revision),
    )
    if row is None:
        raise KeyError((series_key, session, revision))
    return _REPORT.validate_json(row["report"])
