"""core.listings: who began to trade inside the window."""

from datetime import date

import polars as pl
import pytest

from core.calendar import TradingDay
from core.listings import NEW_SESSIONS, listings
from tests.frames import bars, day, days_before, row

LAST = day("2026-11-20")
WINDOW = [*days_before(LAST, 81), LAST]


def market(first_rows: dict[str, int], days: list[TradingDay] = WINDOW) -> pl.DataFrame:
    """Tickers that trade on the last so many of the days, each a little more than the one before"""
    found = []
    for left, on in zip(range(len(days), 0, -1), days, strict=True):
        rows = [
            row(t, volume=1000.0 * n, close=10.0)
            for n, (t, since) in enumerate(first_rows.items(), 1)
            if left <= since
        ]
        found += [bars(on, rows)] if rows else []
    return pl.concat(found)


def test_a_ticker_is_new_for_as_long_as_it_has_no_baseline() -> None:
    rows = market({"OLD": 82, "KNOWN": NEW_SESSIONS + 1, "YOUNG": NEW_SESSIONS, "TODAY": 1})

    found = listings(rows, WINDOW)

    assert found.rows() == [("TODAY", LAST.date, 1, 40_000.0), ("YOUNG", WINDOW[-20].date, 20, 3e4)]
    assert found.columns == ["ticker", "first", "seen", "dollar_volume"]


def test_sessions_without_a_row_are_not_counted_as_seen() -> None:
    rows = market({"OLD": 82, "THIN": 10})
    gone = pl.col("session").is_in([d.date for d in WINDOW[-8:-2]])

    found = listings(rows.filter(~((pl.col("ticker") == "THIN") & gone)), WINDOW)

    assert found.row(0)[:3] == ("THIN", WINDOW[-10].date, 4)


@pytest.mark.parametrize("stored", [1, 20, 39])
def test_with_too_little_stored_nothing_can_be_called_new(stored: int) -> None:
    rows = market({"OLD": 82, "TODAY": 1})
    few = rows.filter(pl.col("session").is_in([d.date for d in WINDOW[-stored:]]))

    assert listings(few, WINDOW).is_empty()


def test_what_has_no_price_comes_last() -> None:
    rows = market({"OLD": 82, "UNPRICED": 2, "PRICED": 2})
    none = pl.when(pl.col("ticker") != "UNPRICED").then(pl.col("close")).alias("close")

    found = listings(rows.with_columns(none), WINDOW)

    assert found["ticker"].to_list() == ["PRICED", "UNPRICED"]
    assert found["dollar_volume"].to_list() == [30_000.0, None]


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = market({"OLD": 82, "AAA": 5, "BBB": 3, "CCC": 21})

    mixed = rows.sample(fraction=1.0, shuffle=True, seed=3)

    assert listings(mixed, WINDOW).equals(listings(rows, WINDOW))


def test_no_row_no_listing() -> None:
    assert listings(market({"OLD": 82}).clear(), WINDOW).is_empty()
    assert listings(market({"OLD": 82}), []).is_empty()
    assert date(2026, 11, 20) == LAST.date
