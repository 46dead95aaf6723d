"""A chat platform in memory: keeps the Sender's promises, and fails as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from alerts.model import Check, Destination, Letter, Message, Receipt, Tried
from core.errors import DeliveryAmbiguous, DeliveryRefused, Reason


@dataclass(frozen=True, slots=True)
class After:
    """A failure that comes when the message is already accepted."""

    error: Exception


@dataclass(slots=True)
class Posted:
    """A message that the platform accepted."""

    id: str
    destination: Destination
    letter: Letter
    versions: list[Message] = field(default_factory=list)

    @property
    def message(self) -> Message:
        """As it reads now."""
        return self.versions[-1]


class FakePlatform:
    """alerts.deliver.Sender: accepts, or fails once for each failure it was given."""

    def __init__(self, *failures: Exception | After) -> None:
        self.failures: list[Exception | After] = list(failures)
        self.posts: list[Posted] = []
        self.looks: list[Tried] = []
        self.history_is_readable = True
        self.finds_nothing = False
        """It answers that sending again is harmless, whatever is there."""
        self.takes_no_pictures: Exception | None = None
        self.on_send: Callable[[], None] = lambda: None
        self.gates: dict[Destination, asyncio.Event] = {}
        """A destination's calls wait for its event."""

    @property
    def sent(self) -> list[str]:
        """Titles of what was posted, thread or not."""
        return [post.letter.message.title for post in self.posts]

    @property
    def leads(self) -> list[str]:
        """Their first lines."""
        return [post.letter.message.lead for post in self.posts]

    def at(self, destination: Destination) -> list[Posted]:
        """What one channel has."""
        return [post for post in self.posts if post.destination == destination]

    @asynccontextmanager
    async def turn(self, destination: Destination) -> AsyncIterator[None]:
        """No pace."""
        yield

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """A post of its own, whatever was posted before: only looking first prevents a second."""
        await self._wait(destination)
        self.on_send()
        if letter.pictures and self.takes_no_pictures is not None:
            raise self.takes_no_pictures
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        post = Posted(f"m{len(self.posts) + 1}", destination, letter, [letter.message])
        self.posts.append(post)
        if failure is not None:
            raise failure.error
        return Receipt(post.id)

    async def find(self, destination: Destination, letter: Letter, tried: Tried) -> Receipt | None:
        """By the key, where history can be read."""
        await self._wait(destination)
        self.looks.append(tried)
        if not self.history_is_readable:
            raise DeliveryAmbiguous(Reason.LOOK_UP_IMPOSSIBLE, "no permission")
        found = [post for post in self.at(destination) if post.letter.key == letter.key]
        if self.finds_nothing:
            return None
        return Receipt(found[0].id) if found else None

    async def edit(self, destination: Destination, receipt: Receipt, letter: Letter) -> Receipt:
        """Another version of the same post."""
        await self._wait(destination)
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        post = next((post for post in self.posts if post.id == receipt.message_id), None)
        if post is None:
            raise DeliveryRefused(Reason.MESSAGE_GONE, "somebody has deleted it")
        post.versions.append(letter.message)
        if failure is not None:
            raise failure.error
        return receipt

    async def examine(self, destination: Destination) -> Sequence[Check]:
        """All is well, but perhaps the history."""
        return (Check("history", ok=self.history_is_readable, seen="as told"),)

    async def _wait(self, destination: Destination) -> None:
        await asyncio.sleep(0)
        if destination in self.gates:
            await self.gates[destination].wait()
