"""core.gate: days that cannot be trusted are held, days that are only special are not."""

from typing import Any

import polars as pl
import pytest

from core.bars import Bars
from core.calendar import sessions_after
from core.errors import HeldBars
from core.gate import HISTORY_COLUMNS, possible, screen
from tests.frames import bars, day, days_before, row

DAY = day("2026-11-20")
TICKERS = [f"T{n:04}" for n in range(2000)]


def market(**values: Any) -> list[dict[str, Any]]:
    return [row(ticker, **values) for ticker in TICKERS]


def ordinary(sessions: int = 20, day_: str = "2026-11-20") -> pl.DataFrame:
    """Sessions a thousandth above and below each other, so that none repeats the one before."""
    before = enumerate(days_before(day(day_), sessions))
    made = [bars(d, market(volume=1e6 * (1.001 if n % 2 else 0.999))) for n, d in before]
    return pl.concat(made).select(HISTORY_COLUMNS)


HISTORY = ordinary()
WIDE = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 9.2}
"""A day whose range is three times the usual one."""


def busy(volume_x: float, size_x: float, **values: Any) -> Bars:
    """Every name at so many times its volume, in trades of so many times their size."""
    counted = int(5_000 * volume_x / size_x)
    return bars(DAY, market(volume=1e6 * volume_x, transactions=counted, **values))


def test_an_ordinary_day_passes_without_a_word() -> None:
    today = bars(DAY, market())

    screened = screen(today, HISTORY)

    assert screened.bars.equals(today)
    assert screened.notes == ()


@pytest.mark.parametrize("share", [0.84, 0.5, 0.01])
def test_a_file_with_too_few_rows_is_held_with_all_its_rows(share: float) -> None:
    today = bars(DAY, market()[: int(share * 2000)])

    with pytest.raises(HeldBars, match="the sessions before had 2,000") as held:
        screen(today, HISTORY)

    assert held.value.rows.equals(today)


def test_a_file_with_too_many_rows_is_held() -> None:
    more = [row(f"U{n}") for n in range(900)]

    with pytest.raises(HeldBars, match="2,900 rows; the sessions before had 2,000"):
        screen(bars(DAY, market() + more), HISTORY)


@pytest.mark.parametrize("rows", [1720, 2000, 2480])
def test_a_row_count_like_the_last_sessions_passes(rows: int) -> None:
    tickers = [row(f"T{n:04}") for n in range(rows)]

    assert len(screen(bars(DAY, tickers), HISTORY).bars) == rows


def test_a_few_tickers_twice_are_set_aside_and_the_fuller_copy_is_kept() -> None:
    twice = [row("T0007", volume=900_000.0)]

    screened = screen(bars(DAY, market() + twice), HISTORY)

    assert screened.bars["ticker"].to_list() == TICKERS
    assert screened.bars.filter(pl.col("ticker") == "T0007")["volume"].to_list() == [1e6]
    assert screened.notes == ("1 row set aside: ticker twice",)


def test_everything_twice_is_held() -> None:
    with pytest.raises(HeldBars, match="2,000 of 4,000 rows cannot be true: 2,000 rows set aside"):
        screen(bars(DAY, market() + market()), HISTORY)


def test_the_zero_volume_duplicates_of_2019_are_left_out_and_the_day_passes() -> None:
    # The vendor's files of 2019 list many names a second time, with nothing traded.
    again = market(volume=0.0, transactions=0)[:500]

    screened = screen(bars(DAY, market() + again), HISTORY)

    assert screened.bars.equals(bars(DAY, market()))
    assert screened.notes == ("500 rows without a share traded left out",)


def test_a_day_on_which_nothing_traded_is_held() -> None:
    with pytest.raises(HeldBars, match="no row in which a share was traded"):
        screen(bars(DAY, market(volume=0.0)), HISTORY)


