"""One interaction: what a person did, and all that the bot said about it, with its times."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tests.servers.chat import Row
from tests.servers.discord_rules import EPHEMERAL
from tests.servers.discord_store import StoredMessage

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
REPLY, DEFERRED_REPLY, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
_ANSWERS = {REPLY, UPDATE, CHOICES, MODAL}
"""Callbacks that are the answer, and no promise of one."""


@dataclass(frozen=True, slots=True)
class Callback:
    """The first answer as it was accepted; `at` is of time.monotonic()."""

    type: int
    data: Row
    at: float

    @property
    def is_ephemeral(self) -> bool:
        """Whether one reader alone sees it."""
        return bool((self.data.get("flags") or 0) & EPHEMERAL)


@dataclass(slots=True, eq=False)
class Interaction:
    """What was dispatched, and what came of it; times are of time.monotonic()."""

    id: int
    token: str
    kind: int
    payload: Row
    created: datetime
    """By the server's clock, from which the three seconds and the fifteen minutes count."""
    channel_id: int
    user_id: int
    message: StoredMessage | None = None
    """The one whose component was used."""
    dispatched_at: float = field(default_factory=time.monotonic)
    reached: int = 0
    """How often a bot was there to be told at once; else it waits for a resume, or is lost."""
    callback: Callback | None = None
    answered_at: float | None = None
    followups: list[StoredMessage] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    """Discord's codes for what the bot said and was not taken: 40060, 10062, 50035, ..."""
    own: StoredMessage | None = None
    """The message that `@original` stands for; `original` for those who expect one."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def original(self) -> StoredMessage:
        """`@original` as it stands, the deleted too."""
        if self.own is None:
            raise LookupError(f"interaction {self.id} has no message yet")
        return self.own

    @property
    def is_ephemeral(self) -> bool:
        """Whether the answer is for one reader alone."""
        return bool(self.original.flags & EPHEMERAL)

    @property
    def choices(self) -> list[Row]:
        """What autocomplete offers."""
        return list(self._data(CHOICES).get("choices") or [])

    @property
    def modal(self) -> Row:
        """The form that was opened."""
        return self._data(MODAL)

    @property
    def acked_at(self) -> float | None:
        """When the callback was accepted."""
        return self.callback.at if self.callback else None

    @property
    def ack_s(self) -> float:
        """From the dispatch to the callback."""
        assert self.acked_at is not None, "not acknowledged"
        return self.acked_at - self.dispatched_at

    @property
    def answer_s(self) -> float:
        """From the dispatch to the answer."""
        assert self.answered_at is not None, "not answered"
        return self.answered_at - self.dispatched_at

    async def acknowledged(self, within_s: float = 3.0) -> Callback:
        """Wait for the callback."""
        await self.until(lambda it: it.callback is not None, within_s, "acknowledged")
        assert self.callback is not None
        return self.callback

    async def answered(self, within_s: float = 5.0) -> "Interaction":
        """Wait for more than a promise: a message, an edit, choices, a modal."""
        await self.until(lambda it: it.answered_at is not None, within_s, "answered")
        return self

    async def followed_up(self, count: int = 1, within_s: float = 5.0) -> list[StoredMessage]:
        """Wait for so many followups."""
        await self.until(lambda it: len(it.followups) >= count, within_s, f"followed up {count}x")
        return self.followups

    async def until(
        self, true: "Callable[[Interaction], bool]", within_s: float, what: str = "so"
    ) -> None:
        """Wait until something is true of it; it is looked at whenever the bot says more."""
        try:
            async with asyncio.timeout(within_s):
                while not true(self):
                    await self._news.wait()
        except TimeoutError:
            name = self.payload["data"].get("name") or self.payload["data"].get("custom_id")
            raise TimeoutError(f"{name} was not {what} within {within_s} s") from None

    def take(self, callback: Callback) -> None:
        """The callback is accepted; to be told with `tell`."""
        self.callback = callback
        if callback.type in _ANSWERS:
            self.answered_at = callback.at

    def tell(self, *, answer: bool = False) -> None:
        """Wake up who waits."""
        if answer and self.answered_at is None:
            self.answered_at = time.monotonic()
        self._news.set()
        self._news = asyncio.Event()

    def _data(self, kind: int) -> Row:
        if self.callback is None or self.callback.type != kind:
            raise LookupError(f"interaction {self.id} was not answered with type {kind}")
        return self.callback.data
