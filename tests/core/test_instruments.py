"""core.instruments: what a ticker is, by how it is spelled."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.instruments import COMMON, ETF, FUND, PUSHABLE, kinds


def kind(ticker: str, *others: str, type_: str | None = None) -> str:
    known = {} if type_ is None else {ticker: type_}
    found = kinds(pl.Series("ticker", [*others, ticker]), known)
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


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, COMMON) for code in ("CS", "ADRC", "OS", "GDR", "NYRS")),
        *((code, ETF) for code in ("ETF", "ETN", "ETV", "ETS")),
        ("FUND", FUND),
        ("WARRANT", "warrant"),
        ("ADRW", "warrant"),
        ("RIGHT", "right"),
        ("ADRR", "right"),
        ("UNIT", "unit"),
        ("PFD", "preferred"),
        ("ADRP", "preferred"),
        ("SP", "structured product"),
        ("BOND", "bond"),
        ("AGEN", "bond"),
        ("EQLK", "bond"),
        ("BASKET", "basket"),
        ("LT", "liquidating trust"),
        ("OTHER", "other"),
    ],
)
def test_the_vendors_type_tells_the_kind(code: str, expected: str) -> None:
    assert kind("ABCD", type_=code) == expected
    assert (expected in PUSHABLE) == (expected in (COMMON, ETF, FUND))


def test_the_vendors_type_knows_better_than_the_spelling() -> None:
    assert kind("ACHRW", "ACHR", type_="CS") == COMMON
    assert kind("ABCD.U", type_="ETF") == ETF
    assert kind("BACp", type_="PFD") == "preferred"


def test_a_type_that_nobody_told_us_of_leaves_it_to_the_spelling() -> None:
    assert kind("ABCD", type_="TOKEN") == COMMON
    assert kind("NE.WS", type_="TOKEN") == "warrant"


def test_a_type_is_of_its_own_ticker_only() -> None:
    found = kinds(pl.Series("ticker", ["AAP", "AAp"]), {"AAP": "ETF"})

    assert found["kind"].to_list() == [ETF, "preferred"]


def test_test_symbols_go_by_their_spelling_whatever_the_vendor_says() -> None:
    assert kind("ZVZZT", type_="CS") == "test"
    assert kind("NTEST.A", type_="ETF") == "test"


def test_shares_traded_when_issued_are_no_common_stock_whatever_the_vendor_says() -> None:
    assert kind("GEVw", type_="CS") == "when issued"
    assert kind("BCATrw", type_="RIGHT") == "right"