def test_volumes_doubled_on_a_calm_day_are_held() -> None:
    # A vendor that counts every trade twice doubles the counts as well.
    with pytest.raises(HeldBars, match=r"2\.00x its usual volume, .* look doubled"):
        screen(busy(2.0, 1.0), HISTORY)


def test_volumes_doubled_on_quad_witching_show_in_the_size_of_trades() -> None:
    with pytest.raises(HeldBars, match=r"trades 2\.00x their usual size: volumes look doubled"):
        screen(busy(3.2, 2.0), HISTORY, special=True)


def test_a_quad_witching_day_of_its_usual_kind_passes() -> None:
    assert len(screen(busy(2.6, 1.1), HISTORY, special=True).bars) == 2000


def test_a_truly_busy_crash_day_passes() -> None:
    assert len(screen(busy(2.5, 1.0, **WIDE), HISTORY).bars) == 2000


def test_a_half_day_passes() -> None:
    assert len(screen(busy(0.4, 0.95), HISTORY, special=True).bars) == 2000


def test_a_day_cut_short_is_held() -> None:
    with pytest.raises(HeldBars, match=r"0\.10x its usual volume: the file looks cut short"):
        screen(busy(0.1, 1.0), HISTORY)


def test_volumes_doubled_in_a_quiet_week_are_held() -> None:
    lately = HISTORY["session"].unique().sort().tail(5)
    quiet = HISTORY.with_columns(
        pl.when(pl.col("session").is_in(lately.implode()))
        .then(pl.col("volume") * 0.75)
        .otherwise(pl.col("volume"))
    )
    with pytest.raises(HeldBars, match=r"1\.50x its usual volume, 2\.00x the days before's"):
        screen(busy(1.5, 1.0), quiet)
    assert len(screen(busy(1.3, 1.0), quiet).bars) == 2000


@pytest.mark.parametrize("size_x", [0.6, 2.0])
def test_volumes_that_trades_do_not_carry_are_held(size_x: float) -> None:
    with pytest.raises(HeldBars, match=r"volumes look (halved|doubled)"):
        screen(busy(size_x, size_x), HISTORY)


def test_half_the_volume_is_a_file_cut_short_unless_the_calendar_expects_it() -> None:
    with pytest.raises(HeldBars, match="cut short"):
        screen(busy(0.5, 1.0), HISTORY)
    assert len(screen(busy(0.5, 1.0), HISTORY, special=True).bars) == 2000


def test_the_session_before_once_more_is_held() -> None:
    again = bars(DAY, market(volume=1e6 * 1.001))
    with pytest.raises(HeldBars, match="100% of the rows equal those of 2026-11-19"):
        screen(again, HISTORY)


def test_prices_on_another_scale_are_held() -> None:
    cents = {"open": 1000.0, "high": 1040.0, "low": 980.0, "close": 1020.0}
    with pytest.raises(HeldBars, match=r"the typical price is 100\.00x the session before's"):
        screen(bars(DAY, market(**cents)), HISTORY)


def mirrored() -> pl.DataFrame:
    """HISTORY with its sessions after DAY, the nearest one nearest again."""
    days = HISTORY["session"].unique().sort()
    later = dict(zip(days, (d.date for d in reversed(sessions_after(DAY, len(days)))), strict=True))
    return HISTORY.with_columns(pl.col("session").replace_strict(later))


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (bars(DAY, market()[:100]), "100 rows; the sessions after had 2,000"),
        (bars(DAY, market(volume=1e6 * 1.001)), "100% of the rows equal those of 2026-11-23"),
        (
            bars(DAY, market(open=1e3, high=1040.0, low=980.0, close=1020.0)),
            r"the typical price is 100\.00x the session after's",
        ),
        (busy(0.1, 1.0), "looks cut short"),
        (busy(2.1, 1.0), r"2\.10x the days after's"),
    ],
)
def test_a_day_before_all_others_is_compared_with_those_after(today: Bars, said: str) -> None:
    with pytest.raises(HeldBars, match=said):
        screen(today, mirrored())
    assert len(screen(bars(DAY, market()), mirrored()).bars) == 2000


