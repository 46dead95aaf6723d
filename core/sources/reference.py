"""The vendor's reference tables: what sale conditions allow, and what exchange ids mean."""

from typing import Any

from core.conditions import Rules, completed, from_reference
from core.errors import BadBars
from core.sources.rest import RestClient, table_rows

CONDITIONS, EXCHANGES = "/v3/reference/conditions", "/v3/reference/exchanges"


class Reference:
    """Asks for the tables. Every failure leaves it as a SourceError; whoever asks falls back."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def conditions(self) -> Rules:
        """The rules now in force; BadBars if the table is not one, or not all of it."""
        # Unasked it gives ten rows: a table that would forget the rules of most trades.
        asked = {"asset_class": "stocks", "data_type": "trade", "limit": "1000"}
        rows = await self._table(CONDITIONS, asked, "sale conditions")
        return completed(from_reference({"results": rows}))

    async def exchanges(self) -> dict[int, str]:
        """Exchange id to name; names that share an id (4: FINRA's facilities) are joined."""
        names: dict[int, list[str]] = {}
        for row in await self._table(EXCHANGES, {"asset_class": "stocks"}, "exchanges"):
            try:
                ident, name = row.get("id"), row.get("name")
                if ident is not None and name:
                    names.setdefault(int(ident), []).append(str(name))
            except (AttributeError, TypeError, ValueError, OverflowError) as error:
                raise BadBars(f"an exchange cannot be read: {str(row)[:120]}") from error
        if not names:
            raise BadBars("the list of exchanges has none with an id and a name")
        return {ident: ", ".join(dict.fromkeys(same)) for ident, same in sorted(names.items())}

    async def _table(self, path: str, asked: dict[str, str], what: str) -> list[Any]:
        pages = self._client.pages(path, asked)
        return [row async for page in pages for row in table_rows(page, what)]
