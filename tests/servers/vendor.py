"""The vendor's REST interface on a local port, with its plans, pages and refusals.

Paths, parameters, defaults and envelopes are those of the vendor's OpenAPI description; the texts
of its refusals are as its users quote them. Among the traps that are kept: prices and volumes are
split-adjusted unless asked otherwise, a holiday is a success without `results`, tables give ten
rows unless asked for more (the list of tickers a hundred), a ticker's events are an object in the
place of a list, and today's data is refused until midnight in New York.
"""

import argparse
import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from aiohttp import web

from tests.servers.faults import Answer
from tests.servers.local import NEW_YORK, LocalServer, serve, utc_now
from tests.servers.vendor_data import (
    Row,
    Split,
    adjusted,
    day_file,
    end_of_window_ms,
    read_splits,
    rows_of_file,
    short_volume_file,
    short_volumes_of_file,
    split_rows,
)
from tests.servers.vendor_faults import (
    BEFORE_END_OF_DAY,
    NOT_ENTITLED,
    REQUEST_ID,
    TIMEFRAME,
    json_answer,
    not_authorized,
    unknown_key,
    unknown_ticker,
)
from tests.servers.vendor_pages import Table, asked_for, page
from tests.servers.vendor_reference import (
    Change,
    default_conditions,
    default_exchanges,
    events_body,
)

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks/"
SPLITS = "/stocks/v1/splits"
OLD_SPLITS = "/v3/reference/splits"
MARKET_STATUS = "/v1/marketstatus/now"
SHORT_VOLUME = "/stocks/v1/short-volume"
CONDITIONS = "/v3/reference/conditions"
EXCHANGES = "/v3/reference/exchanges"
TICKERS = "/v3/reference/tickers"
NEWS = "/v2/reference/news"
_EVENTS = re.compile(r"/vX/reference/tickers/(.+)/events")

