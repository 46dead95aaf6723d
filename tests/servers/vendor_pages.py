"""Pages of the local REST vendor: filters, limits and `next_url`, as its tables have them."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from tests.servers.vendor_data import Row

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"gte": ge, "gt": gt, "lte": le, "lt": lt}


@dataclass(frozen=True, slots=True)
class Table:
    """How one endpoint pages."""

    default_limit: int
    max_limit: int
    filters: tuple[str, ...]


def page(rows: list[Row], table: Table, query: Mapping[str, str], url: str) -> Row:
    """One page; `next_url` is absolute and, like the vendor's, carries no key.

    A limit above the allowed one counts as the allowed one.
    """
    asked, start = asked_for(query)
    limit = min(int(asked.get("limit", table.default_limit)), table.max_limit)
    found = [row for row in rows if _matches(row, table, asked)]
    body: Row = {"results": found[start : start + limit], "status": "OK"}
    if start + limit < len(found):
        body["next_url"] = f"{url}?cursor={_cursor(asked, start + limit)}"
    return body


def asked_for(query: Mapping[str, str]) -> tuple[Mapping[str, str], int]:
    """The first page's query, also out of a later page's cursor, and the row to begin with."""
    if "cursor" not in query:
        return {name: value for name, value in query.items() if name != "apiKey"}, 0
    asked, start = json.loads(base64.urlsafe_b64decode(query["cursor"]))
    return asked, start


def _cursor(asked: Mapping[str, str], start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([dict(asked), start]).encode()).decode()


def _matches(row: Row, table: Table, asked: Mapping[str, str]) -> bool:
    return all(
        _holds(row, *name.partition(".")[::2], value)
        for name, value in asked.items()
        if name.partition(".")[0] in table.filters
    )


def _holds(row: Row, field: str, comparison: str, value: str) -> bool:
    if field == "data_type":
        return value in row["data_types"]
    if comparison in _COMPARISONS:
        return _COMPARISONS[comparison](str(row[field]), value)
    told = row.get(field)
    return (str(told).lower() if isinstance(told, bool) else str(told)) == value
