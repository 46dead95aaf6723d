"""core.split_watch: steps that look like a split, and news that does not."""

from collections.abc import Sequence
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.calendar import TradingDay, sessions_ending
from core.split_watch import COLUMNS, SESSIONS_NEEDED, SUSPECTED, suspected
from core.splits import Split, restate
from tests.frames import bars, day, row

LAST = day("2026-11-18")
WINDOW = sessions_ending(LAST, SESSIONS_NEEDED)
SHARES = 1_000_000.0
PRICE = 60.0

Bar = dict[str, float | None]


def at(price: float, shares: float = SHARES, width: float = 0.01, **values: float | None) -> Bar:
    """A bar that opens and closes at a price, with a range of `width` around it."""
    low, high = price * (1 - width / 2), price * (1 + width / 2)
    plain: Bar = {"open": price, "high": high, "low": low, "close": price, "volume": shares}
    return plain | values


def tape(**rows: Sequence[Bar | None]) -> pl.DataFrame:
    """Bars of the last sessions, oldest first; None where a ticker did not trade."""
    frames = []
    for place in range(1, max(map(len, rows.values())) + 1):
        traded = [
            row(ticker, **bar)
            for ticker, of in rows.items()
            if place <= len(of) and (bar := of[-place]) is not None
        ]
        if traded:
            frames.append(bars(WINDOW[-place], traded))
    return pl.concat(frames)


def usual(sessions: int = SESSIONS_NEEDED - 1, price: float = PRICE) -> list[Bar | None]:
    return [at(price)] * sessions


def of(frame: pl.DataFrame, splits: Sequence[Split] = ()) -> list[tuple[str, str, float]]:
    found = suspected(frame, WINDOW, splits)
    return [(t, name, round(factor, 3)) for t, name, _, factor in found.iter_rows()]


@pytest.mark.parametrize(
    ("new", "old"),
    [(2, 1), (3, 1), (4, 1), (7, 1), (10, 1), (20, 1), (50, 1), (3, 2), (4, 3), (5, 4)]
    + [(1, n) for n in (2, 3, 4, 5, 8, 10, 15, 20, 25, 50, 100, 250)],
)
def test_a_step_at_a_ratio_after_which_all_is_quiet_is_suspected(new: float, old: float) -> None:
    after = at(PRICE * old / new, SHARES * new / old)

    found = of(tape(AAA=[*usual(), after], BBB=[*usual(), at(PRICE)]))

    assert found == [("AAA", f"{new}-for-{old}", round(old / new, 3))]


def test_the_answer_has_its_columns_and_the_session_of_the_step() -> None:
    found = suspected(tape(AAA=[*usual(), at(30, 2 * SHARES)]), WINDOW)

    assert found.schema == pl.Schema(SUSPECTED)
    assert found.row(0) == ("AAA", "2-for-1", LAST.date, 0.5)


def test_an_ordinary_day_has_none() -> None:
    found = suspected(tape(AAA=usual(SESSIONS_NEEDED)), WINDOW)

    assert found.is_empty()
    assert found.schema == pl.Schema(SUSPECTED)


@pytest.mark.parametrize(
    "after",
    [
        at(32.0, 2 * SHARES),  # the ratio is missed by more than the night's news explains
        at(30, 2 * SHARES, width=0.15),  # the price goes on to move
        at(30, 8 * SHARES),  # a rush: four times the usual dollars
        at(30, 0.3 * SHARES),  # another security's price: nobody trades at it
        at(45, 3 * SHARES, width=0.08),  # a bad quarter, near 4-for-3 by chance
        at(30, 2 * SHARES, width=0.0),  # one print
    ],
)
def test_a_fall_that_looks_like_news_is_not(after: Bar) -> None:
    assert of(tape(AAA=[*usual(), after])) == []


