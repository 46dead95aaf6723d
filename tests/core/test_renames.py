"""core.renames: one instrument's rows under one ticker, and nobody else's among them."""

from datetime import date, timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calendar import TradingDay, sessions
from core.renames import Rename, concerning, follow, follow_splits, known_as
from core.splits import Split
from tests.frames import bars, day, row

WEEK = sessions(date(2026, 11, 16), date(2026, 11, 20))
MON, TUE, WED, THU, FRI = (d.date for d in WEEK)


def market(*traded: tuple[str, list[date]]) -> pl.DataFrame:
    """Bars of tickers on their days; the volume tells which row it was."""
    found = []
    for on in WEEK:
        there = [t for t, days in traded if on.date in days]
        rows = [row(t, volume=1000.0 * n + on.date.day) for n, t in enumerate(there, 1)]
        found += [bars(on, rows)] if rows else []
    return pl.concat(found)


def days_of(frame: pl.DataFrame, ticker: str) -> list[date]:
    return frame.filter(pl.col("ticker") == ticker).sort("session")["session"].to_list()


ALL = [MON, TUE, WED, THU, FRI]


def test_a_renamed_ticker_keeps_its_history_under_the_new_name() -> None:
    rows = market(("FB", [MON, TUE]), ("META", [WED, THU, FRI]), ("AAA", ALL))

    now = follow(rows, [Rename(WED, "FB", "META")], FRI)

    assert days_of(now, "META") == ALL
    assert days_of(now, "FB") == []
    assert days_of(now, "AAA") == ALL
    same = [c for c in rows.columns if c != "ticker"]
    assert now.columns == rows.columns
    assert now.select(same).equals(rows.select(same))


def test_whoever_had_the_new_name_before_is_left_out() -> None:
    rows = market(("FB", [MON, TUE]), ("META", ALL))

    now = follow(rows, [Rename(WED, "FB", "META")], FRI)

    assert days_of(now, "META") == ALL
    assert now.filter(pl.col("session") == MON)["volume"].to_list() == [1016.0]


def test_an_old_name_that_another_takes_over_begins_anew() -> None:
    rows = market(("FB", ALL), ("META", [WED, THU, FRI]))

    now = follow(rows, [Rename(WED, "FB", "META")], FRI)

    assert days_of(now, "FB") == [WED, THU, FRI]
    assert days_of(now, "META") == ALL


def test_a_rename_after_the_day_is_not_known_yet() -> None:
    rows = market(("FB", [MON, TUE]))

    assert follow(rows, [Rename(WED, "FB", "META")], TUE).equals(rows)


def test_two_renames_are_followed_one_after_the_other() -> None:
    rows = market(("A", [MON]), ("B", [TUE, WED]), ("C", [THU, FRI]))
    chain = [Rename(THU, "B", "C"), Rename(TUE, "A", "B")]

    assert days_of(follow(rows, chain, FRI), "C") == ALL
    assert days_of(follow(rows, chain, WED), "B") == [MON, TUE, WED]


def test_there_and_back_again() -> None:
    rows = market(("A", [MON, THU, FRI]), ("B", [TUE, WED]))

    now = follow(rows, [Rename(TUE, "A", "B"), Rename(THU, "B", "A")], FRI)

    assert days_of(now, "A") == ALL


def test_two_that_change_places_do() -> None:
    rows = market(("A", ALL), ("B", ALL))

    now = follow(rows, [Rename(WED, "A", "B"), Rename(WED, "B", "A")], FRI)

    monday = now.filter(pl.col("session") == MON)
    assert dict(zip(monday["ticker"], monday["volume"], strict=True)) == {"B": 1016.0, "A": 2016.0}
    assert days_of(now, "A") == days_of(now, "B") == ALL


def test_one_that_moves_up_as_another_moves_in() -> None:
    rows = market(("A", [MON, TUE]), ("B", ALL), ("C", [WED, THU, FRI]))

    now = follow(rows, [Rename(WED, "A", "B"), Rename(WED, "B", "C")], FRI)

    assert days_of(now, "B") == days_of(now, "C") == ALL
    assert now.filter(pl.col("session") == TUE, pl.col("ticker") == "B")["volume"][0] == 1017.0


@pytest.mark.parametrize(
    "contradiction",
    [
        [Rename(WED, "A", "C"), Rename(WED, "B", "C")],
        [Rename(WED, "A", "B"), Rename(WED, "A", "C")],
        [Rename(WED, "A", "A")],
    ],
)
def test_renames_that_contradict_each_other_are_not_followed(contradiction: list[Rename]) -> None:
    rows = market(("A", [MON, TUE]), ("B", [MON, TUE]), ("C", [WED, THU, FRI]))

    assert follow(rows, contradiction, FRI).equals(rows)


def test_case_is_data() -> None:
    rows = market(("AAp", [MON, TUE]), ("AAP", ALL))

    now = follow(rows, [Rename(WED, "AAp", "AAq")], FRI)

    assert days_of(now, "AAP") == ALL
    assert days_of(now, "AAq") == [MON, TUE]


