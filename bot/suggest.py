"""What a person may mean who has typed a few letters: tickers, and sessions."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

import polars as pl

from alerts.words import day as words_for
from core.calendar import FIRST_DAY, last_complete, on_or_before, sessions
from core.ladder import Ladder

MOST = 25
"""So many suggestions a chat takes."""
_APART = re.compile(r"[\s,;]")


@dataclass(slots=True)
class Suggestions:
    """From what is stored; the newest session's names are kept in memory."""

    ladder: Ladder
    _names: Sequence[str] = ()
    """By dollar volume, the most traded first."""
    _of: tuple[str, date, int] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def tickers(self, typed: str) -> list[str]:
        """Those that begin with it, the most traded first; then those that have it elsewhere.

        Of several words the last one counts, and the others stay.
        """
        last = _APART.split(typed)[-1]
        start, wanted = typed[: len(typed) - len(last)], last.removeprefix("$").upper()
        names = await self._all()
        begin = [n for n in names if n.upper().startswith(wanted)]
        within = [n for n in names if wanted in n.upper() and not n.upper().startswith(wanted)]
        return [f"{start}{name}" for name in (begin + within)[:MOST]]

    async def sessions(self, typed: str) -> list[tuple[str, str]]:
        """Stored sessions as (words, date), the newest first."""
        span = await self.ladder.span()
        if span is None:
            return []
        rows = await self.ladder.top.db.rows(
            "SELECT DISTINCT session FROM sessions WHERE revision > 0 ORDER BY session DESC"
        )
        return _like(typed, (date.fromisoformat(row["session"]) for row in rows))

    async def days(self, typed: str) -> list[tuple[str, str]]:
        """The same of all sessions that are over, stored or not."""
        newest = last_complete(self.ladder.top.now())

        def found() -> list[tuple[str, str]]:
            return _like(typed, (day.date for day in reversed(sessions(FIRST_DAY, newest.date))))

        # Over twenty years are written out where nothing fits.
        return await asyncio.to_thread(found)

    async def _all(self) -> Sequence[str]:
        span = await self.ladder.span()
        if span is None:
            return ()
        newest = on_or_before(span[1])
        pipeline = await self.ladder.of(newest)
        entry = await pipeline.ledger.entry(newest)
        key = (pipeline.series.key, newest.date, entry.revision if entry else 0)
        async with self._turn:
            if self._of != key:
                stored = await asyncio.to_thread(pipeline.store.read, pipeline.series, [newest])
                traded = (pl.col("close") * pl.col("volume")).alias("traded")
                by_size = stored.select("ticker", traded).sort("traded", descending=True)
                self._names, self._of = by_size["ticker"].to_list(), key
        return self._names


def _like(typed: str, days: Iterable[date]) -> list[tuple[str, str]]:
    """Those that have in them what is typed, as (words, date)."""
    text = typed.strip().replace("/", "-").lower()
    said = ((words_for(on), str(on)) for on in days)
    any_ = text in ("", "today")
    return list(islice((s for s in said if any_ or text in s[1] or text in s[0].lower()), MOST))
