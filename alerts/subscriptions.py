"""Where digests go and what each channel wants to hear; the watchlists of channels and people.

An owner is a channel (`discord:123`) or a person (`discord:@123`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from alerts.model import Destination, State
from alerts.reads import Rows
from alerts.wants import EVERYTHING, QuietHours, Wants
from core.db import Connection, Db, Row, Value, insert, iso
from core.errors import Reason

_WANTS: TypeAdapter[Wants] = TypeAdapter(Wants)
ENVIRONMENT, COMMAND = "environment", "command"


@dataclass(frozen=True, slots=True)
class Route:
    """One channel that digests go to, or went to."""

    destination: Destination
    wants: Wants
    origin: str
    set_by: str
    set_at: str
    ended_by: str | None = None
    ended_at: str | None = None

    @property
    def active(self) -> bool:
        """Does anything go there?"""
        return self.ended_at is None


async def routes(rows: Rows) -> list[Route]:
    """All routes, those that ended too."""
    found = await rows("SELECT * FROM routes ORDER BY destination", ())
    return [_route(row) for row in found]


async def listening(rows: Rows, always: Collection[Destination]) -> dict[Destination, Wants]:
    """Where a digest goes now, and what is wanted there.

    `always`: these are told everything, unless a route of their own says otherwise.
    """
    known = {route.destination: route for route in await routes(rows)}
    unset = {destination: EVERYTHING for destination in always if destination not in known}
    return unset | {d: route.wants for d, route in known.items() if route.active}


async def wants_of(rows: Rows, destination: Destination) -> Wants:
    """What one channel wants; everything, if nobody said."""
    found = await rows("SELECT wants FROM routes WHERE destination = ?", (str(destination),))
    return next((_WANTS.validate_json(row["wants"]) for row in found), EVERYTHING)


async def subscribe(
    db: Db, destination: Destination, wants: Wants, *, who: str, now: datetime
) -> Route | None:
    """From now on a channel is told this; what it was told before, if it was subscribed."""
    async with db.transaction() as writer:
        before = await _find(writer, destination)
        await _put(writer, destination, wants, COMMAND, who, now)
        # What waits for quiet hours to end waits no longer than the new ones say.
        await writer.execute(
            "UPDATE deliveries SET next_try_at = ? WHERE destination = ? AND state = 'pending'"
            " AND next_try_at > ? AND reason = ?",
            (iso(now), str(destination), iso(now), Reason.QUIET_HOURS),
        )
    return before if before and before.active else None


async def unsubscribe(db: Db, destination: Destination, *, who: str, now: datetime) -> Route | None:
    """Nothing goes there any more; what was, if it was subscribed."""
    async with db.transaction() as writer:
        before = await _find(writer, destination)
        if before is None or not before.active:
            return None
        await _end(writer, destination, who, now)
        # Nobody waits for these any more.
        await writer.execute(
            "UPDATE deliveries SET state = ?, reason = ?, seen = ?, next_try_at = NULL,"
            " changed_at = ? WHERE destination = ? AND (state = 'refused'"
            " OR (state = 'ambiguous' AND next_try_at IS NULL))",
            (State.EXPIRED, Reason.DROPPED, f"unsubscribed by {who}", iso(now), str(destination)),
        )
    return before


@dataclass(frozen=True, slots=True)
class Named:
    """What the environment changed."""

    off: tuple[Route, ...] = ()
    """Named, and off by a person's word."""
    ended: tuple[Route, ...] = ()
    """No longer named, and so ended."""


