"""Sale conditions that the table does not know: each is logged once, and said in one digest."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from core.calendar import TradingDay
from core.db import Connection, Db, insert, iso

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnknownConditions:
    """What was met so far, over restarts."""

    db: Db

    async def met(self, conditions: Iterable[str], day: TradingDay, now: datetime) -> None:
        """Remember these, as they are written in the trades of a session."""
        async with self.db.transaction() as writer:
            for condition in conditions:
                row = {"condition": condition, "session": str(day), "met_at": iso(now)}
                if await insert(writer, "unknown_conditions", row, or_="IGNORE"):
                    facts = {"condition": condition, "session": str(day)}
                    logger.warning("unknown sale condition: volume only, no price", extra=facts)

    async def untold(self) -> tuple[str, ...]:
        """A sentence for each that no digest has told of yet."""
        rows = await self.db.rows(
            "SELECT condition FROM unknown_conditions WHERE told_at IS NULL ORDER BY condition"
        )
        return tuple(
            f"condition {row['condition'][:20]} is not in the table: counted for volume, sets no"
            " price"
            for row in rows
        )

    async def told(self, writer: Connection, now: datetime) -> None:
        """A digest tells of them; part of its transaction."""
        await writer.execute(
            "UPDATE unknown_conditions SET told_at = ? WHERE told_at IS NULL", (iso(now),)
        )
