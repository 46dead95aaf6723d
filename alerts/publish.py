"""A judged session -> what is said, in the outbox. Idempotent, in one transaction."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b

from pydantic import TypeAdapter

from alerts import outbox
from alerts.corrections import changes
from alerts.editions import Hides, edition
from alerts.letters import beat, has_details
from alerts.message import in_sections
from alerts.model import ATTACHED, TERMINAL, Delivery, Destination, Kind, Report, State
from alerts.mutes import Mute, doubled, hides, settled
from alerts.rank import report
from alerts.reads import Rows
from alerts.subscriptions import listening, watched
from core.bars import Series
from core.calendar import TradingDay, sessions_ending, trading_day
from core.db import Connection, Db, Value, insert, iso
from core.judged import Judged
from core.measure import REPEAT_SESSIONS

REPORT: TypeAdapter[Report] = TypeAdapter(Report)
_KEPT = 8
HEARTBEAT = Destination("heartbeat", "url")
_SELECT = "SELECT report FROM digests WHERE series = ? AND session = ?"


@dataclass(frozen=True, slots=True)
class Outbox:
    """Puts a new report into the outbox: what each channel is told of it, once."""

    always: Sequence[Destination]
    """Channels that are told everything unless they have a route of their own."""
    top: int
    heartbeat: bool = False
    """Is there a dead-man's switch to be told that the session was published?"""

    async def __call__(self, writer: Connection, judged: Judged, now: datetime) -> None:
        """core.pipeline.Publish: the same revision published twice is one report."""
        earlier = await told(writer.execute_fetchall, judged.series, judged.session)
        said = report(judged, self.top, earlier)
        key: dict[str, Value] = {"series": judged.series.key, "session": str(judged.session)}
        key["revision"] = judged.revision
        body: dict[str, Value] = {"report": REPORT.dump_json(said).decode(), "created_at": iso(now)}
        if not await insert(writer, "digests", key | body, or_="IGNORE"):
            return
        line = {a.ticker: n for n, a in enumerate(in_sections(said.pushed), 1)}
        for a in judged.anomalies:
            named: dict[str, Value] = {"rank": a.rank, "ticker": a.ticker, "label": a.label}
            named |= {"ratio": a.ratio, "z": a.z, "line": line.get(a.ticker)}
            await insert(writer, "anomalies", key | named)
        kept = dict[int, str]()
        for destination, (own, seen) in (await self._editions(writer, judged)).items():
            if id(own) not in kept:
                kept[id(own)] = await _keep(writer, own)
            await _deliver(writer, destination, own, kept[id(own)], seen, now)
        if self.heartbeat:
            await outbox.add(
                writer,
                destination=HEARTBEAT,
                series=judged.series.key,
                session=judged.session,
                kind=Kind.PING,
                now=now,
                body=beat(judged.series, judged.session),
            )

    async def _editions(
        self, writer: Connection, judged: Judged
    ) -> dict[Destination, tuple[Report, "Seen | None"]]:
        """What each channel is told, by its wishes, its list, its mutes and what it was told.

        A later revision by the wishes and the list of the first one: a change of those is no change
        of the market. With what the channel has seen of the session.
        """
        rows = writer.execute_fetchall
        channels = await listening(rows, self.always)
        owners = [str(destination) for destination in channels]
        lists = await watched(rows, owners)
        day = trading_day(judged.session)
        muted = await settled(writer, judged)
        heard = await _told_where(rows, judged.series, day)
        found, made = {}, dict[object, Report]()
        for destination, wants in channels.items():
            owner = str(destination)
            mutes = muted.get(owner, [])
            notes = [line for m in mutes if (line := m.over(judged.session))]
            told = heard.get(owner)
            # A score that ended a mute is news, though the ticker was a line not long ago.
            told = told and told - doubled(mutes, judged.session)
            seen, on_list = await _seen(writer, judged, destination), lists[owner]
            if seen is not None and seen.report.wants is not None:
                wants, on_list = seen.report.wants, seen.report.watched
            # Most channels want the same, and are told the same.
            before = None if told is None else frozenset(told)
            same = (wants, tuple(on_list), tuple(mutes), before, tuple(notes))
            if same not in made:
                muted_now = _muted(mutes, judged.session)
                made[same] = edition(judged, wants, self.top, told, on_list, muted_now, notes)
            found[destination] = made[same], seen
        return found


