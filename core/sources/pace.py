"""Client-side pacing: at most so many calls in any minute, whoever makes them."""

import asyncio
from collections import deque
from contextlib import suppress

from core.errors import SourceUnavailable, Verdict

_WINDOW_S = 60.0
LENT = 2
"""One call for the session, and one more should it be refused: is that the plan, or the date?"""


class Pace:
    """Waits before a call until fewer than `calls_per_minute` were made in the last minute.

    A window, not a leaky bucket: a bucket lets almost twice as many through in its first minute,
    and the vendor counts by the minute. 0 means unlimited.
    """

    def __init__(self, calls_per_minute: int, window_s: float = _WINDOW_S) -> None:
        self.calls_per_minute, self._window_s = calls_per_minute, window_s
        self._calls = deque[float]()
        # Two queues: whoever has only a share never stands before those who have all of it.
        self._turn, self._shared = asyncio.Lock(), asyncio.Lock()
        self._freed = asyncio.Event()

    @property
    def loan(self) -> int:
        """So many calls lend() gives: no more than there are in a minute."""
        return min(LENT, self.calls_per_minute) if self.calls_per_minute else LENT

    async def wait(self) -> None:
        """Returns when the next call may be made, and counts it."""
        async with self._turn:
            await self._below(self.calls_per_minute)
            self._count(1)

    async def take(self, share: int) -> None:
        """The same for somebody who makes a call only while fewer than `share` were made."""
        async with self._shared:
            await self._below(share)
            self._count(1)

    async def lend(self, share: int) -> float:
        """`loan` calls for somebody in another process, as take(); they count until repay()."""
        async with self._shared:
            await self._below(share)
            return self._count(self.loan)

    def repay(self, lent: float, made: int) -> None:
        """So many of what lend() gave were made, by now."""
        for _ in range(min(self.loan, self._calls.count(lent))):
            self._calls.remove(lent)
        self._count(made)
        self._freed.set()

    def _count(self, calls: int) -> float:
        now_s = asyncio.get_running_loop().time()
        if self.calls_per_minute:
            self._calls.extend([now_s] * calls)
        return now_s

    async def _below(self, most: int) -> None:
        now = asyncio.get_running_loop().time
        while self.calls_per_minute:
            while self._calls and self._calls[0] + self._window_s <= now():
                self._calls.popleft()
            if len(self._calls) < most:
                return
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._calls[-most] + self._window_s - now()):
                    await self._freed.wait()


class Share(Pace):
    """A part of what another one allows: calls that leave room for others."""

    def __init__(self, whole: Pace, calls_per_minute: int) -> None:
        super().__init__(calls_per_minute)
        self._whole = whole

    async def wait(self) -> None:
        """Counts for the whole as well."""
        await self._whole.take(self.calls_per_minute)


class Lent(Pace):
    """Calls that somebody else has waited for; one more is refused."""

    def __init__(self, calls: int) -> None:
        super().__init__(0)
        self.calls, self.made = calls, 0

    async def wait(self) -> None:
        """Raises SourceUnavailable."""
        if self.made >= self.calls:
            seen = f"the {self.calls} calls that it may make for a session are made"
            raise SourceUnavailable(seen, Verdict.RATE_LIMITED)
        self.made += 1
