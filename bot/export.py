"""`bars`: the stored bars of one session, for other programs."""

import asyncio
import json
from dataclasses import dataclass

import polars as pl

from alerts.spreadsheet import inactive
from alerts.words import count, price
from bot.app import App
from core.bars import Scope, Series
from core.calendar import TradingDay
from core.errors import NotPublished
from core.ledger import Entry

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Stored:
    """One session's rows of one series, with the columns of BARS and what more the series has."""

    series: Series
    entry: Entry
    rows: pl.DataFrame

    def csv(self) -> str:
        """One line a ticker behind a header; an empty field is NULL."""
        texts = pl.col(pl.String).map_elements(inactive, return_dtype=pl.String)
        return self.rows.with_columns(texts).write_csv()

    def json(self) -> str:
        """The rows, and where they come from; documented in docs/json.md."""
        said = {
            "session": str(self.entry.day),
            "scope": self.series.scope,
            "series": self.series.key,
            "source": self.entry.source,
            "revision": self.entry.revision,
            "detail": self.entry.detail,
            "bars": self.rows.to_dicts(),
        }
        return json.dumps(said, ensure_ascii=False)

    def text(self) -> str:
        """The largest by dollars, for a person."""
        entry, rows = self.entry, self.rows
        dollars = pl.col("volume") * pl.coalesce("vwap", "close", 0.0)
        largest = rows.sort(dollars, "ticker", descending=[True, False], nulls_last=True)
        head = f"{entry.day} · {self.series.key} · {len(rows):,} rows from {entry.source}"
        lines = [
            f"{row['ticker']:<10} {_shown(row['close']):>12} {count(row['volume']):>8} shares"
            for row in largest.head(_SHOWN).iter_rows(named=True)
        ]
        more = [f"{len(rows) - _SHOWN:,} more: --csv or --json"] if len(rows) > _SHOWN else []
        return "\n".join([head, *([entry.detail] if entry.detail else []), *lines, *more])


async def stored_bars(app: App, day: TradingDay, scope: Scope | None) -> Stored:
    """The bars that stand for a session, or those of one scope. Raises NotPublished."""
    preferred = await app.ladder.of(day)
    wanted = scope or preferred.series.scope
    rungs = [preferred, *(rung for rung in app.ladder.rungs if rung is not preferred)]
    held = [s for rung in rungs for s in (rung.series, rung.other) if s and s.scope is wanted]
    for series in held:
        entry = await preferred.ledger.of(series).entry(day)
        if entry is not None and entry.revision > 0:
            rows = await asyncio.to_thread(preferred.store.read, series, [day])
            return Stored(series, entry, rows.drop("session"))
    if not held:
        raise NotPublished(
            f"bars of scope {wanted} are not read with these settings; DARK_POOL_ONLY=true does"
        )
    raise NotPublished(
        f"no bars of scope {wanted} are stored for {day}; `python -m bot once --session {day}`"
        " reads it"
    )


def _shown(value: float | None) -> str:
    return "-" if value is None else price(value)