def _muted(mutes: Sequence[Mute], session: date) -> Hides:
    return lambda anomaly: hides(mutes, anomaly, session)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a channel was last told of a session."""

    report: Report
    arrived: bool
    """Its digest is surely there."""
    in_doubt: bool = False
    """It may be there, and nobody goes on with it: another one could be a second one."""


async def _deliver(
    writer: Connection,
    destination: Destination,
    own: Report,
    kept: str,
    seen: Seen | None,
    now: datetime,
) -> None:
    """The digest of a session or, where that was said before, its edit and what changed."""
    judged = own.judged
    untold = await outbox.supersede(writer, judged.series.key, judged.session, destination, now)
    lines = [a.ticker for a in in_sections(own.pushed)]
    for kind in _kinds(own, seen, untold, pictures=destination != TERMINAL):
        await outbox.add(
            writer,
            destination=destination,
            series=judged.series.key,
            session=judged.session,
            revision=judged.revision,
            kind=kind,
            now=now,
            since=None if seen is None else seen.report.judged.revision,
            edition=kept,
            lines=lines,
            silent=not lines,
            waits=kind in ATTACHED and (seen is None or not seen.arrived),
        )


def _kinds(
    own: Report, seen: Seen | None, untold: Collection[Kind], *, pictures: bool
) -> list[Kind]:
    """What is to be said now, in this order. `untold`: what a later word takes the place of."""
    if seen is None:
        return [Kind.DIGEST, *([Kind.DETAILS] if has_details(own) and pictures else [])]
    if seen.in_doubt:
        return []
    kinds = [Kind.EDIT, *([Kind.CORRECTION] if changes(seen.report, own) else [])]
    not_yet = Kind.DETAILS in untold or not seen.report.pushed
    return [*kinds, *([Kind.DETAILS] if has_details(own) and pictures and not_yet else [])]


async def _keep(writer: Connection, own: Report) -> str:
    """Put an edition on record; its name. Channels that are told the same share one."""
    body = REPORT.dump_json(own).decode()
    name = blake2b(body.encode(), digest_size=12).hexdigest()
    await insert(writer, "editions", {"id": name, "report": body}, or_="IGNORE")
    return name


async def _seen(writer: Connection, judged: Judged, destination: Destination) -> Seen | None:
    """None if it was told nothing: then what is still pending gives way to the new digest."""
    of = (judged.series.key, str(judged.session), str(destination))
    rows = await writer.execute_fetchall(
        "SELECT coalesce(editions.report, digests.report) AS report, d.kind, d.state"
        " FROM deliveries AS d JOIN digests USING (series, session, revision)"
        " LEFT JOIN editions ON editions.id = d.edition"
        " WHERE d.series = ? AND d.session = ? AND d.destination = ?"
        # Not what edits say: they change the list without a word, and the word may still be due.
        " AND d.kind IN ('digest', 'correction') AND (d.state IN ('sending', 'sent', 'ambiguous')"
        " OR (d.kind = 'digest' AND d.doubt AND d.state IN ('refused', 'expired')))"
        " ORDER BY d.revision DESC, d.id DESC",
        of,
    )
    found = list(rows)
    if not found:
        return None
    states = {r["state"] for r in found if r["kind"] == Kind.DIGEST}
    return Seen(
        REPORT.validate_json(found[0]["report"]),
        arrived=State.SENT in states,
        in_doubt=states.isdisjoint(("sending", "sent", "ambiguous")),
    )


async def _told_where(rows: Rows, series: Series, day: TradingDay) -> Mapping[str, set[str]]:
    """Per channel, the tickers that were lines of its digests of the sessions before.

    A channel that had none is not in it.
    """
    before = sessions_ending(day, REPEAT_SESSIONS + 1)[:-1]
    found = await rows(
        "SELECT destination, session, lines, max(revision) FROM deliveries WHERE series = ?"
        " AND session BETWEEN ? AND ? AND kind IN ('digest', 'edit') AND lines IS NOT NULL"
        " AND state NOT IN ('refused', 'expired') GROUP BY destination, session",
        (series.key, str(before[0]), str(before[-1])),
    )
    heard: dict[str, set[str]] = {}
    for row in found:
        heard.setdefault(row["destination"], set()).update(json.loads(row["lines"]))
    return heard


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


async def delivered(
    db: Db, series: Series, day: TradingDay, where: Destination | None = None
) -> list[Report]:
    """What reached readers of a session, or may have, one report a revision, oldest first.

    `where`: as one channel was told it; if that was never told, as anybody was.
    """
    rows = await db.rows(
        "SELECT coalesce(editions.report, digests.report) AS report, d.destination, d.revision"
        " FROM deliveries AS d JOIN digests USING (series, session, revision)"
        " LEFT JOIN editions ON editions.id = d.edition WHERE d.series = ? AND d.session = ?"
        " AND d.state IN ('sent', 'ambiguous') AND d.kind IN ('digest', 'edit', 'correction')"
        " ORDER BY d.revision, d.id",
        (series.key, str(day)),
    )
    own = [row for row in rows if where is not None and row["destination"] == str(where)]
    reports = {row["revision"]: row["report"] for row in reversed(own or rows)}
    return [REPORT.validate_json(reports[revision]) for revision in sorted(reports)]


async def published(db: Db, series: Series, day: TradingDay) -> list[Report]:
    """What was said about a session, one report a revision, oldest first; empty if nothing was."""
    rows = await db.rows(f"{_SELECT} ORDER BY revision", (series.key, str(day)))
    return [REPORT.validate_json(row["report"]) for row in rows]


@dataclass(slots=True)
class Reports:
    """Editions and reports, read once for the many channels that are told the same."""

    db: Db
    _kept: OrderedDict[str, Report] = field(default_factory=OrderedDict)

    async def edition(self, of: Delivery) -> Report:
        """What its channel is told."""
        if of.edition is None:
            return await self._digest(of, of.revision)
        return await self._edition(of.edition)

    async def before(self, of: Delivery) -> Report | None:
        """What its channel was told by the revision before; None if nothing was."""
        if of.since is None:
            return None
        row = await self.db.row(
            "SELECT edition FROM deliveries WHERE series = ? AND session = ? AND destination = ?"
            " AND revision = ? AND edition IS NOT NULL LIMIT 1",
            (of.series, str(of.session), str(of.destination), of.since),
        )
        if row is None:
            return await self._digest(of, of.since)
        return await self._edition(row[0])

    async def _edition(self, name: str) -> Report:
        return await self._read(name, "SELECT report FROM editions WHERE id = ?", name)

    async def _digest(self, of: Delivery, revision: int) -> Report:
        key = (of.series, str(of.session), revision)
        return await self._read(repr(key), f"{_SELECT} AND revision = ?", *key)

    async def _read(self, name: str, sql: str, *values: Value) -> Report:
        if name not in self._kept:
            row = await self.db.row(sql, values)
            if row is None:
                raise KeyError(name)
            self._kept[name] = await asyncio.to_thread(REPORT.validate_json, row["report"])
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[name]
