"""How numbers are spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.words import count, listed, percent, price, some, sparkline, times


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (0, "0"),
        (86.4, "86"),
        (949, "949"),
        (999.9, "1.0k"),
        (1_900, "1.9k"),
        (999_949, "999.9k"),
        (999_960, "1.0M"),
        (12_400_000, "12.4M"),
        (1.25e9, "1.2B"),
    ],
)
def test_counts_keep_the_digits_that_matter(value: float, spelled: str) -> None:
    assert count(value) == spelled


@given(st.floats(0, 1e13))
def test_a_count_is_short_and_reads_back_within_a_rounding(value: float) -> None:
    spelled = count(value)
    scale = {"k": 1e3, "M": 1e6, "B": 1e9}.get(spelled[-1], 1.0)
    assert len(spelled) <= 8
    read = float(spelled.rstrip("kMB")) * scale
    assert read == pytest.approx(value, rel=0.06, abs=0.51)


def test_moves_have_a_sign_and_unknown_ones_say_so() -> None:
    assert [percent(v) for v in (18.24, -9.36, 0.0, None)] == ["+18.2%", "−9.4%", "+0.0%", "n/a"]


def test_multiples_lose_their_decimal_when_large() -> None:
    assert [times(v) for v in (1.04, 99.94, 99.96, 1234.5)] == ["1.0×", "99.9×", "100×", "1,234×"]


def test_prices_under_a_dollar_have_four_decimals() -> None:
    assert [price(v) for v in (1234.5, 1.0, 0.98761)] == ["$1,234.50", "$1.00", "$0.9876"]


def test_lists_and_plurals() -> None:
    assert listed(["A", "B", "C"], 2) == "A, B and 1 more"
    assert [some(n, "line") for n in (1, 2, 3400)] == ["1 line", "2 lines", "3,400 lines"]


@given(st.lists(st.none() | st.floats(0, 1e12), min_size=1, max_size=300))
def test_a_sparkline_has_one_character_a_value(values: list[float | None]) -> None:
    drawn = sparkline(values)
    assert len(drawn) == len(values)
    assert set(drawn) <= set(" ▁▂▃▄▅▆▇█")


def test_a_sparkline_shows_gaps_and_the_highest() -> None:
    assert sparkline([1.0, None, 8.0]) == "▁ █"
