"""Every platform's sender over its local server, behind one handle for the contract's tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.deliver import Sender
from alerts.model import Destination, Letter, Message, Picture, Receipt, Row, Tried
from bot.platforms import discord, slack
from bot.platforms.console import ConsoleSender
from bot.platforms.pacing import Pacing
from tests.servers.chat import ChatServer
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer

TOKEN = "invented-token-that-nobody-may-see"
NOW = datetime(2026, 12, 18, 6, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
CHART = Picture(PNG, "XYZQ, 90 sessions: a line that rises at the end")
CHANNELS = {"discord": "900000000000000011", "slack": "C0ALERTS", "console": "terminal"}

CREATE = {"discord": "messages.create", "slack": "chat.postMessage"}
EDIT = {"discord": "messages.edit", "slack": "chat.update"}
HISTORY = {"discord": "messages.list", "slack": "conversations.history"}


class Clock:
    """Tells the sender and the server the same time, until a test moves it."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True)
class Said:
    """A message as its reader finds it."""

    text: str
    whole: str
    """All that is to be read in it."""
    pictures: tuple[tuple[bytes, str], ...] = ()


@dataclass(slots=True)
class Platform:
    """A sender, and a hand on what stands behind it."""

    name: str
    sender: Sender
    clock: Clock
    said: Callable[[], list[Said]]
    """What stands in the channel, without threads."""
    threads: Callable[[Receipt], list[Said]]
    """What stands in a message's thread."""
    server: Any = None

    @property
    def to(self) -> Destination:
        """Its only channel."""
        return Destination(self.name, CHANNELS[self.name])

    @property
    def create(self) -> str:
        """The operation that makes a message."""
        return CREATE[self.name]

    def tried(self) -> Tried:
        """An attempt just now."""
        return Tried(self.clock.at, self.clock.at + timedelta(minutes=2), self.clock.at)

    def later(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.at += timedelta(seconds=seconds)

    async def settle(self, letter: Letter, tried: Tried) -> Receipt:
        """What the courier does about a letter that may have arrived."""
        found = await self.sender.find(self.to, letter, tried)
        return found or await self.sender.send(self.to, letter)


def letter(key: str = "digest", lead: str = "", **more: Any) -> Letter:
    """A small digest."""
    message = Message(
        title="EOD anomalies · Thu 17 Dec 2026 · 1 line",
        lead=lead or f"{key}: XYZQ 6.2× volume −18.2%.",
        rows=(Row("1. XYZQ  −18.2%", ("trades 4.8× · new",)),),
        context=("detector 1 · settings 42a031 · data revision 1",),
        footer=("research data, not advice",),
    )
    return Letter(key, message, **more)


@asynccontextmanager
async def over_discord(*, url: str = "", answer_within_s: float = 5.0) -> AsyncIterator[Platform]:
    """discord.py and the local Discord."""
    clock, channel = Clock(), int(CHANNELS["discord"])
    limits: dict[str, Any] = {"channel_limit": None, "global_limit": None}
    async with DiscordServer(token=TOKEN, now=clock, **limits) as server:
        server.add_channel(channel)

        def said(channel_id: int = channel) -> list[Said]:
            there = [m for m in server.messages(channel_id) if not m.deleted]
            return [
                Said(
                    m.content,
                    f"{m.content} {m.embeds} {m.components}",
                    tuple((a.data, a.description or "") for a in m.attachments),
                )
                for m in there
            ]

        async with discord.connected(
            TOKEN,
            url or server.api_url,
            now=clock,
            pacing=Pacing(16),
            answer_within_s=answer_within_s,
        ) as sender:
            yield Platform(
                "discord", sender, clock, said, lambda r: said(int(r.message_id)), server
            )


@asynccontextmanager
async def over_slack(*, url: str = "", answer_within_s: float = 5.0) -> AsyncIterator[Platform]:
    """slack_sdk and the local Slack."""
    clock, channel = Clock(), CHANNELS["slack"]
    limits: dict[str, Any] = {"channel_limit": None, "workspace_limit": None}
    async with SlackServer(token=TOKEN, now=clock, **limits) as server:
        server.add_channel(channel)

        def said(thread: str | None = None) -> list[Said]:
            there = [m for m in server.messages(channel) if not m.deleted]
            return [
                Said(m.text, f"{m.text} {m.blocks}", _slack_pictures(server, m.blocks))
                for m in there
                if m.thread_ts == thread
            ]

        async with slack.connected(
            TOKEN,
            url or server.api_url,
            now=clock,
            pacing=Pacing(8),
            answer_within_s=answer_within_s,
            poll_every_s=0.01,
        ) as sender:
            yield Platform("slack", sender, clock, said, lambda r: said(r.message_id), server)


def _slack_pictures(server: SlackServer, blocks: list[dict[str, Any]]) -> tuple[Any, ...]:
    shown = [block for block in blocks if block["type"] == "image"]
    return tuple((server.files[b["slack_file"]["id"]].data, b["alt_text"]) for b in shown)


@asynccontextmanager
async def over_terminal(*, url: str = "", answer_within_s: float = 5.0) -> AsyncIterator[Platform]:
    """The terminal, which has neither threads nor faults."""
    shown: list[str] = []

    def said(receipt: Receipt | None = None) -> list[Said]:
        return [Said(text, text) for text in shown]

    yield Platform("console", ConsoleSender(shown.append), Clock(), said, said)


CHATS = {"discord": over_discord, "slack": over_slack}
ALL = {**CHATS, "console": over_terminal}


def requests(platform: Platform, operation: str = "") -> int:
    """How many there were."""
    server: ChatServer = platform.server
    return sum(operation in ("", seen.operation) for seen in server.requests)
