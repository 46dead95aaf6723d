"""core.instruments: what a ticker is, by how it is spelled."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.instruments import COMMON, kinds


def kind(ticker: str, *others: str) -> str:
    found = kinds(pl.Series("ticker", [*others, ticker]))
    return str(found.row(-1, named=True)["kind"])


@pytest.mark.parametrize(
    ("ticker", "expected"),
    [
        ("BApA", "preferred"),
        ("BACp", "preferred"),
        ("BRK.BpA", "preferred"),
        ("BCATrw", "right"),
        ("NMCOr", "right"),
        ("ABC.RT", "right"),
        ("NE.WS.A", "warrant"),
        ("NE.WS", "warrant"),
        ("ABC+", "warrant"),
        ("ABCD.U", "unit"),
        ("ABC=", "unit"),
        ("GEVw", "when issued"),
        ("ZVZZT", "test"),
        ("ZWZZT", "test"),
        ("ZZZTA", "test"),
        ("ZZZT", "test"),
        ("NTEST.A", "test"),
        ("ZTEST", "test"),
    ],
)
def test_the_suffix_tells_the_kind(ticker: str, expected: str) -> None:
    assert kind(ticker) == expected


@pytest.mark.parametrize("ticker", ["AAPL", "BRK.B", "BRK.A", "GOOGL", "A", "ZVRA", "TESTX", "PRW"])
def test_ordinary_spellings_are_common(ticker: str) -> None:
    assert kind(ticker, "GOOG", "BRKA") == COMMON


@pytest.mark.parametrize(
    ("ticker", "expected"),
    [("ACHRW", "warrant"), ("ACHRR", "right"), ("ACHRU", "unit"), ("ACHRP", "preferred"),
     ("ACHRO", "preferred")],
)  # fmt: skip
def test_a_fifth_letter_means_something_only_beside_its_root(ticker: str, expected: str) -> None:
    assert kind(ticker, "ACHR") == expected
    assert kind(ticker, "ACHX") == COMMON


def test_four_letters_ending_in_w_are_common() -> None:
    assert kind("SCHW", "SCH") == COMMON


@given(st.lists(st.text("ABCWRUpr.w", min_size=1, max_size=6), unique=True, min_size=1))
def test_every_ticker_gets_one_kind_in_the_order_asked(tickers: list[str]) -> None:
    found = kinds(pl.Series("ticker", tickers))

    assert found["ticker"].to_list() == tickers
    assert found["kind"].null_count() == 0
