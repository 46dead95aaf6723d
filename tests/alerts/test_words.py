"""How numbers are spelled."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.words import (
    condensed,
    count,
    listed,
    percent,
    price,
    progress,
    share,
    some,
    sparkline,
    times,
    usd,
    wait,
)
from core.calendar import trading_day
from core.progress import Reading


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


@pytest.mark.parametrize(
    ("usual", "z", "said"),
    [
        (None, None, "62% of its volume"),
        (0.41, None, "62% of its volume, usually 41%"),
        (0.41, 2.99, "62% of its volume, usually 41%"),
        (0.41, 3, "62% of its volume, usually 41%: unusually high"),
        (0.7, -2.99, "62% of its volume, usually 70%"),
        (0.7, -3, "62% of its volume, usually 70%: unusually low"),
    ],
)
def test_a_share_says_how_far_out_it_is_only_when_it_is(
    usual: float | None, z: float | None, said: str
) -> None:
    assert share(0.62, usual, z) == said


def test_a_reading_in_progress_is_one_line() -> None:
    start = datetime(2026, 11, 21, 5, tzinfo=UTC)
    reading = Reading(
        trading_day(date(2026, 11, 20)), "flat files (trades)", 1_200_000_000, 3_400_000_000,
        45_100_000, start, start + timedelta(seconds=60),
    )  # fmt: skip
    assert progress(reading) == (
        "2026-11-20, flat files (trades): 1.2 GB of 3.4 GB (35%), 45.1M trades, about 2 min left"
    )
    assert progress(replace(reading, done_bytes=0)).endswith("0 MB of 3.4 GB (0%), 45.1M trades")


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5_300, "88 min"), (7_290, "2 h 2 min")],
)
def test_waits_are_short(seconds: float, spelled: str) -> None:
    assert wait(seconds) == spelled


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


def test_many_values_are_condensed_from_the_newest_backwards() -> None:
    assert condensed([1.0, 2.0, 3.0], 3) == [1.0, 2.0, 3.0]
    assert condensed([9.0, 1.0, 2.0, None, 4.0, None, None], 4) == [9.0, 1.5, 4.0, None]
    assert condensed([], 5) == []
    for many in (84, 85, 250, 1_260):
        assert 42 <= len(condensed([1.0] * many, 84)) <= 84


def test_a_sparkline_shows_gaps_and_the_highest() -> None:
    assert sparkline([1.0, None, 8.0]) == "▁ █"


def test_what_is_not_known_has_a_word() -> None:
    assert price(None) == "no price"
    assert usd(None) == "unknown"
