"""What each ticker is and used to be, by the vendor's reference: asked for weekly, and kept."""

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import polars as pl

from core.db import Db, Row, Value, insert, iso
from core.errors import BadBars, SourceError, SourceUnavailable
from core.instruments import Instrument
from core.renames import Rename

logger = logging.getLogger(__name__)

ASK_AFTER = timedelta(days=7)
TRY_AGAIN_AFTER = timedelta(hours=1)
"""The list is a dozen calls: one that cannot be had must not take the place of bars."""
QUESTIONS_A_NIGHT = 10
WORTH_ASKING_USD = 1e6
"""A new ticker that traded less would not be said anyway."""
_NIGHT = timedelta(hours=12)


class Asked(Protocol):
    """Who knows, such as core.sources.reference.Reference; raises SourceError."""

    async def tickers(self) -> list[Instrument]:
        """Every active ticker, once."""

    async def renamed(self, ticker: str) -> list[Rename]:
        """The renames of whoever has a ticker now."""


@dataclass(frozen=True, slots=True)
class Universe:
    """What is known of the tickers, on this machine alone; without a key it is nothing."""

    db: Db

    async def types(self, tickers: Collection[str] | None = None) -> dict[str, str]:
        """The vendor's type by ticker, also of those delisted since: core.instruments.kinds; of a
        few, if any are given."""
        rows = await self.db.rows(
            "SELECT ticker, type FROM instruments WHERE type IS NOT NULL"
            " AND (? OR ticker IN (SELECT value FROM json_each(?)))",
            (tickers is None, json.dumps(sorted(tickers or ()))),
        )
        return {row["ticker"]: row["type"] for row in rows}

    async def names(self) -> dict[str, str]:
        """What each ticker's instrument is called, where that is known."""
        rows = await self.db.rows("SELECT ticker, name FROM instruments WHERE name <> ''")
        return {row["ticker"]: row["name"] for row in rows}

    async def renames(self, first: date, last: date) -> list[Rename]:
        """The verified renames from first to last, both included, oldest first."""
        rows = await self.db.rows(
            "SELECT DISTINCT renamed_on, old, new FROM renames"
            " WHERE renamed_on BETWEEN ? AND ? ORDER BY renamed_on, old, new",
            (str(first), str(last)),
        )
        return [_rename(row) for row in rows]

    async def renames_of(self, tickers: Collection[str], first: date, last: date) -> list[Rename]:
        """Those of them that core.renames.concerning would leave for any of these tickers."""
        rows = await self.db.rows(
            "WITH RECURSIVE about(name) AS (SELECT value FROM json_each(?1)"
            " UNION SELECT r.new FROM about JOIN renames r ON r.old = about.name"
            " WHERE r.renamed_on BETWEEN ?2 AND ?3"
            " UNION SELECT r.old FROM about JOIN renames r ON r.new = about.name"
            " WHERE r.renamed_on BETWEEN ?2 AND ?3)"
            " SELECT DISTINCT renamed_on, old, new FROM renames"
            " WHERE renamed_on BETWEEN ?2 AND ?3 AND old IN (SELECT name FROM about)"
            " ORDER BY renamed_on, old, new",
            (json.dumps(sorted(tickers)), str(first), str(last)),
        )
        return [_rename(row) for row in rows]


def _rename(row: Row) -> Rename:
    return Rename(date.fromisoformat(row["renamed_on"]), row["old"], row["new"])


