"""The local vendor's reference: sale conditions as listed in 2026, exchanges, tickers, news."""

from collections.abc import Sequence

from tests.servers.vendor_data import Row

Change = tuple[str, str]
"""Since when (ISO date), and under which ticker."""

# Id, name; by the consolidated rules, may a trade move high and low, open and close, volume? Where
# the vendor lists no rules there is a dash.
_CONDITIONS = """
TTT 1 Acquisition
FFT 2 Average Price Trade
TTT 3 Automatic Execution
TTT 4 Bunched Trade
TFT 5 Bunched Sold Trade
TTT 6 CAP Election
FFT 7 Cash Sale
TTT 8 Closing Prints
TTT 9 Cross Trade
TFT 10 Derivatively Priced
TTT 11 Distribution
FFT 12 Form T/Extended Hours
FFT 13 Extended Hours (Sold Out Of Sequence)
TTT 14 Intermarket Sweep
FFF 15 Market Center Official Close
FFF 16 Market Center Official Open
TTT 17 Market Center Opening Trade
TTT 18 Market Center Reopening Trade
TTT 19 Market Center Closing Trade
FFT 20 Next Day
FFT 21 Price Variation Trade
TFT 22 Prior Reference Price
TTT 23 Rule 155 Trade (AMEX)
TTT 24 Rule 127 (NYSE Only)
TTT 25 Opening Prints
TTT 27 Stopped Stock (Regular Trade)
TTT 28 Re-Opening Prints
FFT 29 Seller
TTT 30 Sold Last
TTT 31 Sold Last and Stopped Stock
TFT 32 Sold (Out Of Sequence)
TFT 33 Sold (Out of Sequence) and Stopped Stock
TTT 34 Split Trade
TTT 35 Stock Option
TTT 36 Yellow Flag Regular Trade
FFT 37 Odd Lot Trade
TTF 38 Corrected Consolidated Close (per listing market)
TTT 41 Trade Thru Exempt
FFT 52 Contingent Trade
FFT 53 Qualified Contingent Trade
TTT 55 Opening Reopening Trade Detail
- 57 Short Sale Restriction Activated
- 58 Short Sale Restriction Continued
- 59 Short Sale Restriction Deactivated
- 60 Short Sale Restriction In Effect
- 62 Financial Status - Bankrupt
- 63 Financial Status - Deficient
- 64 Financial Status - Delinquent
- 65 Financial Status - Bankrupt and Deficient
- 66 Financial Status - Bankrupt and Delinquent
- 67 Financial Status - Deficient and Delinquent
- 68 Financial Status - Deficient, Delinquent, and Bankrupt
- 69 Financial Status - Liquidation
- 70 Financial Status - Creations Suspended
- 71 Financial Status - Redemptions Suspended
"""
_EXCHANGES = """
1 NYSE American
2 Nasdaq Texas
3 NYSE National
4 FINRA Alternative Display Facility
7 Cboe EDGA
8 Cboe EDGX
9 NYSE Texas
10 New York Stock Exchange
11 NYSE Arca
12 Nasdaq
14 Long-Term Stock Exchange
15 IEX
"""
_OLD_FACILITIES = """
4 FINRA NYSE TRF
4 FINRA Nasdaq TRF Carteret
4 FINRA Nasdaq TRF Chicago
"""


def default_conditions() -> list[Row]:
    """All trade conditions, and one of quotes that shares its id with one of them."""
    told = [_condition(*line.split(" ", 2)) for line in _CONDITIONS.split("\n") if line]
    return [*told, told[0] | {"name": "Regular, Two-Sided Open", "data_types": ["quote"]}]


def default_exchanges() -> list[Row]:
    """The exchanges, and a row without an id."""
    orf = {"asset_class": "stocks", "name": "OTC Reporting Facility", "type": "ORF"}
    return [*_exchanges(_EXCHANGES), orf]


def old_exchanges() -> list[Row]:
    """As listed some years ago: each of FINRA's facilities has the id 4."""
    return [*_exchanges(_OLD_FACILITIES), *default_exchanges()]


def instrument_row(ticker: str, kind: str | None = "CS", **fields: object) -> Row:
    """One row of the list of tickers; without a kind it has no `type`."""
    row: Row = {
        "active": True,
        "cik": "0001090872",
        "composite_figi": f"BBG{_number_of(ticker):09d}",
        "currency_name": "usd",
        "last_updated_utc": "2026-11-20T00:00:00Z",
        "locale": "us",
        "market": "stocks",
        "name": f"{ticker} Inc. Common Stock",
        "primary_exchange": "XNYS",
        "ticker": ticker,
    }
    return row | ({} if kind is None else {"type": kind}) | fields


def whole_market(*known: Row, count: int = 1_500) -> list[Row]:
    """These rows among those of a market that is large enough to be one."""
    return [*known, *(instrument_row(f"Q{n:04d}") for n in range(count - len(known)))]


def _number_of(ticker: str) -> int:
    """A number that belongs to a ticker, the same in every run."""
    return int.from_bytes(ticker.encode()[-3:])


def events_body(changes: Sequence[Change]) -> Row:
    """A ticker's events as the vendor has them, newest first, in one object."""
    events = [
        {"date": day, "ticker_change": {"ticker": ticker}, "type": "ticker_change"}
        for day, ticker in sorted(changes, reverse=True)
    ]
    named = {"name": "Some Company, Inc.", "composite_figi": "BBG000MM2P62", "cik": "0001326801"}
    return {"results": named | {"events": events}, "status": "OK", "request_id": "0123456789abcdef"}


def news_row(title: str, at: str, *tickers: str, **fields: object) -> Row:
    """One story; `at` is ISO, UTC, with a Z."""
    publisher = {"homepage_url": "https://wire.example/", "name": "The Wire"}
    row: Row = {
        "article_url": f"https://wire.example/{title.replace(' ', '-')}",
        "author": "A. Writer",
        "description": "What it says.",
        "id": f"{at}{title}",
        "insights": [{"sentiment": "positive", "ticker": ticker} for ticker in tickers],
        "published_utc": at,
        "publisher": publisher,
        "tickers": list(tickers),
        "title": title,
    }
    return row | fields


def _condition(flags: str, number: str, name: str) -> Row:
    row: Row = {"asset_class": "stocks", "data_types": ["trade"], "id": int(number), "name": name}
    if flags == "-":
        return row | {"type": "indicator"}
    fields = ("updates_high_low", "updates_open_close", "updates_volume")
    rule = {field: flag == "T" for field, flag in zip(fields, flags, strict=True)}
    kind = "trade_thru_exempt" if number == "41" else "sale_condition"
    return row | {"type": kind, "update_rules": {"consolidated": rule, "market_center": rule}}


def _exchanges(table: str) -> list[Row]:
    told = (line.split(" ", 1) for line in table.split("\n") if line)
    return [
        {"asset_class": "stocks", "id": int(number), "name": name, "type": "exchange"}
        for number, name in told
    ]