@pytest.mark.parametrize(
    "after",
    [
        at(120, 40 * SHARES, width=0.002),  # a takeover
        at(300, 4 * SHARES, width=0.5),  # a squeeze
        at(150, SHARES / 2),  # between 1-for-2 and 1-for-3
    ],
)
def test_a_rise_that_looks_like_news_is_not(after: Bar) -> None:
    assert of(tape(AAA=[*usual(), after])) == []


def test_a_reverse_split_of_a_penny_stock_may_miss_its_ratio() -> None:
    assert of(tape(AAA=[*usual(price=0.25), at(2.2, SHARES, width=0.3)])) == [
        ("AAA", "1-for-8", 8.8)
    ]


@pytest.mark.parametrize(("back", "seen"), [(0, True), (1, True), (5, True), (6, False)])
def test_a_step_is_told_of_for_five_sessions(back: int, seen: bool) -> None:
    after: list[Bar | None] = [at(30, 2 * SHARES)] * (1 + back)
    rows = [*usual(SESSIONS_NEEDED - len(after)), *after]

    found = suspected(tape(AAA=rows), WINDOW)

    assert found["suspected_on"].to_list() == ([WINDOW[-1 - back].date] if seen else [])


def test_of_two_steps_the_newest_is_told() -> None:
    rows = [*usual(), at(30, 2 * SHARES), at(30, 2 * SHARES), at(6, 10 * SHARES)]

    found = suspected(tape(AAA=rows[-SESSIONS_NEEDED:]), WINDOW)

    assert found["suspected"].to_list() == ["5-for-1"]


def test_a_step_that_is_taken_back_was_a_bad_print() -> None:
    wrong = at(6, 10 * SHARES)
    rows = [*usual(), wrong, at(PRICE)]

    assert of(tape(AAA=rows[:-1])) == [("AAA", "10-for-1", 0.1)]
    assert of(tape(AAA=rows[1:])) == []


@pytest.mark.parametrize(
    "after",
    [
        at(30, 2 * SHARES, open=None),
        at(30, 2 * SHARES, open=0.0),
        at(30, 2 * SHARES, high=None, low=None),
        at(30, 2 * SHARES, low=0.0),
        at(30, 0.0),
    ],
)
def test_without_the_evidence_nothing_is_suspected(after: Bar) -> None:
    assert of(tape(AAA=[*usual(), after])) == []


@pytest.mark.parametrize("before", [None, at(PRICE, close=None), at(PRICE, close=0.0)])
def test_without_a_close_the_session_before_nothing_is_suspected(before: Bar | None) -> None:
    rows = [*usual(SESSIONS_NEEDED - 2), before, at(30, 2 * SHARES)]

    assert of(tape(AAA=rows)) == []


@pytest.mark.parametrize(("history", "seen"), [(0, False), (1, False), (2, False), (3, True)])
def test_three_sessions_of_usual_volume_are_needed(history: int, seen: bool) -> None:
    rows = [*usual(history), at(30, 2 * SHARES)]

    assert bool(of(tape(AAA=rows, BBB=usual(SESSIONS_NEEDED)))) == seen


def test_a_split_on_record_is_no_suspicion() -> None:
    frame = tape(AAA=[*usual(), at(30, 2 * SHARES)], BBB=[*usual(), at(30, 2 * SHARES)])
    known = [Split(LAST.date, "AAA", 1, 2)]

    assert of(restate(frame, known, LAST.date), known) == [("BBB", "2-for-1", 0.5)]


def test_a_split_on_record_whose_price_did_not_move_is_no_suspicion_either() -> None:
    known = [Split(LAST.date, "AAA", 1, 2)]

    assert of(restate(tape(AAA=usual(SESSIONS_NEEDED)), known, LAST.date), known) == []


def test_a_split_dated_on_a_weekend_took_effect_at_the_next_session() -> None:
    monday, saturday = day("2026-11-16"), day("2026-11-13").date.replace(day=14)
    window = sessions_ending(monday, SESSIONS_NEEDED)
    rows = [*[bars(each, [row("AAA", **at(PRICE))]) for each in window[:-1]]]
    frame = pl.concat([*rows, bars(monday, [row("AAA", **at(30, 2 * SHARES))])])

    assert suspected(frame, window, [Split(saturday, "AAA", 1, 2)]).is_empty()