@dataclass(frozen=True, slots=True)
class Census:
    """Asks what is not known of the tickers, or not any more."""

    db: Db
    source: Asked | None
    """None without a key."""
    now: Callable[[], datetime]

    async def refresh(self) -> None:
        """Ask for the whole list when it is a week old; one that cannot be had changes nothing."""
        if self.source is None or not await self.is_due():
            return
        logger.info("asking what each ticker is")
        found = list[Instrument]()
        try:
            found = await self.source.tickers()
            await self._raise_if_cut(len(found))
        except SourceError as error:
            logger.warning("the list of tickers is not fetched", extra={"seen": str(error)})
            found = []
        await self._keep(found)

    async def is_due(self) -> bool:
        """Would refresh() ask for the list now?"""
        (row,) = await self.db.rows(
            "SELECT max(asked_at) AS tried,"
            " max(CASE WHEN row_count > 0 THEN asked_at END) AS listed FROM listings"
        )
        rested = self._passed(row["tried"], TRY_AGAIN_AFTER)
        return self.source is not None and rested and self._passed(row["listed"], ASK_AFTER)

    async def verify(self, new: pl.DataFrame) -> None:
        """Ask whether these were renamed, and remember the answer; most traded first.

        `new`: as core.listings has it (ticker, dollar_volume). Each ticker is asked about once a
        week, few a night. A refusal, or a source that is away twice, leaves the rest for later.
        """
        if self.source is None:
            return
        away = False
        for ticker in await self._worth_asking(new):
            try:
                await self._remember(ticker, await self.source.renamed(ticker))
            except SourceError as error:
                facts = {"ticker": ticker, "seen": str(error)}
                logger.warning("not verified whether this was renamed", extra=facts)
                match error:
                    case BadBars():
                        await self._remember(ticker, None)
                    case SourceUnavailable() if not away:
                        away = True  # once may be the ticker's own fault
                    case _:
                        return

    def _passed(self, since: str | None, span: timedelta) -> bool:
        return since is None or self.now() - datetime.fromisoformat(since) >= span

    async def _raise_if_cut(self, count: int) -> None:
        before = await self.db.row(
            "SELECT row_count FROM listings WHERE row_count > 0 ORDER BY asked_at DESC"
        )
        if before is not None and count < before["row_count"] / 2:
            raise BadBars(f"{count:,} tickers, but {before['row_count']:,} the last time")

    async def _keep(self, found: list[Instrument]) -> None:
        at = iso(self.now())
        async with self.db.transaction() as writer:
            row: dict[str, Value] = {"asked_at": at, "row_count": len(found)}
            await insert(writer, "listings", row, or_="REPLACE")
            await writer.executemany(
                "INSERT OR REPLACE INTO instruments (ticker, type, name, figi, listed_at)"
                " VALUES (?, ?, ?, ?, ?)",
                [(one.ticker, one.type, one.name, one.figi, at) for one in found],
            )

    async def _worth_asking(self, new: pl.DataFrame) -> list[str]:
        now = self.now()
        rows = await self.db.rows(
            "SELECT ticker, asked_at FROM rename_questions WHERE asked_at > ?",
            (iso(now - ASK_AFTER),),
        )
        tonight = sum(row["asked_at"] > iso(now - _NIGHT) for row in rows)
        worth = new.filter(
            pl.col("dollar_volume") >= WORTH_ASKING_USD,
            ~pl.col("ticker").is_in([row["ticker"] for row in rows]),
        )
        ranked = worth.sort(["dollar_volume", "ticker"], descending=[True, False])
        return ranked["ticker"].head(max(0, QUESTIONS_A_NIGHT - tonight)).to_list()

    async def _remember(self, ticker: str, found: list[Rename] | None) -> None:
        """That it was asked about, and the answer; None is no answer, and leaves the last one."""
        async with self.db.transaction() as writer:
            question = {"ticker": ticker, "asked_at": iso(self.now())}
            await insert(writer, "rename_questions", question, or_="REPLACE")
            if found is not None:
                await writer.execute("DELETE FROM renames WHERE asked = ?", (ticker,))
            for one in found or ():
                row = {"asked": ticker, "old": one.old, "new": one.new}
                await insert(writer, "renames", row | {"renamed_on": str(one.on)}, or_="IGNORE")
        if found:
            logger.info("renamed", extra={"ticker": ticker, "renames": len(found)})
