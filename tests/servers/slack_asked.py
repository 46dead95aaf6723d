"""What a person asked of the bot, and all that came of it: a test waits on it."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.servers.chat import Row
from tests.servers.slack_store import Ephemeral, StoredMessage, StoredView

Kind = Literal["slash_commands", "interactive", "events_api"]
How = Literal["ack", "response_url", "ephemeral", "message", "view"]
Thing = StoredMessage | Ephemeral | StoredView


class Changes:
    """Wakes everyone who waits, whenever anything has happened."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Something has happened."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, holds: Callable[[], object], within_s: float) -> bool:
        """Wait until it holds; whether it does in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while not holds():
            future = loop.create_future()
            self._waiting.add(future)
            await asyncio.wait([future], timeout=deadline - loop.time())
            self._waiting.discard(future)
            if loop.time() >= deadline:
                return bool(holds())
        return True


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that came of it for people to see; `at` is monotonic, `body` as the bot sent it."""

    how: How
    body: Row
    at: float
    thing: Thing
    """What is stored of it: its buttons can be pressed, a view can be submitted."""

    @property
    def text(self) -> str:
        """Its plain text."""
        return str(self.body.get("text") or "")


@dataclass(slots=True, eq=False, repr=False)
class Asked:
    """One command, press, submission or mention on its way to the bot. Times are monotonic."""

    kind: Kind
    user_id: str
    channel_id: str
    changes: Changes
    payload: Row = field(default_factory=dict)
    source: Thing | None = None
    """What was pressed or submitted."""
    thread_ts: str | None = None
    """The thread that an answer to a mention belongs to."""
    envelope_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    retry_attempt: int = 0
    retry_reason: str = ""
    dispatched_at: float | None = None
    """When it left: None while nobody is connected."""
    acked_at: float | None = None
    ack: Row | None = None
    """The payload of the ack, empty for an empty one; None until there is one."""
    acks: int = 0
    """How many acks came; more than one is a bug of the bot's."""
    connection: int | None = None
    """The number of the socket that it went to."""
    status: int | None = None
    """The status of the HTTP answer."""
    answer: bytes = b""
    """The body of the HTTP answer."""
    lost: str = ""
    """Why it will never be acknowledged, as far as the server can know."""
    shown: list[Shown] = field(default_factory=list)
    refusals: list[Row] = field(default_factory=list)
    """What was refused of what the bot sent back to it, by ack or to the response_url."""

    @property
    def response_url(self) -> str:
        """Where it can be answered; an event has none."""
        return str(self.payload.get("response_url", ""))

    @property
    def trigger_id(self) -> str:
        """What opens a modal."""
        return str(self.payload.get("trigger_id", ""))

    @property
    def event_id(self) -> str:
        """The same in each delivery of an event."""
        return str(self.payload.get("event_id", ""))

    @property
    def ack_took_s(self) -> float:
        """From its leaving to the ack."""
        assert self.acked_at is not None, "no ack"
        assert self.dispatched_at is not None, "not sent"
        return self.acked_at - self.dispatched_at

    @property
    def answered_at(self) -> float | None:
        """When there was something to see for the first time."""
        return self.shown[0].at if self.shown else None

    @property
    def answer_took_s(self) -> float:
        """From its leaving to the first thing that was to be seen."""
        assert self.shown, "no answer"
        assert self.dispatched_at is not None, "not sent"
        return self.shown[0].at - self.dispatched_at

    @property
    def bodies(self) -> list[Row]:
        """What the response_url accepted."""
        return [shown.body for shown in self.shown if shown.how == "response_url"]

    @property
    def ephemerals(self) -> list[Ephemeral]:
        """What only the person saw, whichever way it came."""
        return [shown.thing for shown in self.shown if isinstance(shown.thing, Ephemeral)]

    @property
    def messages(self) -> list[StoredMessage]:
        """What everyone saw."""
        return [shown.thing for shown in self.shown if isinstance(shown.thing, StoredMessage)]

    @property
    def views(self) -> list[StoredView]:
        """The modals that were opened with its trigger."""
        return [shown.thing for shown in self.shown if isinstance(shown.thing, StoredView)]

    async def acknowledged(self, within_s: float = 3.0) -> Row:
        """The payload of the ack, which must come in time."""
        await self.changes.until(lambda: self.ack is not None or self.lost, within_s)
        assert self.ack is not None, f"no ack within {within_s} s: {self}"
        return self.ack

    async def answered(self, within_s: float = 3.0, count: int = 1) -> Shown:
        """The first thing to be seen, or the one with this number, which must come in time."""
        await self.changes.until(lambda: len(self.shown) >= count, within_s)
        assert len(self.shown) >= count, f"no answer within {within_s} s: {self}"
        return self.shown[count - 1]

    async def settled(self, within_s: float = 3.0) -> bool:
        """Wait until it is acknowledged, which is true, or refused or lost, which is false."""
        await self.changes.until(lambda: self.ack is not None or self.lost, within_s)
        return self.ack is not None

    def leaves(self) -> None:
        """It is on the wire."""
        self.dispatched_at = time.monotonic()

    def is_lost(self, reason: str) -> None:
        """Nothing will come of it."""
        self.lost = reason
        self.changes.tell()

    def shows(self, how: How, body: Row, thing: Thing) -> None:
        """Someone sees something."""
        self.shown.append(Shown(how, body, time.monotonic(), thing))
        self.changes.tell()

    def __repr__(self) -> str:
        """What one wants to read when a test fails."""
        what = self.payload.get("command") or self.payload.get("type") or self.kind
        told = {"lost": self.lost, "status": self.status, "refusals": self.refusals}
        return f"{what} {self.payload.get('text', '')!r} {told} shown={len(self.shown)}"
