"""core.bars: what is not bars is refused, what cannot be true is named."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from core.bars import BARS, Bars, Family, Scope, Series, bad_rows, check, empty, is_ticker
from core.errors import BadBars
from tests.frames import bars, day, row

DAY = day("2026-11-20")


def frame(**values: Any) -> pl.DataFrame:
    return pl.DataFrame([row("AAPL", **values)])


def test_checked_bars_have_the_columns_of_bars_and_are_sorted_by_ticker() -> None:
    made = bars(DAY, [row("MSFT"), row("AAPL"), row("BApA")])

    assert dict(made.schema) == BARS
    assert made["ticker"].to_list() == ["AAPL", "BApA", "MSFT"]
    assert made["session"].unique().to_list() == [DAY.date]


def test_columns_a_source_does_not_have_are_null_and_others_are_left_out() -> None:
    made = check(frame(otc=True).drop("transactions"), DAY)

    assert made["transactions"].to_list() == [None]
    assert made["vwap"].to_list() == [None]
    assert "otc" not in made.columns


@pytest.mark.parametrize("column", ["ticker", "open", "high", "low", "close", "volume"])
def test_a_needed_column_that_is_missing_is_named(column: str) -> None:
    with pytest.raises(BadBars, match=f"the columns {column} are missing"):
        check(frame().drop(column), DAY)


def test_all_missing_columns_are_named_at_once() -> None:
    with pytest.raises(BadBars, match="open, high, low, close, volume are missing"):
        check(pl.DataFrame({"ticker": ["AAPL"]}), DAY)


def test_a_session_without_a_row_is_an_error_and_not_an_empty_frame() -> None:
    with pytest.raises(BadBars, match="no row at all in the bars of 2026-11-20"):
        check(frame().clear(), DAY)


@pytest.mark.parametrize("column", ["close", "volume", "transactions"])
def test_a_value_that_is_no_number_is_refused(column: str) -> None:
    with pytest.raises(BadBars, match="a value is no number"):
        check(frame(**{column: "n/a"}), DAY)


def test_numbers_written_as_text_are_numbers() -> None:
    made = check(frame(close="10.25", volume="7"), DAY)

    assert made.select("close", "volume").row(0) == (10.25, 7.0)


def test_a_row_without_a_ticker_is_refused() -> None:
    rows = pl.concat([frame(), frame().with_columns(ticker=pl.lit(None, pl.String))])

    with pytest.raises(BadBars, match="1 rows have no ticker"):
        check(rows, DAY)


def stamped(*moments: datetime | None) -> pl.DataFrame:
    stamp = pl.Series("stamp", list(moments), pl.Datetime("ns", "UTC"))
    return pl.DataFrame([row(f"T{n}") for n in range(len(moments))]).with_columns(stamp)


def test_a_stamp_is_read_as_a_date_in_new_york() -> None:
    # 00:30 UTC on the 21st is still the evening of the 20th in New York.
    made = check(stamped(datetime(2026, 11, 20, 5, tzinfo=UTC),
                         datetime(2026, 11, 21, 0, 30, tzinfo=UTC)), DAY)  # fmt: skip

    assert len(made) == 2
    assert "stamp" not in made.columns


def test_rows_of_another_date_are_counted_and_the_date_is_named() -> None:
    mixed = stamped(datetime(2026, 11, 20, 5, tzinfo=UTC), datetime(2026, 11, 19, 5, tzinfo=UTC))

    with pytest.raises(BadBars, match="1 of 2 rows are of 2026-11-19, not of 2026-11-20"):
        check(mixed, DAY)


def test_a_row_without_a_date_is_refused_where_dates_are_given() -> None:
    with pytest.raises(BadBars, match="1 of 2 rows are of no date"):
        check(stamped(datetime(2026, 11, 20, 5, tzinfo=UTC), None), DAY)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"ticker": "A B"}, "ticker is garbage"),
        ({"ticker": ""}, "ticker is garbage"),
        ({"ticker": "X" * 25}, "ticker is garbage"),
        ({"low": 0.0}, "zero or negative price"),
        ({"low": -1.0}, "zero or negative price"),
        ({"low": -float("inf")}, "zero or negative price"),
        ({"close": float("nan")}, "price is not finite"),
        ({"high": float("inf")}, "price is not finite"),
        ({"volume": -5.0}, "negative volume"),
        ({"volume": float("inf")}, "negative volume"),
        ({"volume": float("nan")}, "negative volume"),
        ({"volume": None}, "no volume"),
        ({"transactions": -1}, "negative transactions"),
        ({"high": 10.0}, "high and low do not hold open and close"),
        ({"low": 10.1}, "high and low do not hold open and close"),
        ({"high": 9.0, "low": 9.5}, "high and low do not hold open and close"),
    ],
)
def test_a_row_that_cannot_be_true_is_named_with_its_fault(
    values: dict[str, Any], fault: str
) -> None:
    made = bars(DAY, [row("GOOD"), row(**{"ticker": "BAD", **values})])

    wrong = bad_rows(made)

    assert wrong["fault"].to_list() == [fault]
    assert wrong["ticker"].to_list() == [values.get("ticker", "BAD")]


def nothing_priced(ticker: str) -> dict[str, Any]:
    return row(ticker, open=None, high=None, low=None, close=None)


def test_plausible_rows_are_not_bad_even_without_prices_or_counts() -> None:
    flat = {"open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0}
    made = bars(DAY, [row("A"), row("BRK.B"), nothing_priced("NOPX"), row("FLAT", **flat),
                      row("HALF", volume=0.5), row("ZERO", volume=0.0),
                      row("NOCOUNT", transactions=None), row("BApA")])  # fmt: skip

    assert bad_rows(made).is_empty()


def test_case_is_kept_and_part_of_the_ticker() -> None:
    assert is_ticker("BApA")
    assert is_ticker("NE.WS.A")
    assert not is_ticker("")
    assert not is_ticker("two words")
    assert not is_ticker("AAPL\n")


def test_series_that_differ_in_anything_have_different_keys() -> None:
    keys = {
        Series(scope, family, adjustment, rules).key
        for scope in Scope
        for family in Family
        for adjustment in ("raw", "split")
        for rules in ("", "bundled-2026-11")
    }

    assert len(keys) == 2 * len(Family) * 2 * 2
    assert {"all-daily-raw", "off_exchange-trades-raw-bundled-2026-11"} <= keys


def test_an_empty_frame_has_the_columns_of_bars() -> None:
    assert dict(empty().schema) == BARS
    assert Bars(empty()).is_empty()
