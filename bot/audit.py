"""On record: who did, or was refused, what only operators may."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from bot.requests import CommandRequest
from core.db import Db, StorageError, Value, insert, iso

logger = logging.getLogger(__name__)

_MOST_CHARS = 300

DONE = "done"
"""The outcome of what was allowed and carried out; any other is why not."""

Audit = Callable[[CommandRequest, str], Awaitable[None]]
"""Is told of a request that demanded an operator, and what came of it."""


async def unaudited(request: CommandRequest, outcome: str) -> None:
    """Where nothing can be changed."""


def audited(db: Db, now: Callable[[], datetime]) -> Audit:
    """In the table `audit`, and in the log."""
    return partial(_keep, db, now)


async def _keep(db: Db, now: Callable[[], datetime], request: CommandRequest, outcome: str) -> None:
    typed = f"/{request.name} {' '.join(request.words)}".strip()[:_MOST_CHARS]
    facts = {"who": request.who, "where": request.where, "command": typed}
    logger.info("for operators", extra=facts | {"outcome": outcome})
    row: dict[str, Value] = {
        "at": iso(now()),
        "who": request.who,
        "place": request.where,
        "command": typed,
        "allowed": int(not request.denied),
        "outcome": outcome[:_MOST_CHARS],
    }
    try:
        async with db.transaction() as writer:
            await insert(writer, "audit", row)
    except StorageError as error:
        # What was decided is decided; the log has the line above.
        logger.warning("not in the audit table", extra=facts | {"seen": str(error)})
