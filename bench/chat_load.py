"""People on both local platforms who ask all day long, and what each of them got for it.

They are many enough, and in channels enough, for the pace limits (bot/pace.py) to be no part of
what is measured. Each does what the platform's own client would let them do, and presses only what
an answer offered.
"""

import asyncio
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.servers.discord import DiscordServer
from tests.servers.discord_interaction import COMPONENT, Interaction
from tests.servers.slack import SlackServer
from tests.servers.slack_asked import Asked
from tests.servers.slack_form import elements

CHANNELS, PEOPLE = 6, 30
DISCORD_TOKEN = "MTE.of.no-one"  # noqa: S105 - of the local servers
SLACK_TOKEN = "xoxb-of-no-one"  # noqa: S105
SUGGESTED = "suggestions"
"""What is offered while somebody types."""

_KEPT, _GOLDEN = 60, 0.618_033_988_749_895
_PICK, _DO, _SHARE = "pick", "do:", "share:"


@dataclass(slots=True)
class Given:
    """One thing that somebody did, and what came of it. Times are monotonic."""

    platform: str
    kind: str
    thing: Interaction | Asked
    expected: int = 1
    """How many messages it is to bring; what is shared brings a note, Discord's in two steps."""
    deliverable: bool = True
    """Whether the platform had anybody to tell, or to keep it for."""
    again: Asked | None = None
    """The second delivery of an event whose first was not acknowledged."""
    edits: int = 0
    """Discord: how often the promised message was written; a second time is a second answer."""

    @property
    def ack_s(self) -> float | None:
        """From its leaving to the acknowledgement."""
        at, since = self.thing.acked_at, self.thing.dispatched_at
        return None if at is None or since is None else at - since

    @property
    def answer_s(self) -> float | None:
        """From its leaving to the first thing that was to be seen."""
        at, since = self.thing.answered_at, self.thing.dispatched_at
        return None if at is None or since is None else at - since

    @property
    def is_answered(self) -> bool:
        """Was there anything to be seen of it?"""
        return self.thing.answered_at is not None or bool(self.again and self.again.shown)

    @property
    def surplus(self) -> int:
        """Answers beyond what it is to bring."""
        if isinstance(self.thing, Interaction):
            seen = self.edits + len(self.thing.followups)
            return max(0, seen - self.expected)
        seen = len(self.thing.shown) + len(self.again.shown if self.again else ())
        return max(0, seen - self.expected) + max(0, self.thing.acks - 1)

    @property
    def refusals(self) -> Sequence[object]:
        """What the platform did not take of what came back."""
        return self.thing.refused if isinstance(self.thing, Interaction) else self.thing.refusals


