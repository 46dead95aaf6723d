"""Keeps a part of the process running whatever it meets, without touching the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

_FIRST_S, _LONGEST_S = 1.0, 300.0


async def supervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run it; begin it again after a fault, with a pause that doubles. Returns when it does."""
    pause_s, clock = _FIRST_S, asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            return await run()
        except Exception:
            # Whatever it was, the rest of the process has nothing to do with it.
            logger.exception("a part failed and begins again", extra={"part": name})
        if clock() - began > _LONGEST_S:
            pause_s = _FIRST_S
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_S)
