"""Small bars for tests: made by hand, checked like any other."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from core.bars import Bars, check
from core.calendar import TradingDay, sessions_ending, trading_day


def row(ticker: str, **values: Any) -> dict[str, Any]:
    """One plausible bar; name what should differ."""
    plain = {"open": 10.0, "high": 10.4, "low": 9.8, "close": 10.2}
    return {"ticker": ticker, **plain, "volume": 1_000_000.0, "transactions": 5_000, **values}


def bars(day: TradingDay, rows: Sequence[dict[str, Any]]) -> Bars:
    """Checked bars of one session."""
    return check(pl.DataFrame(list(rows), infer_schema_length=None), day)


def day(text: str) -> TradingDay:
    """The session of an ISO date."""
    return trading_day(date.fromisoformat(text))


def days_before(last: TradingDay, count: int) -> list[TradingDay]:
    """`count` sessions before `last`, oldest first."""
    return sessions_ending(last, count + 1)[:-1]
