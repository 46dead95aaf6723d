"""Which stored sessions are published as another copy by now: the newest first, as time allows."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from alerts.words import some
from core.calendar import TradingDay
from core.errors import SourceError
from core.ledger import Entry
from core.sources import Chain, Source

_ONE_BY_ONE = 20
"""Of a source that is asked for each session, so many are."""


@runtime_checkable
class Listing(Protocol):
    """A source that tells the copies of a month in one call."""

    async def versions(self, days: Sequence[TradingDay]) -> Mapping[TradingDay, str]:
        """Of sessions of one month; those that are not there are left out."""


async def stale(chain: Chain, entries: Sequence[Entry], patience_s: float) -> tuple[int, list[str]]:
    """How many of the stored sessions, oldest first, are stale; what to say of that."""
    named = [e for e in entries if e.version is not None and e.source is not None]
    compared, unknown = list[bool](), ""
    try:
        async with asyncio.timeout(patience_s):
            for month in _months(named):
                compared += await _compared(chain, month, _ONE_BY_ONE - len(compared))
    except TimeoutError:
        unknown = f"no answer in {patience_s:g} s"
    except SourceError as error:
        unknown = str(error.verdict)
    if unknown and not compared:
        return 0, [f"whether stored sessions are stale is not known: {unknown}"]
    if len(compared) == len(named):
        return sum(compared), []
    many = f"{len(compared):,} of {some(len(named), 'stored session')}"
    return sum(compared), [f"{many}, the newest, were compared with what is published"]


def _months(entries: Sequence[Entry]) -> list[list[Entry]]:
    """By source and month, the newest first."""
    found = defaultdict[tuple[int, int, str], list[Entry]](list)
    for entry in reversed(entries):
        found[entry.day.date.year, entry.day.date.month, entry.source or ""].append(entry)
    return list(found.values())


async def _compared(chain: Chain, month: Sequence[Entry], most: int) -> list[bool]:
    """Is each another one by now? Of a source that lists nothing, `most` of them."""
    source = next((s for s in chain.sources if s.name == month[0].source), None)
    if source is None:
        return []  # of other settings
    if isinstance(source, Listing):
        now = await source.versions([entry.day for entry in month])
        return [now.get(entry.day, entry.version) != entry.version for entry in month]
    return [await _is_stale(source, entry) for entry in month[: max(0, most)]]


async def _is_stale(source: Source, entry: Entry) -> bool:
    return await source.version(entry.day) not in (None, entry.version)
