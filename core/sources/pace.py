"""Client-side pacing: at most so many calls in any minute."""

import asyncio
from collections import deque

_WINDOW_S = 60.0


class Pace:
    """Waits before a call until fewer than `calls_per_minute` were made in the last minute.

    A window, not a leaky bucket: a bucket lets almost twice as many through in its first minute,
    and the vendor counts by the minute. 0 means unlimited.
    """

    def __init__(self, calls_per_minute: int, window_s: float = _WINDOW_S) -> None:
        self.calls_per_minute, self._window_s = calls_per_minute, window_s
        self._calls: deque[float] = deque(maxlen=calls_per_minute or None)
        self._turn = asyncio.Lock()

    def count(self) -> None:
        """A call that somebody else makes, with the same key, and that waited elsewhere."""
        if self.calls_per_minute:
            self._calls.append(asyncio.get_running_loop().time())

    async def wait(self) -> None:
        """Returns when the next call may be made, and counts it."""
        if not self.calls_per_minute:
            return
        async with self._turn:
            now = asyncio.get_running_loop().time
            if len(self._calls) == self.calls_per_minute:
                await asyncio.sleep(max(0.0, self._calls[0] + self._window_s - now()))
            self._calls.append(now())
