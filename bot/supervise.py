"""Keeps a part of the process running whatever it meets, without touching the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.links import Link, LinkRefused

logger = logging.getLogger(__name__)

_FIRST_S, _LONGEST_S = 1.0, 300.0
LINK_LONGEST_S = 15.0
"""Nobody who types a command waits for minutes because a platform was away for one."""


async def supervised(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    longest_s: float = _LONGEST_S,
    link: Link | None = None,
    known: tuple[type[Exception], ...] = (),
) -> None:
    """Run it; begin it again after a fault, with a pause that doubles. Returns when it does.

    `link`: what it keeps up. A refusal of that is said once, and it is not begun again. `known`:
    faults whose own sentence says all, so that no trace is needed.
    """
    pause_s, clock = _FIRST_S, asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            return await run()
        except LinkRefused as refused:
            if link is None:
                raise
            link.refused(str(refused))
            facts = _facts(name, refused)
            logger.error("a platform refuses us; it is not asked again", extra=facts)
            return None
        except Exception as error:
            # Whatever it was, the rest of the process has nothing to do with it.
            if isinstance(error, known):
                logger.warning("a part failed and begins again", extra=_facts(name, error))
            elif link is None:
                logger.exception("a part failed and begins again", extra={"part": name})
            else:
                link.down(str(error) or type(error).__name__)
                logger.warning("a connection failed; it is tried again", extra=_facts(name, error))
        if clock() - began > _LONGEST_S:
            pause_s = _FIRST_S
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, longest_s)


def _facts(name: str, error: Exception) -> dict[str, str]:
    return {"part": name, "seen": str(error) or type(error).__name__}
