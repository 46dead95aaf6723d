"""core.splits: earlier bars on the share basis of a day."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.splits import Split, restate
from tests.frames import bars, day, row

MON, TUE, WED = day("2026-11-16"), day("2026-11-17"), day("2026-11-18")
WEEK = pl.concat([bars(d, [row("AAA"), row("BBB")]) for d in (MON, TUE, WED)])


def of(frame: pl.DataFrame, ticker: str, column: str) -> list[float]:
    return frame.filter(pl.col("ticker") == ticker).sort("session")[column].to_list()


def test_a_two_for_one_halves_earlier_prices_and_doubles_earlier_volumes() -> None:
    now = restate(WEEK, [Split(WED.date, "AAA", 1, 2)], WED.date)

    assert of(now, "AAA", "close") == [5.1, 5.1, 10.2]
    assert of(now, "AAA", "open") == [5.0, 5.0, 10.0]
    assert of(now, "AAA", "high") == [5.2, 5.2, 10.4]
    assert of(now, "AAA", "low") == [4.9, 4.9, 9.8]
    assert of(now, "AAA", "volume") == [2e6, 2e6, 1e6]


def test_a_reverse_split_multiplies_prices_and_divides_volumes() -> None:
    now = restate(WEEK, [Split(TUE.date, "AAA", 10, 1)], WED.date)

    assert of(now, "AAA", "close") == pytest.approx([102.0, 10.2, 10.2])
    assert of(now, "AAA", "volume") == pytest.approx([1e5, 1e6, 1e6])


def test_two_splits_compound() -> None:
    both = [Split(TUE.date, "AAA", 1, 2), Split(WED.date, "AAA", 1, 5)]

    now = restate(WEEK, both, WED.date)

    assert of(now, "AAA", "volume") == [10e6, 5e6, 1e6]
    assert now.equals(restate(WEEK, both[::-1], WED.date))


def test_trade_counts_of_before_a_split_are_left_out() -> None:
    now = restate(WEEK, [Split(WED.date, "AAA", 1, 2)], WED.date)

    before, after = of(now, "AAA", "transactions")[:-1], of(now, "AAA", "transactions")[-1]
    assert set(before) == {None}
    assert after == of(WEEK, "AAA", "transactions")[-1]


def test_a_split_after_the_day_is_not_known_yet() -> None:
    now = restate(WEEK, [Split(WED.date, "AAA", 1, 2)], TUE.date)

    assert now.equals(WEEK)


def test_other_tickers_counts_and_the_order_of_rows_stay() -> None:
    shuffled = WEEK.sample(fraction=1.0, shuffle=True, seed=1)

    now = restate(shuffled, [Split(WED.date, "AAA", 1, 3)], WED.date)

    assert of(now, "BBB", "volume") == [1e6, 1e6, 1e6]
    assert of(now, "BBB", "transactions") == of(shuffled, "BBB", "transactions")
    for same in ("session", "ticker"):
        assert now[same].equals(shuffled[same])
    assert now.columns == shuffled.columns


def test_a_split_of_a_ticker_without_bars_changes_nothing() -> None:
    assert restate(WEEK, [Split(WED.date, "ZZZ", 1, 3)], WED.date).equals(WEEK)


def test_a_split_into_nothing_is_ignored() -> None:
    assert restate(WEEK, [Split(WED.date, "AAA", 1, 0)], WED.date).equals(WEEK)


def test_a_split_says_itself_in_words() -> None:
    assert str(Split(WED.date, "AAA", 1, 2)) == "2-for-1"
    assert str(Split(WED.date, "AAA", 20, 1)) == "1-for-20"


PARTS = st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 1.5])
SPLITS = st.builds(
    Split,
    st.integers(0, 4).map(lambda n: MON.date + timedelta(days=n)),
    st.sampled_from(["AAA", "BBB", "CCC"]),
    PARTS,
    PARTS,
)


@given(st.lists(SPLITS, max_size=6), st.integers(0, 4))
def test_dollar_volume_is_the_same_before_and_after(splits: list[Split], later: int) -> None:
    as_of: date = MON.date + timedelta(days=later)

    now = restate(WEEK, splits, as_of)

    before = (WEEK["close"] * WEEK["volume"]).to_list()
    assert (now["close"] * now["volume"]).to_list() == pytest.approx(before, rel=1e-12)