@pytest.mark.parametrize("price", [0.0, -1.0])
def test_a_few_impossible_prices_are_set_aside_and_named(price: float) -> None:
    today = market()
    today[3] = row("T0003", low=price)
    today[5] = row("T0005", low=price)

    screened = screen(bars(DAY, today), HISTORY)

    assert len(screened.bars) == 1998
    assert screened.notes == ("2 rows set aside: zero or negative price (T0003, T0005)",)


def test_many_impossible_prices_hold_the_day() -> None:
    today = market()
    today[:3] = [row(ticker, low=0.0) for ticker in TICKERS[:3]]

    with pytest.raises(HeldBars, match="3 of 2,000 rows cannot be true") as held:
        screen(bars(DAY, today), HISTORY)

    assert len(held.value.rows) == 2000


def test_a_garbage_ticker_is_set_aside_and_shown_shortened() -> None:
    screened = screen(bars(DAY, [*market(), row("<html>" + "x" * 100)]), HISTORY)

    assert len(screened.bars) == 2000
    (note,) = screened.notes
    assert note == f"1 row set aside: ticker is garbage (<html>{'x' * 18})"


def test_garbage_instead_of_tickers_holds_the_day() -> None:
    with pytest.raises(HeldBars, match="ticker is garbage"):
        screen(bars(DAY, [row(f"not a ticker {n}") for n in range(2000)]), HISTORY)


def test_a_ticker_with_one_impossible_row_is_out_altogether() -> None:
    screened = screen(bars(DAY, [*market(), row("T0001", low=-1.0)]), HISTORY)

    assert "T0001" not in screened.bars["ticker"].to_list()


def test_with_too_little_history_only_the_rows_themselves_are_checked() -> None:
    few = bars(DAY, market(volume=9e6)[:100])

    assert len(screen(few, ordinary(4)).bars) == 100
    assert len(screen(few, HISTORY.clear()).bars) == 100
    with pytest.raises(HeldBars, match="rows cannot be true"):
        screen(bars(DAY, [row("AAPL", low=0.0), row("MSFT")]), HISTORY.clear())
    with pytest.raises(HeldBars, match="the sessions before had"):
        screen(few, ordinary(5))


def test_a_source_without_counts_is_judged_by_volume_alone() -> None:
    uncounted = bars(DAY, market(transactions=None))

    assert len(screen(uncounted, HISTORY).bars) == 2000
    with pytest.raises(HeldBars, match="on a calm day"):
        screen(bars(DAY, market(transactions=None, volume=2e6)), HISTORY)


def test_names_without_history_say_nothing_about_volumes() -> None:
    new = bars(DAY, [row(f"NEW{n}", volume=9e9) for n in range(2000)])

    assert len(screen(new, HISTORY).bars) == 2000


def test_a_released_day_keeps_what_can_be_true_one_row_a_ticker() -> None:
    released = possible(bars(DAY, [*market(), *market(volume=0.0), row("T0001", low=-1.0),
                                   row("T0002", volume=2e6)]))  # fmt: skip

    assert released.bars["ticker"].to_list() == [t for t in TICKERS if t != "T0001"]
    assert released.bars.filter(pl.col("ticker") == "T0002")["volume"].to_list() == [2e6]
    assert released.notes == (
        "1 row set aside: zero or negative price (T0001)",
        "1 row set aside: ticker twice",
        "2,000 rows without a share traded left out",
    )


def test_the_same_rows_in_another_order_give_the_same_words() -> None:
    odd = [*market(), row("T0001", volume=5.0), row("BAD ONE")]

    assert screen(bars(DAY, odd), HISTORY).notes == screen(bars(DAY, odd[::-1]), HISTORY).notes
