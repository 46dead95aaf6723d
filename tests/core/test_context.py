"""core.context: prices of all venues beside off-exchange volume, and the share it has."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core.bars import Scope
from core.context import in_context

DAY = date(2026, 11, 20)


def row(ticker: str, volume: float, on: date = DAY, **more: float | None) -> dict[str, object]:
    prices = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5}
    return {"session": on, "ticker": ticker, "volume": volume, **prices, **more}


def test_off_exchange_bars_get_the_prices_of_all_venues_and_keep_their_volume() -> None:
    off = pl.DataFrame([row("A", 30, close=None), row("B", 5)])
    every = pl.DataFrame([row("A", 100, close=20.0), row("B", 10, close=21.0)])

    found = in_context(off, every, Scope.OFF_EXCHANGE)

    assert found["close"].to_list() == [20.0, 21.0]
    assert found["volume"].to_list() == [30, 5]
    assert found["share"].to_list() == [0.3, 0.5]


def test_bars_of_all_venues_keep_their_prices_and_learn_the_share() -> None:
    every = pl.DataFrame([row("A", 100, close=20.0), row("B", 10)])
    off = pl.DataFrame([row("A", 25, close=1.0)])

    found = in_context(every, off, Scope.ALL)

    assert found["close"].to_list() == [20.0, 10.5]
    assert found["share"].to_list() == [0.25, None]


def test_what_all_venues_do_not_know_has_no_price_and_no_share() -> None:
    off = pl.DataFrame([row("GHOST", 30)])

    found = in_context(off, pl.DataFrame([row("A", 100)]), Scope.OFF_EXCHANGE)

    assert found.select("close", "high", "share").row(0) == (None, None, None)


def test_a_share_above_one_is_a_mismatch_and_not_a_share() -> None:
    found = in_context(
        pl.DataFrame([row("A", 300)]), pl.DataFrame([row("A", 100)]), Scope.OFF_EXCHANGE
    )
    assert found["share"].to_list() == [None]


def test_only_the_same_session_is_joined() -> None:
    found = in_context(
        pl.DataFrame([row("A", 30), row("A", 40, DAY - timedelta(1))]),
        pl.DataFrame([row("A", 100, DAY - timedelta(1))]),
        Scope.OFF_EXCHANGE,
    )
    assert found["share"].to_list() == [None, 0.4]


def test_bars_of_all_venues_learn_how_many_trades_were_off_exchange() -> None:
    every, off = pl.DataFrame([row("A", 100)]), pl.DataFrame([row("A", 25, transactions=7)])

    assert in_context(every, off, Scope.ALL)["off_transactions"].to_list() == [7]
    uncounted = in_context(every, off.drop("transactions"), Scope.ALL)
    assert "off_transactions" not in uncounted.columns
    assert "off_transactions" not in in_context(off, every, Scope.OFF_EXCHANGE).columns


@given(st.floats(0.01, 1e9), st.floats(0.01, 1e9))
def test_both_scopes_tell_the_same_share(off: float, every: float) -> None:
    off_bars, all_bars = pl.DataFrame([row("A", off)]), pl.DataFrame([row("A", every)])

    one = in_context(off_bars, all_bars, Scope.OFF_EXCHANGE)["share"].item()

    assert one == in_context(all_bars, off_bars, Scope.ALL)["share"].item()
    assert (one is None) == (off / every > 1)
