"""What a person may mean who has typed a few letters: tickers, and stored sessions."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from alerts.words import day as words_for
from core.calendar import on_or_before
from core.ladder import Ladder

MOST = 25
"""So many suggestions a chat takes."""


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
        *before, last = typed.split(" ")
        start, wanted = " ".join([*before, ""]), last.removeprefix("$").upper()
        names = await self._all()
        begin = [n for n in names if n.upper().startswith(wanted)]
        within = [n for n in names if wanted in n.upper() and not n.upper().startswith(wanted)]
        return [f"{start}{name}" for name in (begin + within)[:MOST]]

    async def sessions(self, typed: str) -> list[tuple[str, str]]:
        """Stored sessions as (words, date), the newest first."""
        span = await self.ladder.span()
        if span is None:
            return []
        found, text = list[tuple[str, str]](), typed.strip().replace("/", "-").lower()
        rows = await self.ladder.top.db.rows(
            "SELECT DISTINCT session FROM sessions WHERE revision > 0 ORDER BY session DESC"
        )
        for row in rows:
            on = date.fromisoformat(row["session"])
            said = words_for(on)
            if text in ("", "today") or text in row["session"] or text in said.lower():
                found.append((said, row["session"]))
            if len(found) == MOST:
                break
        return found

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
