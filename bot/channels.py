"""/subscribe, /unsubscribe and /channels: where digests go, what is wanted there, what it needs."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from zoneinfo import available_timezones

from alerts.budget import clipped
from alerts.channel_card import Standing, channel_list, subscribed, tested
from alerts.deliver import Courier, Sender
from alerts.model import Destination, Message
from alerts.selftest import self_test
from alerts.subscriptions import ENVIRONMENT, Route, routes, subscribe, unsubscribe, watched
from alerts.wants import EVERYTHING, QuietHours, Wants
from bot.arguments import is_short_number, no_more_than
from bot.links import Link
from bot.requests import ONLY_HERE, CommandRequest
from core.anomaly import TIERS
from core.bars import Scope
from core.errors import CommandError

SUBSCRIBE_USAGE = (
    "[all|off-exchange] [min:rare] [top:5] [watchlist] [etfs|no-etfs]"
    " [quiet:22:00-07:00 Europe/Berlin] [sound|silent]"
)
NONE_HERE = "Digests do not come here."
_MOST_LINES = 50
_DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2212), "-")
_HOUR = r"([01]?\d|2[0-3])(?::([0-5]\d))?"
_USUAL_ZONE = "America/New_York"
# At import: the names are read from disk, which the event loop must not do.
_ZONES = {zone.lower(): zone for zone in available_timezones()}
_PLAIN: dict[str, tuple[str, object]] = {
    "off-exchange": ("scope", Scope.OFF_EXCHANGE),
    "all": ("scope", Scope.ALL),
    "watchlist": ("watchlist", True),
    "no-etfs": ("etfs", False),
    "etfs": ("etfs", True),
    "silent": ("silent", True),
    "sound": ("silent", False),
}


@dataclass(frozen=True, slots=True)
class Channels:
    """Answers about routes."""

    courier: Courier
    always: Collection[Destination]
    now: Callable[[], datetime]
    stamp: str
    knows_shares: bool = True
    """Is off-exchange volume read at all?"""
    links: Sequence[Link] = ()
    """The connections by which commands arrive."""

    async def subscribe(self, request: CommandRequest) -> Message:
        """This channel, or the one that is named first, is told what the words say."""
        request.only_operators("/subscribe")
        destination, words = request.channel, request.words
        wants = wanted_by(words)
        sender = self._sender(destination)
        before = await subscribe(
            self.courier.db, destination, wants, who=request.who, now=self.now()
        )
        self.courier.ring()
        checks = await sender.examine(destination)
        was = before.wants if before else (EVERYTHING if destination in self.always else None)
        notes = await self._notes(destination, wants)
        return subscribed(destination, wants, was, notes, checks, self.stamp)

    async def unsubscribe(self, request: CommandRequest) -> Message:
        """Nothing goes there any more, whatever the environment says."""
        request.only_operators("/unsubscribe")
        destination, words = request.channel, request.words
        no_more_than(words, 0, "/unsubscribe")
        known = {route.destination for route in await routes(self.courier.db.rows)}
        if destination in self.always and destination not in known:
            # It has no row until somebody says something about it.
            await subscribe(
                self.courier.db, destination, EVERYTHING, who=request.who, now=self.now()
            )
        gone = await unsubscribe(self.courier.db, destination, who=request.who, now=self.now())
        if gone is None:
            raise CommandError(f"{destination} is not subscribed; /channels lists those that are")
        return Message(
            title=f"Unsubscribed · {destination}",
            lead=f"{destination} gets no digests any more; what is on its way still arrives.",
            banners=_stays_off(gone),
            footer=("/subscribe begins again",),
            stamp=self.stamp,
        )

    async def channels(self, request: CommandRequest) -> Message:
        """The list, or a self-test of one channel."""
        if not request.words:
            connections = [(f"commands on {link.platform}", str(link)) for link in self.links]
            standings = await self._standings()
            seen = [s for s in standings if request.sees(s.destination)]
            message = channel_list(seen, self.stamp, connections)
            if len(seen) == len(standings):
                return message
            lead = "Digests come here." if any(not s.ended for s in seen) else NONE_HERE
            return replace(message, lead=lead, footer=(*message.footer, ONLY_HERE))
        if request.words[0].lower() != "test":
            raise CommandError(
                f"/channels {clipped(request.words[0], 40)}: there is /channels and /channels test"
            )
        request.only_operators("/channels test")
        asked = replace(request, words=request.words[1:]).redirected()
        destination, words = asked.channel, asked.words
        no_more_than(words, 0, "/channels test")
        sender = self._sender(destination)
        checks = await self_test(sender, destination, request.who, self.now)
        return tested(destination, checks, self.stamp)

    async def _notes(self, destination: Destination, wants: Wants) -> list[str]:
        """What may not be as it is expected, said before it disappoints."""
        notes = []
        if wants.silent and destination.platform == "slack":
            notes.append("Slack has no messages without a sound; each reader can mute the channel")
        if wants.watchlist:
            lists = await watched(self.courier.db.rows, [str(destination)])
            if not lists[str(destination)]:
                notes.append(
                    f"this channel's watchlist is empty: /watch {destination} add TICKER here"
                )
        if wants.scope is Scope.OFF_EXCHANGE and not self.knows_shares:
            notes.append(
                "off-exchange volume is not read here, so no line can be of it: USE_TRADES_FILES"
                " or DARK_POOL_ONLY reads it"
            )
        return notes

    def _sender(self, destination: Destination) -> Sender:
        sender = self.courier.senders.get(destination.platform)
        if sender is None:
            token = {"discord": "DISCORD_TOKEN", "slack": "SLACK_BOT_TOKEN"}
            needed = token.get(destination.platform, "the service with a terminal")
            raise CommandError(f"{destination.platform} is not connected: it needs {needed}")
        return sender

    async def _standings(self) -> list[Standing]:
        db = self.courier.db
        known = {route.destination: route for route in await routes(db.rows)}
        rows = await db.rows(
            "SELECT destination, max(CASE WHEN state = 'sent' AND kind = 'digest' THEN session END)"
            " AS last, sum(state IN ('pending', 'sending', 'ambiguous')) AS waiting,"
            " max(CASE WHEN state IN ('ambiguous', 'refused') THEN session || ': ' || reason END)"
            " AS trouble FROM deliveries WHERE kind != 'ping' GROUP BY destination"
        )
        fares = {Destination.parse(row["destination"]): row for row in rows}
        found = []
        for destination in sorted({*known, *self.always}):
            route, fare = known.get(destination), fares.get(destination)
            last = date.fromisoformat(fare["last"]) if fare and fare["last"] else None
            trouble = fare["trouble"] if fare and fare["trouble"] else ""
            found.append(
                Standing(
                    destination,
                    route.wants if route else EVERYTHING,
                    _origin(route),
                    _ended(route),
                    last,
                    fare["waiting"] if fare else 0,
                    trouble if last is None or trouble[:10] >= str(last) else "",
                )
            )
        return found


def wanted_by(words: Sequence[str]) -> Wants:
    """What the words of /subscribe ask for; CommandError names the one that nobody understands."""
    wants, left = EVERYTHING, _joined(words)
    quiet = zone = None
    while left:
        word = left.pop(0)
        name, colon, value = word.partition(":")
        name = name.lower()
        if not colon and name in _PLAIN:
            field, chosen = _PLAIN[name]
            wants = replace(wants, **{field: chosen})  # type: ignore[arg-type]
        elif name == "min" and colon:
            wants = replace(wants, min_tier=_tier(value))
        elif name == "top" and colon:
            wants = replace(wants, top=_most(value))
        elif name == "quiet" and colon:
            quiet = value
            zone = left.pop(0) if left and _may_be_zone(left[0]) else zone
        elif name == "zone" and colon:
            zone = value
        else:
            raise CommandError(f"{clipped(word, 40)!r} is nothing to subscribe to. {_USAGE}")
    if quiet is not None:
        return replace(wants, quiet=_quiet(quiet, _USUAL_ZONE if zone is None else zone))
    if zone is not None:
        raise CommandError(
            f"zone:{clipped(zone, 40)} goes with quiet hours, such as quiet:22:00-07:00"
        )
    return wants


def _joined(words: Sequence[str]) -> list[str]:
    """`quiet:22:00 – 07:00` as `quiet:22:00-07:00`: a phone makes a dash of two hyphens, or of one
    between numbers."""
    return re.sub(r"[\s_]*-[\s_]*", "-", " ".join(words).translate(_DASHES)).split()


_USAGE = f"/subscribe {SUBSCRIBE_USAGE}"


def _tier(value: str) -> str:
    if value.lower() not in TIERS:
        raise CommandError(f"min:{clipped(value, 40)} should be notable, rare or extreme. {_USAGE}")
    return value.lower()


def _most(value: str) -> int:
    if not is_short_number(value, _MOST_LINES) or not 1 <= int(value) <= _MOST_LINES:
        raise CommandError(
            f"top:{clipped(value, 40)} should be a number from 1 to {_MOST_LINES}. {_USAGE}"
        )
    return int(value)


def _may_be_zone(word: str) -> bool:
    return ":" not in word and word.lower() not in _PLAIN


def _quiet(value: str, zone: str) -> QuietHours:
    match = re.fullmatch(f"{_HOUR}-{_HOUR}", value)
    if match is None:
        raise CommandError(
            f"quiet:{clipped(value, 40)} should be like quiet:22:00-07:00, with a time zone such as"
            f" Europe/Berlin behind it (else {_USUAL_ZONE})"
        )
    if zone.lower() not in _ZONES:
        raise CommandError(f"{clipped(zone, 40)!r} is no time zone; one is like Europe/Berlin")
    hour, minute, until, past = (int(part or 0) for part in match.groups())
    start, end = time(hour, minute), time(until, past)
    if start == end:
        raise CommandError(
            f"quiet:{clipped(value, 40)} begins when it ends; leave it out, or unsubscribe"
        )
    return QuietHours(start, end, _ZONES[zone.lower()])


def _origin(route: Route | None) -> str:
    if route is None:
        return "always there"
    if route.origin == ENVIRONMENT:
        return "set in the environment"
    return f"set by {route.set_by} on {route.set_at[:10]}"


def _ended(route: Route | None) -> str:
    if route is None or route.active or route.ended_at is None:
        return ""
    return f"ended by {route.ended_by} on {route.ended_at[:10]}"


def _stays_off(gone: Route) -> tuple[str, ...]:
    if gone.origin != ENVIRONMENT:
        return ()
    return ("the environment names this channel; it stays off all the same, until /subscribe",)
