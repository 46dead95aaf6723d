"""Amounts as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.amounts import amount


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("500k", 5e5), ("5M", 5e6), ("1.5m", 1.5e6), ("$2,000,000", 2e6), ("1e6", 1e6),
        ("1B", 1e9), ("4.5", 4.5), (".5", 0.5), ("5.", 5.0), (" 7 ", 7.0), ("$1,234.5k", 1234500.0),
    ],
)  # fmt: skip
def test_every_way_to_write_one(typed: str, value: float) -> None:
    assert amount(typed) == pytest.approx(value)


@pytest.mark.parametrize(
    "typed", ["", "abc", "-5", "4,5", "1,00", "5MM", "5 M", "nan", "inf", "1e999", "--", "5%", "٥"]
)
def test_what_is_none(typed: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        amount(typed)


@given(st.text(max_size=20))
def test_whatever_is_typed_is_a_number_or_a_value_error(text: str) -> None:
    try:
        assert amount(text) >= 0
    except ValueError:
        return


@given(st.integers(0, 10**12))
def test_thousands_may_have_commas(value: int) -> None:
    assert amount(f"${value:,}") == amount(str(value)) == value
