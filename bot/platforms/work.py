"""Answers that are being made: tracked, so that none is lost when the process stops."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)

_FAREWELL_S = 2.0


class Work:
    """Tasks of one platform. What one of them meets is logged, and nobody else's business."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    def begin(self, doing: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do it beside everything else."""
        task = asyncio.create_task(doing, name=f"{self._platform} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, patience_s: float) -> None:
        """Wait for what is under way, and what begins meanwhile; then let go of the rest."""
        clock = asyncio.get_running_loop().time
        until = clock() + patience_s
        while self._tasks and (left_s := until - clock()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)
        if left := set(self._tasks):
            for task in left:
                task.cancel()
            # Time for a word of farewell; who comes to it late has less of it.
            await asyncio.wait(left, timeout=until + _FAREWELL_S - clock())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("not answered", exc_info=error, extra={"what": task.get_name()})