_OPERATIONS = {
    SPLITS: "splits",
    OLD_SPLITS: "splits",
    MARKET_STATUS: "marketstatus",
    SHORT_VOLUME: "short-volume",
    CONDITIONS: "conditions",
    EXCHANGES: "exchanges",
    TICKERS: "tickers",
    NEWS: "news",
}
_TABLES = {
    SPLITS: Table(100, 5_000, ("execution_date", "ticker")),
    OLD_SPLITS: Table(10, 1_000, ("execution_date", "ticker")),
    SHORT_VOLUME: Table(10, 50_000, ("date", "ticker")),
    CONDITIONS: Table(10, 1_000, ("asset_class", "data_type", "id")),
    EXCHANGES: Table(1_000, 1_000, ("asset_class",)),  # not paged at all
    TICKERS: Table(100, 1_000, ("active", "market", "ticker", "type")),
    NEWS: Table(10, 1_000, ("published_utc",)),
}


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request and the status it got."""

    method: str
    path: str
    query: Mapping[str, str]
    had_bearer: bool
    status: int


class VendorServer(LocalServer):
    """The vendor. Every setting is an attribute and may be changed while it runs."""

    def __init__(
        self,
        *,
        api_key: str,
        root: Path | None = None,
        days: Mapping[date, list[Row]] | None = None,
        splits: Sequence[Split] = (),
        short_volumes: Mapping[date, list[Row]] | None = None,
        conditions: list[Row] | None = None,
        exchanges: list[Row] | None = None,
        instruments: Sequence[Row] = (),
        changes: Mapping[str, Sequence[Change]] | None = None,
        news: Sequence[Row] = (),
        refuses: Collection[str] = (),
        plan_from: date | None = None,
        today: date | None = None,
        entitled_grouped: bool = True,
        entitled_short_volume: bool = True,
        status: str = "OK",
        market: str = "closed",
        clock_shift: timedelta = timedelta(),
        now: Callable[[], datetime] = utc_now,
        port: int = 0,
    ) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.api_key = api_key
        self.root = root
        self.days = {} if days is None else days
        self.splits = splits
        self.short_volumes = {} if short_volumes is None else short_volumes
        self.conditions = default_conditions() if conditions is None else conditions
        self.exchanges = default_exchanges() if exchanges is None else exchanges
        self.instruments = instruments
        self.changes = {} if changes is None else changes
        self.news = news
        self.refuses = refuses
        self.plan_from = plan_from
        self.today = today
        self.entitled_grouped = entitled_grouped
        self.entitled_short_volume = entitled_short_volume
        self.status = status
        self.market = market
        self.requests: list[SeenRequest] = []

    async def answer(self, request: web.BaseRequest) -> tuple[str, Answer]:
        """Check the key, then answer; the operation names the endpoint."""
        grouped = request.path.startswith(GROUPED)
        events = _EVENTS.fullmatch(request.path)
        named = "events" if events else _OPERATIONS.get(request.path, "")
        operation = "grouped" if grouped else named
        if request.headers.get("Authorization") != f"Bearer {self.api_key}" and (
            request.query.get("apiKey") != self.api_key
        ):
            return operation, unknown_key()
        if request.method != "GET":
            return operation, Answer(405, b"405 method not allowed")
        if operation in self.refuses:
            return operation, not_authorized(NOT_ENTITLED)
        if events:
            changes = self.changes.get(events[1])
            body = events_body(changes) if changes else None
            return operation, json_answer(200, body) if body else unknown_ticker()
        if grouped:
            text = request.path.removeprefix(GROUPED)
            return operation, await asyncio.to_thread(self._grouped, text, request.query)
        return operation, await asyncio.to_thread(self._table, request.path, request.query)

    def record(self, request: web.BaseRequest, answer: Answer, sent_bytes: int) -> None:
        """Remember it in `requests`."""
        bearer = request.headers.get("Authorization", "").startswith("Bearer ")
        query = dict(request.query)
        self.requests.append(
            SeenRequest(request.method, request.path, query, bearer, answer.status)
        )

    def _grouped(self, text: str, query: Mapping[str, str]) -> Answer:
        day = _day(text)
        refusal = self._refusal(day, entitled=self.entitled_grouped)
        if refusal is not None or day is None:
            return not_authorized(refusal or TIMEFRAME)
        rows, rebase = self._rows(day), query.get("adjusted", "true") != "false"
        if query.get("include_otc", "false") != "true":
            rows = [row for row in rows if not row.get("otc")]
        return self._envelope(adjusted(rows, day, self.splits) if rebase else rows, rebase=rebase)

    def _refusal(self, day: date | None, *, entitled: bool) -> str | None:
        """What the plan says to a date; of one that it cannot read the vendor blames the plan."""
        if not entitled:
            return NOT_ENTITLED
        if day is not None and day >= (self.today or self.new_york_date()):
            return BEFORE_END_OF_DAY
        if day is None or (self.plan_from is not None and day < self.plan_from):
            return TIMEFRAME
        return None

    def _rows(self, day: date) -> list[Row]:
        if (rows := self.days.get(day)) is not None:
            return [{"t": end_of_window_ms(day)} | row for row in rows]
        if self.root is None or not (path := day_file(self.root, day)).is_file():
            return []
        return rows_of_file(path, day)

    def _envelope(self, rows: list[Row], *, rebase: bool) -> Answer:
        """No row, no `results`."""
        body: Row = {"queryCount": len(rows), "resultsCount": len(rows), "adjusted": rebase}
        if rows:
            body["results"] = rows
        told = {"status": self.status, "request_id": REQUEST_ID, "count": len(rows)}
        return json_answer(200, body | told)

    def _table(self, path: str, query: Mapping[str, str]) -> Answer:
        if path == MARKET_STATUS:
            return json_answer(200, self._market_status())
        if path not in _TABLES:
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        try:
            asked, _ = asked_for(query)
            if path == SHORT_VOLUME and "date" in asked:
                entitled = self.entitled_short_volume
                if refusal := self._refusal(_day(asked["date"]), entitled=entitled):
                    return not_authorized(refusal)
            body = page(self._all(path, asked), _TABLES[path], query, f"{self.url}{path}")
        except ValueError as wrong:
            said = {"status": "ERROR", "request_id": REQUEST_ID, "error": str(wrong)}
            return json_answer(400, said)
        return json_answer(200, body | {"request_id": REQUEST_ID})

    def _all(self, path: str, asked: Mapping[str, str]) -> list[Row]:
        if path == CONDITIONS:
            return self.conditions
        if path == EXCHANGES:
            return self.exchanges
        if path == SHORT_VOLUME:
            return self._short_volumes(_day(asked.get("date", "")))
        if path == TICKERS:
            return sorted(self.instruments, key=lambda row: str(row.get("ticker")))
        if path == NEWS:
            newest_first = asked.get("order", "desc") == "desc"
            return sorted(self.news, key=lambda row: row["published_utc"], reverse=newest_first)
        return split_rows(self.splits, old_endpoint=path == OLD_SPLITS)

    def _short_volumes(self, day: date | None) -> list[Row]:
        told = dict(self.short_volumes)
        path = short_volume_file(self.root, day) if self.root and day else None
        if day is not None and path is not None and path.is_file():
            told[day] = short_volumes_of_file(path)
        dated = ({"date": day.isoformat()} | row for day, rows in told.items() for row in rows)
        return sorted(dated, key=lambda row: (row["ticker"], row["date"]))

    def _market_status(self) -> Row:
        exchanges = dict.fromkeys(("nasdaq", "nyse", "otc"), self.market)
        return {
            "afterHours": False,
            "currencies": {"crypto": "open", "fx": "open"},
            "earlyHours": False,
            "exchanges": exchanges,
            "market": self.market,
            "serverTime": self.now().astimezone(NEW_YORK).isoformat(timespec="seconds"),
        }


def _day(text: str) -> date | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _from_shell() -> VendorServer:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.vendor", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds us_stocks_sip/day_aggs_v1/...")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--splits", type=Path, help="execution_date,ticker,split_from,split_to")
    parser.add_argument("--plan-from", type=date.fromisoformat)
    parser.add_argument("--today", type=date.fromisoformat)
    args = parser.parse_args()
    return VendorServer(
        root=args.folder,
        port=args.port,
        api_key=args.api_key,
        splits=read_splits(args.splits) if args.splits else (),
        plan_from=args.plan_from,
        today=args.today,
    )


if __name__ == "__main__":
    asyncio.run(serve(_from_shell()))