@dataclass(slots=True)
class Crowd:
    """Both platforms' people. Whoever is next is the one who was silent for longest."""

    discord: DiscordServer
    slack: SlackServer
    tickers: Sequence[str]
    given: list[Given] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What a client would not have let them do, which is an error of the load."""
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _turn_of_buttons: Iterator[int] = field(default_factory=itertools.count)
    _old: dict[str, deque[Given]] = field(
        default_factory=lambda: {"discord": deque(maxlen=_KEPT), "slack": deque(maxlen=_KEPT)}
    )
    _edits: Counter[str] = field(default_factory=Counter)

    def move_in(self, channels: int = CHANNELS) -> None:
        """The channels there are; people type in the first of them."""
        for n in range(channels):
            self.discord.add_channel(discord_channel(n), name=f"desk-{n}")
            self.slack.add_channel(slack_channel(n), name=f"desk-{n}")
        for n in range(PEOPLE):
            self.slack.people.name(_mentioner(n))

    async def ask(self) -> None:
        """The next thing on the next platform."""
        turn = next(self._turn)
        n = turn // 2
        try:
            if turn % 2 == 0:
                await self._on_discord(n)
            else:
                await self._on_slack(n)
        except AssertionError as error:
            self.failures.append(f"{type(error).__name__}: {error}")

    def take_stock(self) -> None:
        """Count how often Discord's answers were written, and forget the requests."""
        for seen in self.discord.requests:
            if seen.operation == "webhooks.edit" and (seen.status or 0) < 400:
                self._edits[seen.call.ids["token"]] += 1
        self.discord.requests.clear()
        self.slack.requests.clear()
        for file in self.slack.files.values():
            file.data = b""
        for given in self.given:
            if isinstance(given.thing, Interaction):
                given.edits = self._edits[given.thing.token]

    async def _on_discord(self, n: int) -> None:
        who, where = 910_000_000_000_000_000 + n % PEOPLE, discord_channel(n % CHANNELS)
        sym, server = self._ticker(n), self.discord

        def typed(name: str, **options: str) -> Awaitable[Interaction]:
            return server.interact_command(name, options, user_id=who, channel_id=where)

        match n % 10:
            case 0 | 5:
                kind, doing = "ticker", typed("ticker", symbol=sym)
            case 1:
                kind, doing = "anomalies", typed("anomalies")
            case 2:
                kind, doing = "why", typed("why", symbol=sym)
            case 3:
                kind, doing = "watch", typed("watch add", symbols=sym)
            case 4 | 8:
                kind, letters = SUGGESTED, sym[: 1 + n // 10 % 3]
                doing = server.autocomplete(
                    "ticker", "symbol", letters, user_id=who, channel_id=where
                )
            case 6 | 9 if pressing := self._something_to_press("discord"):
                return await self._press_on_discord(*pressing)
            case 7:
                kind, doing = "wrong", typed("why", symbol="NO-SUCH", session="31 Feb")
            case _:
                kind, doing = "help", typed("help")
        self._note(Given("discord", kind, await doing, int(kind != SUGGESTED)))
        return None

    async def _press_on_discord(self, old: Given, found: str, value: str | None) -> None:
        assert isinstance(old.thing, Interaction)
        made = await self.discord.interact_component(
            old.thing.original, found, [] if value is None else [value], user_id=old.thing.user_id
        )
        assert made.kind == COMPONENT
        self._note(Given("discord", "button", made, 3 if found.startswith(_SHARE) else 1))

    async def _on_slack(self, n: int) -> None:
        who, where = f"U1{n % PEOPLE:07d}", slack_channel(n % CHANNELS)
        sym, server = self._ticker(n), self.slack

        def typed(command: str, text: str = "") -> Awaitable[Asked]:
            return server.command(command, text, user_id=who, channel_id=where)

        match n % 10:
            case 0 | 5:
                kind, doing = "ticker", typed("/ticker", sym)
            case 1:
                kind, doing = "anomalies", typed("/anomalies")
            case 2:
                kind, doing = "why", typed("/why", sym)
            case 3:
                kind, doing = "watch", typed("/watch", f"add {sym}")
            case 4:
                # Somebody who does nothing else: nothing but the channel tells whose answer it is.
                who = _mentioner(n // 10 % PEOPLE)
                kind = "mention"
                doing = server.mention(f"ticker {sym}", user_id=who, channel_id=where)
            case 6 | 9 if pressing := self._something_to_press("slack"):
                return await self._press_on_slack(*pressing)
            case 7:
                kind, doing = "wrong", typed("/tapewatch", f"tikcer {sym}")
            case 8:
                kind, doing = "window", typed("/ticker")
            case _:
                kind, doing = "help", typed("/tw-help")
        self._note(Given("slack", kind, await doing))
        return None

    async def _press_on_slack(self, old: Given, found: str, value: str | None) -> None:
        assert isinstance(old.thing, Asked)
        made = await self.slack.press(old.thing.shown[0].thing, found, value=value)
        self._note(Given("slack", "button", made, 3 if found.startswith(_SHARE) else 1))

    def _ticker(self, n: int) -> str:
        """Many ask about a few names, and a few about the others."""
        return self.tickers[int(len(self.tickers) * (n * _GOLDEN % 1) ** 2)]

    def _note(self, given: Given) -> None:
        if isinstance(given.thing, Interaction):
            given.deliverable = bool(self.discord.gateway.sessions)
        self.given.append(given)
        if given.kind in ("ticker", "anomalies", "why"):
            self._old[given.platform].append(given)

    def _something_to_press(self, platform: str) -> tuple[Given, str, str | None] | None:
        """A button or an option of an answer that is there; each answer serves once."""
        waiting = self._old[platform]
        for _ in range(len(waiting)):
            given = waiting.popleft()
            if given.is_answered and (offered := list(_offered(given))):
                return (given, *offered[next(self._turn_of_buttons) % len(offered)])
            waiting.append(given)
        return None


def _offered(given: Given) -> Iterator[tuple[str, str | None]]:
    if isinstance(given.thing, Interaction):
        rows = given.thing.original.components
        parts: list[dict[str, Any]] = [part for row in rows for part in row["components"]]
        named = [(str(part.get("custom_id", "")), part) for part in parts]
    else:
        shown = given.thing.shown[0].thing
        there = [element for block in shown.blocks for element in elements(block)]
        named = [(str(element.get("action_id", "")), element) for element in there]
    for name, part in named:
        if name.startswith(_PICK):
            yield name, part["options"][-1]["value"]
        elif name.startswith((_DO, _SHARE)) and not part.get("disabled"):
            yield name, None


def discord_channel(n: int) -> int:
    """A text channel."""
    return 920_000_000_000_000_000 + n


def slack_channel(n: int) -> str:
    """A channel that the bot is in."""
    return f"C1{n:07d}"


def _mentioner(n: int) -> str:
    """Who speaks to the bot."""
    return f"U2{n:07d}"


async def paced(
    ask: Callable[[], Awaitable[None]], per_second: float, count: float = math.inf,
    until: float = math.inf,
) -> None:  # fmt: skip
    """So many, evenly, whatever becomes of them; `until` is monotonic."""
    began, doing = time.monotonic(), set[asyncio.Task[None]]()
    for n in itertools.count():
        due = began + n / per_second
        if n >= count or due > until:
            break
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.ensure_future(ask())
        doing.add(task)
        task.add_done_callback(doing.discard)
    await asyncio.gather(*doing)


async def all_answered(
    given: Sequence[Given], within_s: float, excused: Callable[[Given], bool] = lambda one: False
) -> None:
    """Wait for what is still to come, but not for ever."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if all(one.is_answered or excused(one) for one in given):
            return
        await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Times:
    """Of many."""

    count: int
    median: float
    p99: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float | None]) -> "Times":
        """Of those that there are; what never came is as bad as can be."""
        found = sorted(math.inf if one is None else one for one in seconds)
        if not found:
            return cls(0, math.inf, math.inf, math.inf)
        return cls(len(found), median(found), found[math.ceil(0.99 * len(found)) - 1], found[-1])
