"""The vendor's tables of sale conditions and exchanges: asked for weekly, and kept."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from core.conditions import Rules, bundled, dump, load
from core.db import Db, insert, iso
from core.errors import SourceError
from core.exchanges import OFF_EXCHANGE_ID, bundled_exchanges

logger = logging.getLogger(__name__)

ASK_AFTER = timedelta(days=7)
_CONDITIONS, _EXCHANGES = "conditions", "exchanges"


class Asked(Protocol):
    """Who gives the tables, such as core.sources.reference.Reference; raises SourceError."""

    async def conditions(self) -> Rules:
        """Every sale condition of stock trades."""

    async def exchanges(self) -> dict[int, str]:
        """Names by id."""


@dataclass(frozen=True, slots=True)
class VendorTables:
    """What is known of both tables."""

    db: Db
    source: Asked | None
    """None without a key."""
    now: Callable[[], datetime]

    async def rules(self) -> Rules:
        """The newest rules fetched, or the bundled ones."""
        body = await self._body(_CONDITIONS)
        try:
            return bundled() if body is None else load(body)
        except SourceError:
            logger.warning("the stored sale conditions are not readable; the bundled ones serve")
            return bundled()

    async def exchanges(self) -> dict[int, str]:
        """Names by id: as fetched, or the bundled ones."""
        body = await self._body(_EXCHANGES)
        if body is None:
            return bundled_exchanges()
        return {int(ident): name for ident, name in json.loads(body).items()}

    async def refresh(self) -> None:
        """Ask again what is a week old; a table that cannot be had changes nothing."""
        if self.source is None:
            return
        for name, ask in ((_CONDITIONS, self._ask_conditions), (_EXCHANGES, self._ask_exchanges)):
            if await self._is_old(name):
                try:
                    await self._put(name, await ask(self.source))
                except SourceError as error:
                    facts = {"table": name, "seen": str(error)}
                    logger.warning("vendor table not fetched", extra=facts)

    async def _ask_conditions(self, source: Asked) -> str:
        before, rules = await self.rules(), await source.conditions()
        if rules.version != before.version:
            facts = {"before": before.version, "now": rules.version}
            logger.warning("sale-condition rules changed: bars of trades begin anew", extra=facts)
        return dump(rules)

    async def _ask_exchanges(self, source: Asked) -> str:
        exchanges = await source.exchanges()
        if "FINRA" not in exchanges.get(OFF_EXCHANGE_ID, ""):
            facts = {"exchange": OFF_EXCHANGE_ID, "called": exchanges.get(OFF_EXCHANGE_ID)}
            logger.warning("the vendor's exchange for off-exchange trades is another", extra=facts)
        return json.dumps(exchanges)

    async def _is_old(self, name: str) -> bool:
        row = await self.db.row("SELECT asked_at FROM vendor_tables WHERE name = ?", (name,))
        return row is None or self.now() - datetime.fromisoformat(row["asked_at"]) >= ASK_AFTER

    async def _body(self, name: str) -> str | None:
        row = await self.db.row("SELECT body FROM vendor_tables WHERE name = ?", (name,))
        return None if row is None else str(row["body"])

    async def _put(self, name: str, body: str) -> None:
        async with self.db.transaction() as writer:
            row = {"name": name, "asked_at": iso(self.now()), "body": body}
            await insert(writer, "vendor_tables", row, or_="REPLACE")
