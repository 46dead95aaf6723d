"""Which session reached which stage, from which source, as which revision of its data."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from core.bars import Series
from core.calendar import TradingDay, trading_day
from core.db import Connection, Db, Row, Value, insert, iso
from core.errors import Refusal, Verdict


class Status(StrEnum):
    """How far a session got."""

    STORED = "stored"  # bars are on disk, not judged yet
    FINISHED = "finished"  # judged and published, or stored silently
    HELD = "held"  # arrived, failed the gate
    ABSENT = "absent"  # every source says it has none


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's line of one session."""

    day: TradingDay
    status: Status
    revision: int
    source: str | None
    version: str | None
    row_count: int | None
    refused: tuple[Refusal, ...]
    note: str | None
    announced: bool
    tried_at: datetime
    stored_at: datetime | None
    finished_at: datetime | None
    detail: str | None = None


class Ledger:
    """The sessions of one series."""

    def __init__(self, db: Db, series: Series) -> None:
        self._db, self.series = db, series

    def of(self, series: Series) -> "Ledger":
        """The sessions of another series."""
        return Ledger(self._db, series)

    async def entry(self, day: TradingDay) -> Entry | None:
        """The line of a session, if it was ever tried."""
        row = await self._db.row(
            "SELECT * FROM sessions WHERE series = ? AND session = ?", (self.series.key, str(day))
        )
        return _entry(row) if row else None

    async def entries(self, days: Sequence[TradingDay]) -> dict[date, Entry]:
        """The lines of the sessions between the first and the last of `days`, by date."""
        if not days:
            return {}
        rows = await self._db.rows(
            "SELECT * FROM sessions WHERE series = ? AND session BETWEEN ? AND ?",
            (self.series.key, str(min(days)), str(max(days))),
        )
        return {entry.day.date: entry for entry in map(_entry, rows)}

    async def newest(self, status: Status, until: date | None = None) -> Entry | None:
        """The newest session of a status, up to a date if one is given."""
        row = await self._db.row(
            "SELECT * FROM sessions WHERE series = ? AND status = ? AND session <= ?"
            " ORDER BY session DESC LIMIT 1",
            (self.series.key, status, (until or date.max).isoformat()),
        )
        return _entry(row) if row else None

    async def newest_said(self) -> date | None:
        """The newest session that was announced."""
        row = await self._db.row(
            "SELECT max(session) AS session FROM sessions WHERE series = ? AND announced",
            (self.series.key,),
        )
        return date.fromisoformat(row["session"]) if row and row["session"] else None

    async def span(self) -> tuple[date, date] | None:
        """The first and the last session stored."""
        row = await self._db.row(
            "SELECT min(session), max(session) FROM sessions WHERE series = ? AND revision > 0",
            (self.series.key,),
        )
        if row is None or row[0] is None:
            return None
        return date.fromisoformat(row[0]), date.fromisoformat(row[1])

    async def serving(self, now: datetime) -> dict[str, date]:
        """Since when each source has sessions, by the age of the oldest that it gave.

        By its age, not its date: a plan of so many years moves on, day by day.
        """
        rows = await self._db.rows(
            "SELECT source, max(julianday(date(stored_at)) - julianday(session)) AS days"
            " FROM sessions WHERE series = ? AND revision > 0 GROUP BY source",
            (self.series.key,),
        )
        today = now.astimezone(UTC).date()
        return {row["source"]: today - timedelta(row["days"]) for row in rows}

    async def stored(
        self,
        day: TradingDay,
        *,
        revision: int,
        source: str,
        version: str | None,
        row_count: int,
        refused: Sequence[Refusal],
        notes: Sequence[str],
        detail: str | None = None,
        now: datetime,
        finished: bool = False,
    ) -> None:
        """The bars of this revision are on disk; `finished`: and that is all there is to do."""
        row: dict[str, Value] = {
            "status": Status.FINISHED if finished else Status.STORED,
            "revision": revision,
            "source": source,
            "version": version,
            "row_count": row_count,
            "refused": _dump(refused),
            "note": "; ".join(notes) or None,
            "detail": detail,
            "stored_at": iso(now),
        }
        await self._put(day, now, **row | ({"finished_at": iso(now)} if finished else {}))

    async def same_again(self, day: TradingDay, version: str | None, now: datetime) -> None:
        """A copy with another name holds the same bars: remember the name, make no revision."""
        await self._put(day, now, version=version)

    async def held(
        self, day: TradingDay, note: str, refused: Sequence[Refusal], now: datetime
    ) -> None:
        """What arrived failed the gate. A revision stored before stays the session's data."""
        await self._not_stored(Status.HELD, day, note, refused, now)

    async def absent(
        self, day: TradingDay, note: str, refused: Sequence[Refusal], now: datetime
    ) -> None:
        """Every source says it has nothing (any more) for this session."""
        await self._not_stored(Status.ABSENT, day, note, refused, now)

    async def _not_stored(
        self, status: Status, day: TradingDay, note: str, refused: Sequence[Refusal], now: datetime
    ) -> None:
        before = await self.entry(day)
        if before and before.revision:
            # Its data stands, and so does what was said of it; the attempt is in the log.
            await self._put(day, now)
        else:
            await self._put(day, now, status=status, note=note, refused=_dump(refused))

    async def finish(
        self, writer: Connection, day: TradingDay, *, announced: bool, now: datetime
    ) -> None:
        """The session is done; part of the caller's transaction."""
        await writer.execute(
            "UPDATE sessions SET status = ?, announced = max(announced, ?), finished_at = ?"
            " WHERE series = ? AND session = ?",
            (Status.FINISHED, int(announced), iso(now), self.series.key, str(day)),
        )

    async def begun(self, since: date) -> datetime | None:
        """When the first of the sessions from `since` on was stored, or tried; None of none."""
        row = await self._db.row(
            "SELECT min(coalesce(stored_at, tried_at)) AS at FROM sessions"
            " WHERE series = ? AND session >= ?",
            (self.series.key, str(since)),
        )
        return None if row is None else _time(row["at"])

    async def log(self, day: TradingDay, refusals: Sequence[Refusal], now: datetime) -> None:
        """Remember who was asked and what was seen."""
        async with self._db.transaction() as writer:
            for refusal in refusals:
                await insert(
                    writer,
                    "attempts",
                    {"at": iso(now), "series": self.series.key, "session": str(day)}
                    | {"source": refusal.source, "verdict": refusal.verdict, "seen": refusal.seen},
                )

    async def _put(self, day: TradingDay, now: datetime, **columns: Value) -> None:
        first: dict[str, Value] = {"series": self.series.key, "session": str(day)}
        new = first | {"status": Status.ABSENT, "revision": 0, "refused": "[]"}
        changes: dict[str, Value] = {"tried_at": iso(now), **columns}
        sets = ", ".join(f"{column} = ?" for column in changes)
        async with self._db.transaction() as writer:
            await insert(writer, "sessions", new | changes, or_="IGNORE")
            await writer.execute(
                f"UPDATE sessions SET {sets} WHERE series = ? AND session = ?",  # noqa: S608
                (*changes.values(), *first.values()),
            )