def test_splits_go_where_their_rows_go() -> None:
    renamed = [Rename(WED, "FB", "META")]
    before, after = Split(TUE, "FB", 1, 2), Split(THU, "META", 1, 3)
    stranger, reused = Split(TUE, "META", 1, 5), Split(THU, "FB", 1, 7)

    now = follow_splits([after, before, stranger, reused], renamed, FRI)

    assert now == [Split(TUE, "META", 1, 2), reused, after]


def test_a_split_on_the_day_of_the_rename_counts_once_under_either_name() -> None:
    renamed = [Rename(WED, "FB", "META")]
    one = Split(WED, "META", 10, 1)

    assert follow_splits([Split(WED, "FB", 10, 1)], renamed, FRI) == [one]
    assert follow_splits([one], renamed, FRI) == [one]
    assert follow_splits([one, Split(WED, "FB", 10, 1)], renamed, FRI) == [one]


TICKERS = ["A", "B", "C", "D"]
FULL = market(*((t, ALL) for t in TICKERS))
RENAMES = st.lists(
    st.builds(
        Rename,
        st.sampled_from([MON - timedelta(days=3), *ALL, FRI + timedelta(days=3)]),
        st.sampled_from(TICKERS),
        st.sampled_from(TICKERS),
    ),
    max_size=6,
)
SOME = st.lists(st.integers(0, len(FULL) - 1), unique=True, min_size=1)
DAYS = st.sampled_from(ALL)
at_leisure = settings(deadline=None)


@at_leisure
@given(SOME, RENAMES, DAYS)
def test_no_ticker_ever_has_two_rows_of_a_session(
    some: list[int], renames: list[Rename], as_of: date
) -> None:
    now = follow(FULL[some], renames, as_of)

    assert not now.select("session", "ticker").is_duplicated().any()


@at_leisure
@given(SOME, RENAMES, DAYS)
def test_rows_of_the_day_itself_stay_as_they_are(
    some: list[int], renames: list[Rename], as_of: date
) -> None:
    today = pl.col("session") == as_of
    rows = FULL[some]

    assert follow(rows, renames, as_of).filter(today).equals(rows.filter(today))


@at_leisure
@given(SOME, RENAMES, DAYS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_of_renames_does_not_matter(
    some: list[int], renames: list[Rename], as_of: date, random: Random
) -> None:
    mixed = list(some)
    random.shuffle(mixed)
    by = ["session", "ticker"]

    one = follow(FULL[some], renames, as_of).sort(by)
    other = follow(FULL[mixed], [*renames[::-1], *renames], as_of).sort(by)

    assert one.equals(other)


@at_leisure
@given(SOME, RENAMES, DAYS)
def test_nothing_but_the_ticker_changes_and_no_row_is_added(
    some: list[int], renames: list[Rename], as_of: date
) -> None:
    rows = FULL[some]
    now = follow(rows, renames, as_of)
    rest = pl.exclude("ticker")

    assert now.select(rest).join(rows.select(rest), on=["session", "volume"], how="anti").is_empty()
    assert len(now) <= len(rows)


@at_leisure
@given(RENAMES, DAYS)
def test_a_split_and_the_rows_before_it_are_followed_alike(
    renames: list[Rename], as_of: date
) -> None:
    """A split of the eve, followed, carries the ticker of the row of that eve."""
    splits = [Split(TUE, t, 1.0, 2.0 + n) for n, t in enumerate(TICKERS)]
    split_at = {s.split_to: s.ticker for s in follow_splits(splits, renames, as_of)}
    on_tuesday: TradingDay = day("2026-11-17")
    eve = pl.concat([bars(on_tuesday, [row(t, volume=2.0 + n)]) for n, t in enumerate(TICKERS)])
    left_today = {r.old for r in renames if r.on == TUE}

    now = follow(eve, renames, as_of)

    rows = dict(zip(now["volume"], now["ticker"], strict=True))
    for n, ticker in enumerate(TICKERS):
        if ticker not in left_today:
            assert split_at.get(2.0 + n) == rows.get(2.0 + n)


@given(
    st.lists(
        st.builds(Rename, st.sampled_from(ALL), st.sampled_from("ABCDE"), st.sampled_from("ABCDE")),
        max_size=8,
    ),
    st.sampled_from("ABCDE"),
)
def test_those_that_concern_a_ticker_are_all_that_its_history_takes(
    renames: list[Rename], ticker: str
) -> None:
    few = concerning(ticker, renames)
    rows = market(*((t, ALL) for t in "ABCDE"))
    own = rows.filter(pl.col("ticker").is_in(known_as(ticker, renames)))
    every = follow(rows, renames, FRI).filter(ticker=ticker)
    assert follow(own, few, FRI).filter(ticker=ticker).equals(every)
    splits = [Split(on, t, 1, 2) for t in "ABCDE" for on in (MON, WED)]
    named = {ticker, *(name for r in few for name in (r.old, r.new))}
    split = follow_splits([s for s in splits if s.ticker in named], few, FRI)
    wanted = [s for s in follow_splits(splits, renames, FRI) if s.ticker == ticker]
    assert [s for s in split if s.ticker == ticker] == wanted
