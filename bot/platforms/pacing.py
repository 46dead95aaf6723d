"""How fast a platform is spoken to: letters in flight, pauses in a channel, requests a second."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from core.errors import DeliveryDeferred, Reason

_SILENT = "this copy was silent for too long: another one may speak by now"


def always() -> bool:
    """There is no other copy."""
    return True


class Pacing:
    """One platform's pace, shared by all who speak to it.

    `in_flight` letters at once; `channel_gap_s` between two of one channel; requests evenly spaced
    by `request_gap_s`. Everyone waits in the order of coming, so nobody waits for ever. `sure`: is
    nobody else at it (core.lease)?
    """

    def __init__(
        self,
        in_flight: int,
        *,
        channel_gap_s: float = 0.0,
        request_gap_s: float = 0.0,
        sure: Callable[[], bool] = always,
    ) -> None:
        self._sure = sure
        self._slots = asyncio.Semaphore(in_flight)
        self._channel_gap_s, self._request_gap_s = channel_gap_s, request_gap_s
        self._channel_free_at: defaultdict[str, float] = defaultdict(float)
        self._next_at = 0.0
        self._held_until = 0.0

    @asynccontextmanager
    async def turn(self, channel: str) -> AsyncIterator[None]:
        """Held while a letter is on its way into a channel."""
        loop = asyncio.get_running_loop()
        # A channel's pause is waited for without a slot: the slots are for those who can go on.
        free_at = max(loop.time(), self._channel_free_at[channel])
        self._channel_free_at[channel] = free_at + self._channel_gap_s
        await self._until(max(free_at, self._held_until))
        async with self._slots:
            try:
                yield
            finally:
                self._channel_free_at[channel] = max(
                    self._channel_free_at[channel], loop.time() + self._channel_gap_s
                )

    async def request(self) -> None:
        """Returns when the next request may be made; it had better be made at once.

        Raises DeliveryDeferred if another copy of the service may be making it.
        """
        loop = asyncio.get_running_loop()
        while True:
            at = max(loop.time(), self._next_at, self._held_until)
            self._next_at = at + self._request_gap_s
            await self._until(at)
            if at >= self._held_until:
                break
        if not self._sure():
            raise DeliveryDeferred(Reason.SAFE_TO_REPEAT, _SILENT)

    def hold(self, seconds: float) -> None:
        """The platform asked for a pause: nobody asks it anything for so long."""
        until = asyncio.get_running_loop().time() + seconds
        self._held_until = max(self._held_until, until)

    @property
    def held_s(self) -> float:
        """How long the pause that was asked for still takes."""
        return max(0.0, self._held_until - asyncio.get_running_loop().time())

    async def _until(self, moment: float) -> None:
        seconds = moment - asyncio.get_running_loop().time()
        if seconds > 0:
            await asyncio.sleep(seconds)
