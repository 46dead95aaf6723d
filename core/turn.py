"""Whose turn it is to store sessions: one task at a time, of every process that has the folder.

What a session's next revision is depends on what is stored of it: two who look at once would both
write the same one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.alone import alone

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """Called, it is a block that nobody else is in."""

    lock: Path | None = None
    """A file; None where there is no other process."""
    look_s: float = 0.2
    """Between two looks at what another process holds."""
    patience_s: float = 5.0
    """After so long the log says what is waited for."""
    _here: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Wait for it, as long as it takes; whoever holds it may be reading a file of the tape."""
        clock = asyncio.get_running_loop().time
        async with self._here:
            told_at = clock() + self.patience_s
            while True:
                async with alone(self.lock) as mine:
                    if mine:
                        yield
                        return
                if clock() >= told_at:
                    logger.warning("another process stores sessions here; this one waits for it")
                    told_at = float("inf")
                await asyncio.sleep(self.look_s)
