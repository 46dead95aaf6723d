"""The vendor's reference: sale conditions, exchange ids, what each ticker is and was, and news."""

import logging
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from core.conditions import Rules, completed, from_reference
from core.errors import BadBars
from core.instruments import Instrument
from core.news import News, Story
from core.renames import Rename
from core.sources import bounds
from core.sources.reference_rows import instrument, readable, renames, story
from core.sources.rest import RestClient, table_rows

logger = logging.getLogger(__name__)

CONDITIONS, EXCHANGES = "/v3/reference/conditions", "/v3/reference/exchanges"
TICKERS, EVENTS = "/v3/reference/tickers", "/vX/reference/tickers/{ticker}/events"
NEWS = "/v2/reference/news"

MIN_TICKERS = 1_000
"""A list of the whole market that is shorter is a list of something else."""
MAX_NEWS_PAGES = 3


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

    async def tickers(self) -> list[Instrument]:
        """Every active stock, ETF, warrant and so on, each ticker once: some 13 calls.

        BadBars if there are too few to be the whole market; rows without a ticker are left out.
        """
        asked = {"market": "stocks", "active": "true", "limit": "1000"}
        rows = await self._table(TICKERS, asked, "tickers")
        found, skipped = readable(rows, instrument)
        if skipped:
            logger.warning("tickers left out", extra={"skipped": skipped, "rows": len(rows)})
        by_ticker = {one.ticker: one for one in found}
        if len(by_ticker) < MIN_TICKERS:
            raise BadBars(f"the list of tickers has {len(by_ticker):,} of {MIN_TICKERS:,} or more")
        return list(by_ticker.values())

    async def renamed(self, ticker: str) -> list[Rename]:
        """The renames of whoever has `ticker` now; empty if the vendor does not know it.

        BadBars if they cannot be read, or contradict each other.
        """
        path = EVENTS.format(ticker=quote(ticker, safe=""))
        answer = await self._client.get(path, {"types": "ticker_change"})
        if answer.status == 404 and answer.body.get("status") == "NOT_FOUND":
            return []
        told = answer.body.get("results")
        # Their list is a field of the one result.
        events = told.get("events") if isinstance(told, dict) else told
        listed = replace(answer, body=answer.body | {"results": events})
        return renames(ticker, table_rows(listed, "ticker events"))

    async def news(self, since: datetime, until: datetime) -> News:
        """What was published from `since` to `until`, newest first, three pages at most.

        Stories that cannot be read are left out; BadBars if that is all of them.
        """
        asked = {"published_utc.gte": _utc(since), "published_utc.lte": _utc(until)}
        asked |= {"order": "desc", "sort": "published_utc", "limit": "1000"}
        stories, skipped, pages, more = list[Story](), 0, 0, False
        async with aclosing(self._client.pages(NEWS, asked, bounds.NEWS)) as answers:
            async for page in answers:
                found, left_out = readable(table_rows(page, "news"), story)
                stories, skipped, pages = stories + found, skipped + left_out, pages + 1
                more = bool(page.body.get("next_url"))
                if pages == MAX_NEWS_PAGES:
                    break
        if skipped:
            logger.warning("stories left out", extra={"skipped": skipped, "read": len(stories)})
        if skipped and not stories:
            raise BadBars(f"none of {skipped:,} stories can be read")
        return News(tuple(stories), whole=not more)

    async def _table(self, path: str, asked: dict[str, str], what: str) -> list[Any]:
        pages = self._client.pages(path, asked)
        return [row async for page in pages for row in table_rows(page, what)]


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
