"""The dead-man signal as a platform: a service elsewhere raises the alarm when no ping comes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from alerts.model import Check, Destination, Letter, Receipt, Tried
from bot.platforms.network import FOREIGN, ODD, seconds, translated
from core.errors import DeliveryAmbiguous, DeliveryDeferred, DeliveryRefused, Reason


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["HeartbeatSender"]:
    """A sender with a session of its own, closed in the end."""
    async with aiohttp.ClientSession() as session:
        yield HeartbeatSender(url, session)


class HeartbeatSender:
    """alerts.deliver.Sender over one GET. Whoever knows the URL can ping: it is never told."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, *, answer_within_s: float = 10.0
    ) -> None:
        self._url, self._session = url, session
        self._timeout = aiohttp.ClientTimeout(total=answer_within_s)

    @asynccontextmanager
    async def turn(self, destination: Destination) -> AsyncIterator[None]:
        """One ping a session needs no pace."""
        yield

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """Ping. What the letter says is not told: only that it came so far."""
        try:
            async with self._session.get(
                self._url, timeout=self._timeout, allow_redirects=False
            ) as answer:
                status = answer.status
                wait = seconds(answer.headers.get("Retry-After"))
        except (*FOREIGN, *ODD) as error:
            # No `from error`: aiohttp's texts name the address, which is a secret.
            raise translated(error) from None
        if status in range(200, 300):
            return Receipt(letter.token)
        seen = f"status {status}"
        if status == 429:
            raise DeliveryDeferred(Reason.RATE_LIMITED, seen, retry_after_s=wait)
        if status >= 500 or status == 408:
            raise DeliveryAmbiguous(Reason.SERVER_ERROR, seen)
        if status in (401, 403):
            raise DeliveryRefused(Reason.NO_PERMISSION, seen)
        raise DeliveryRefused(Reason.CHANNEL_GONE, seen)

    async def find(self, destination: Destination, letter: Letter, tried: Tried) -> Receipt | None:
        """Another ping is harmless."""
        return None

    async def edit(self, destination: Destination, receipt: Receipt, letter: Letter) -> Receipt:
        """There is nothing to change in a ping."""
        return receipt

    async def examine(self, destination: Destination) -> Sequence[Check]:
        """A look would be a ping, and a ping is a promise that a session was published."""
        return (
            Check("dead-man signal", ok=True, seen="an address is set; the next session pings"),
        )
