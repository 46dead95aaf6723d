"""A judged session -> what is said, in the outbox. Idempotent, in one transaction."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter

from alerts.corrections import changes
from alerts.message import in_sections
from alerts.model import Destination, Report, State
from alerts.rank import report
from core.bars import Series
from core.calendar import TradingDay, sessions_ending, trading_day
from core.db import Connection, Db, Row, Value, insert, iso
from core.judged import Judged
from core.measure import REPEAT_SESSIONS

Rows = Callable[[str, Sequence[Value]], Awaitable[Iterable[Row]]]
"""Reads of the database, or of a transaction in it."""

_REPORT = TypeAdapter(Report)
_UNSEEN = (State.REFUSED, State.EXPIRED)
_SELECT = "SELECT report FROM digests WHERE series = ? AND session = ?"


@dataclass(frozen=True, slots=True)
class Outbox:
    """Puts one delivery per destination beside each new report."""

    destinations: Sequence[Destination]
    top: int

    async def __call__(self, writer: Connection, judged: Judged, now: datetime) -> None:
        """core.pipeline.Publish: the same revision published twice is one report.

        Who has seen an earlier revision is told of names that enter or leave, and of nothing else.
        """
        earlier = await told(writer.execute_fetchall, judged.series, judged.session)
        said = report(judged, self.top, earlier)
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
        line = {a.ticker: n for n, a in enumerate(in_sections(said.pushed), 1)}
        for a in judged.anomalies:
            named: dict[str, Value] = {"rank": a.rank, "ticker": a.ticker, "label": a.label}
            named |= {"ratio": a.ratio, "z": a.z, "line": line.get(a.ticker)}
            await insert(writer, "anomalies", key | named)
        for destination in self.destinations:
            since = await _seen(writer, judged, destination)
            if since is not None and not changes(since, said):
                continue
            name = f"{judged.series.key}/{judged.session}/r{judged.revision}/{destination}"
            await insert(
                writer,
                "deliveries",
                key
                | {"key": name, "destination": str(destination), "state": State.PENDING}
                | {"since": None if since is None else since.judged.revision}
                | {"created_at": at, "changed_at": at},
                or_="IGNORE",
            )


async def _seen(writer: Connection, judged: Judged, destination: Destination) -> Report | None:
    """What a destination was last told about the session; what is still pending is taken back."""
    where = "series = ? AND session = ? AND destination = ? AND revision < ?"
    of = (judged.series.key, str(judged.session), str(destination), judged.revision)
    await writer.execute(
        f"DELETE FROM deliveries WHERE {where} AND state = ?",  # noqa: S608
        (*of, State.PENDING),
    )
    rows = await writer.execute_fetchall(
        "SELECT report FROM digests JOIN deliveries USING (series, session, revision)"  # noqa: S608
        f" WHERE {where} AND state NOT IN (?, ?) ORDER BY revision DESC LIMIT 1",
        (*of, *_UNSEEN),
    )
    return next((_REPORT.validate_json(row[0]) for row in rows), None)


async def told(rows: Rows, series: Series, session: date) -> set[str] | None:
    """Tickers that were lines of the digests of the REPEAT_SESSIONS sessions before, as they stand.

    None if there were no digests.
    """
    before = sessions_ending(trading_day(session), REPEAT_SESSIONS + 1)[:-1]
    of = (series.key, str(before[0]), str(before[-1]))
    newest = (
        "SELECT session, max(revision) AS revision FROM digests"
        " WHERE series = ? AND session BETWEEN ? AND ? GROUP BY session"
    )
    if not list(await rows(newest, of)):
        return None
    found = await rows(
        f"SELECT ticker FROM anomalies JOIN ({newest}) USING (session, revision)"  # noqa: S608
        " WHERE series = ? AND line IS NOT NULL",
        (*of, series.key),
    )
    return {row[0] for row in found}


async def delivered(db: Db, series: Series, day: TradingDay) -> list[Report]:
    """What reached a reader about a session, or may have, one report a revision, oldest first."""
    rows = await db.rows(
        "SELECT report FROM digests WHERE series = ? AND session = ? AND revision IN"
        " (SELECT revision FROM deliveries WHERE series = digests.series"
        " AND session = digests.session AND state IN (?, ?)) ORDER BY revision",
        (series.key, str(day), State.SENT, State.AMBIGUOUS),
    )
    return [_REPORT.validate_json(row["report"]) for row in rows]


async def published(db: Db, series: Series, day: TradingDay) -> list[Report]:
    """What was said about a session, one report a revision, oldest first; empty if nothing was."""
    rows = await db.rows(f"{_SELECT} ORDER BY revision", (series.key, str(day)))
    return [_REPORT.validate_json(row["report"]) for row in rows]


async def report_of(db: Db, series_key: str, session: date, revision: int) -> Report:
    """The report of one revision; KeyError if it was never published."""
    row = await db.row(f"{_SELECT} AND revision = ?", (series_key, str(session), revision))
    if row is None:
        raise KeyError((series_key, session, revision))
    return _REPORT.validate_json(row["report"])
