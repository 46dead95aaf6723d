"""Work that is done for one after another, and for not too many."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.errors import CommandError


@dataclass(slots=True)
class Turns:
    """One at a time."""

    sorry: str
    """What is said to whoever would have to wait for long."""
    most: int = 4
    """So many are served or wait."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _there: int = field(default=0, init=False)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait, then have it; CommandError if too many wait already."""
        if self._there >= self.most:
            raise CommandError(self.sorry)
        self._there += 1
        try:
            async with self._lock:
                yield
        finally:
            self._there -= 1