def test_a_split_to_come_explains_nothing() -> None:
    frame = tape(AAA=[*usual(), at(30, 2 * SHARES)])

    assert of(frame, [Split(day("2026-11-19").date, "AAA", 1, 2)]) == [("AAA", "2-for-1", 0.5)]


def test_no_sessions_and_no_rows_are_no_error() -> None:
    frame = tape(AAA=usual(3))

    assert suspected(frame, []).is_empty()
    assert suspected(frame, WINDOW[-1:]).is_empty()
    assert suspected(frame.clear(), WINDOW).is_empty()


# Each example builds and checks twelve frames.
few = settings(deadline=None, max_examples=25)

STEPS = st.sampled_from([0.5, 2 / 3, 0.1, 2.0, 10.0, 1.02, 0.97, 0.7, 1.6])
"""What overnight does to a price: splits and nights without."""
PATHS = st.lists(st.tuples(STEPS, st.sampled_from([0.01, 0.05, 0.2])), min_size=12, max_size=12)


def walked(paths: Sequence[Sequence[tuple[float, float]]]) -> pl.DataFrame:
    """A tape on which the shares traded follow the price, as after splits."""
    rows: dict[str, list[Bar | None]] = {}
    for number, path in enumerate(paths):
        price, of_ticker = PRICE, rows.setdefault(f"T{number}", [])
        for step, width in path:
            price *= step
            of_ticker.append(at(price, SHARES * PRICE / price, width))
    return tape(**rows)


@few
@given(st.lists(PATHS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(
    paths: list[list[tuple[float, float]]], random: Random
) -> None:
    frame = walked(paths)
    order = list(range(len(frame)))
    random.shuffle(order)

    assert suspected(frame[order], WINDOW).equals(suspected(frame, WINDOW))


@few
@given(st.lists(PATHS, min_size=1, max_size=4), st.sampled_from([2.0**-10, 0.25, 2.0, 1024.0]))
def test_the_unit_of_prices_and_of_shares_means_nothing(
    paths: list[list[tuple[float, float]]], scale: float
) -> None:
    frame, prices = walked(paths), ["open", "high", "low", "close"]

    scaled = frame.with_columns(pl.col(prices) * scale, pl.col("volume") / scale)

    assert suspected(scaled, WINDOW).equals(suspected(frame, WINDOW))


@few
@given(st.lists(PATHS, min_size=1, max_size=4))
def test_what_is_known_is_never_suspected(paths: list[list[tuple[float, float]]]) -> None:
    frame = walked(paths)
    found = suspected(frame, WINDOW)
    known = [
        Split(on, ticker, *reversed([float(n) for n in name.split("-for-")]))
        for ticker, name, on, _ in found.iter_rows()
    ]

    again = suspected(restate(frame, known, LAST.date), WINDOW, known)

    assert again.join(found, on=["ticker", "suspected_on"]).is_empty()


@few
@given(st.lists(PATHS, min_size=1, max_size=4))
def test_other_columns_and_older_sessions_are_not_looked_at(
    paths: list[list[tuple[float, float]]],
) -> None:
    frame = walked(paths)
    longer = sessions_ending(LAST, SESSIONS_NEEDED + 3)
    older = [bars(each, [row("T0", **at(7 * PRICE))]) for each in longer[:3]]

    found = suspected(frame.select(COLUMNS), WINDOW)

    assert suspected(pl.concat([*older, frame]), longer).equals(found)


def test_a_window_longer_than_needed_may_be_passed() -> None:
    longer: list[TradingDay] = sessions_ending(LAST, 82)

    assert len(suspected(tape(AAA=[*usual(), at(30, 2 * SHARES)]), longer)) == 1