def _entry(row: Row) -> Entry:
    refused = (Refusal(r["source"], Verdict(r["verdict"]), r["seen"]) for r in _load(row))
    return Entry(
        day=trading_day(date.fromisoformat(row["session"])),
        status=Status(row["status"]),
        revision=row["revision"],
        source=row["source"],
        version=row["version"],
        row_count=row["row_count"],
        refused=tuple(refused),
        note=row["note"],
        detail=row["detail"],
        announced=bool(row["announced"]),
        tried_at=datetime.fromisoformat(row["tried_at"]),
        stored_at=_time(row["stored_at"]),
        finished_at=_time(row["finished_at"]),
    )


def _load(row: Row) -> list[dict[str, str]]:
    loaded: list[dict[str, str]] = json.loads(row["refused"])
    return loaded


def _dump(refused: Sequence[Refusal]) -> str:
    return json.dumps([asdict(r) for r in refused])


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def finished_series(db: Db) -> list[str]:
    """The keys of all series in which sessions were finished."""
    rows = await db.rows("SELECT DISTINCT series FROM sessions WHERE status = 'finished'")
    return [str(row["series"]) for row in rows]


async def known_series(db: Db) -> list[str]:
    """The keys of all series that have a line."""
    return [str(row["series"]) for row in await db.rows("SELECT DISTINCT series FROM sessions")]