async def first_routes(
    db: Db, named: Iterable[Destination], now: datetime, *, ending: bool
) -> Named:
    """Bring the routes in line with the environment; those that stay off by a person's word.

    A channel newly named there is subscribed to everything. With `ending`, one that is no longer
    named, and that nobody set by a command, is ended: only the service may know the environment
    that well, not every command that is typed. A person's `/unsubscribe` holds over restarts.
    """
    wanted, ended = set(named), list[Route]()
    async with db.transaction() as writer:
        known = {r.destination: r for r in await routes(writer.execute_fetchall)}
        for destination in sorted(wanted - set(known)):
            await _put(writer, destination, EVERYTHING, ENVIRONMENT, ENVIRONMENT, now)
        for route in known.values():
            own = route.origin == ENVIRONMENT
            if ending and own and route.active and route.destination not in wanted:
                await _end(writer, route.destination, ENVIRONMENT, now)
                ended.append(route)
            if route.ended_by == ENVIRONMENT and route.destination in wanted:
                await _put(writer, route.destination, route.wants, ENVIRONMENT, ENVIRONMENT, now)
    off = [
        r for d, r in known.items() if d in wanted and not r.active and r.ended_by != ENVIRONMENT
    ]
    return Named(tuple(off), tuple(ended))


def quiet_until(wants: Wants, now: datetime) -> datetime | None:
    """The end of the quiet hours that are now; None if it is not quiet."""
    hours = wants.quiet
    if hours is None or not _is_quiet(hours, now):
        return None
    local = now.astimezone(ZoneInfo(hours.zone))
    day = local if local.time() < hours.end else local + timedelta(days=1)
    end = day.replace(hour=hours.end.hour, minute=hours.end.minute, second=0, microsecond=0, fold=0)
    return end.astimezone(now.tzinfo)


def _is_quiet(hours: QuietHours, now: datetime) -> bool:
    at = now.astimezone(ZoneInfo(hours.zone)).time()
    if hours.start <= hours.end:
        return hours.start <= at < hours.end
    return at >= hours.start or at < hours.end


async def watched(rows: Rows, owners: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The watchlists of these owners, in alphabetical order."""
    marks = ", ".join("?" * len(owners))
    found = await rows(
        f"SELECT owner, ticker FROM watchlists WHERE owner IN ({marks})"  # noqa: S608
        " ORDER BY owner, ticker",
        tuple(owners),
    )
    lists: dict[str, list[str]] = {owner: [] for owner in owners}
    for row in found:
        lists[row["owner"]].append(row["ticker"])
    return {owner: tuple(tickers) for owner, tickers in lists.items()}


async def watch(
    db: Db, owner: str, tickers: Sequence[str], *, who: str, now: datetime
) -> list[str]:
    """Put tickers on a list; those that were not on it before."""
    async with db.transaction() as writer:
        row: dict[str, Value] = {"owner": owner, "added_by": who, "added_at": iso(now)}
        return [
            ticker
            for ticker in tickers
            if await insert(writer, "watchlists", row | {"ticker": ticker}, or_="IGNORE")
        ]


async def unwatch(db: Db, owner: str, tickers: Sequence[str]) -> list[str]:
    """Take tickers off a list; those that were on it."""
    gone = []
    async with db.transaction() as writer:
        for ticker in tickers:
            cursor = await writer.execute(
                "DELETE FROM watchlists WHERE owner = ? AND ticker = ?", (owner, ticker)
            )
            gone += [ticker] * cursor.rowcount
    return gone


async def _find(writer: Connection, destination: Destination) -> Route | None:
    found = await writer.execute_fetchall(
        "SELECT * FROM routes WHERE destination = ?", (str(destination),)
    )
    return next((_route(row) for row in found), None)


async def _put(
    writer: Connection, destination: Destination, wants: Wants, origin: str, who: str, now: datetime
) -> None:
    row: dict[str, Value] = {"destination": str(destination), "origin": origin, "set_by": who}
    row |= {"wants": _WANTS.dump_json(wants).decode(), "set_at": iso(now)}
    await insert(writer, "routes", row, or_="REPLACE")


async def _end(writer: Connection, destination: Destination, who: str, now: datetime) -> None:
    await writer.execute(
        "UPDATE routes SET ended_by = ?, ended_at = ? WHERE destination = ?",
        (who, iso(now), str(destination)),
    )


def _route(row: Row) -> Route:
    return Route(
        Destination.parse(row["destination"]),
        _WANTS.validate_json(row["wants"]),
        row["origin"],
        row["set_by"],
        row["set_at"],
        row["ended_by"],
        row["ended_at"],
    )
