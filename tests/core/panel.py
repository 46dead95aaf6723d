"""Bars of many tickers over many sessions, from a seed or by hand."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl

from core.bars import BARS, Scope
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, sessions_ending
from core.context import in_context
from core.measure import Known, Window, measure
from core.splits import Split
from tests.frames import day

SESSIONS = sessions_ending(day("2026-11-20"), LOOKBACK_SESSIONS)
LAST = len(SESSIONS) - 1

Rows = list[dict[str, Any]]


def bar(ticker: str, t: int, volume: float, close: float = 10.0, **values: Any) -> dict[str, Any]:
    """A bar of the t-th session."""
    prices = {"open": close, "high": close * 1.02, "low": close * 0.98, "close": close}
    counts = {"volume": volume, "transactions": max(1, int(volume / 200)), "vwap": None}
    return {"session": SESSIONS[t].date, "ticker": ticker, **prices, **counts, **values}


def noisy(ticker: str, volume: float, seed: str = "", times: Iterable[int] = range(82)) -> Rows:
    """A ticker that trades about `volume` a day at about 10 dollars."""
    draw = random.Random(ticker + seed)
    rows, close = [], 10.0
    for t in times:
        close *= 1 + draw.gauss(0, 0.01)
        traded = volume * 2.718281828 ** draw.gauss(0, 0.25)
        count = int(traded / 200 * 2.718281828 ** draw.gauss(0, 0.1))
        rows.append(bar(ticker, t, float(int(traded)), close, transactions=max(1, count)))
    return rows


def gappy(tickers: int, seed: int = 7) -> Rows:
    """Tickers of several buckets with gaps, late listings, missing counts and prices."""
    draw, rows = random.Random(seed), Rows()
    for n in range(tickers):
        usual = draw.choice([2e4, 3e5, 1e6, 1.2e6, 1.3e6, 2e7])
        missing = draw.choice([0.0, 0.0, 0.02, 0.1, 0.25])
        born = draw.choice([0, 0, 0, 0, 30, 58, 70])
        for made in noisy(f"T{n:03}", usual, str(seed), range(born, 82)):
            if draw.random() < missing:
                continue
            if draw.random() < 0.02:
                made["volume"] *= draw.choice([0.05, 5.0, 12.0])
            if draw.random() < 0.03:
                made["transactions"] = None
            if draw.random() < 0.01:
                made |= dict.fromkeys(("open", "high", "low", "close"))
            rows.append(made)
    return rows


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The rows as they would be read from a store."""
    return pl.DataFrame(list(rows), schema=BARS).sort("session", "ticker")


def off_exchange(rows: Sequence[dict[str, Any]], usual: float = 0.4) -> Rows:
    """What of these bars was off exchange: about `usual` of the volume, a share of their own."""
    found = Rows()
    for r in rows:
        draw = random.Random(f"off {r['ticker']} {r['session']}")
        share = 1 / (1 + (1 / usual - 1) * 2.718281828 ** draw.gauss(0, 0.3))
        counted = r["transactions"]
        part: dict[str, Any] = {"volume": float(int(r["volume"] * share))}
        part["transactions"] = None if counted is None else int(counted * share)
        found.append({**r, **part})
    return found


def in_both(
    rows: Sequence[dict[str, Any]],
    off: Sequence[dict[str, Any]],
    scope: Scope,
    splits: Sequence[Split] = (),
) -> pl.DataFrame:
    """core.measure.measure of one scope's bars in context with the other's."""
    own, other = (rows, off) if scope is Scope.ALL else (off, rows)
    bars = in_context(frame(own), frame(other), scope)
    return measure(Window.of(bars, SESSIONS, scope), SESSIONS, Known(tuple(splits)))


def measured(
    bars: pl.DataFrame, days: Sequence[TradingDay] = SESSIONS, splits: Sequence[Split] = ()
) -> pl.DataFrame:
    """core.measure.measure of bars with every column."""
    return measure(Window.of(bars, days), days, Known(tuple(splits)))


def changed(rows: Rows, ticker: str, t: int, change: Callable[[dict[str, Any]], Any]) -> Rows:
    """The same rows with one bar changed in place of the old one."""
    when = SESSIONS[t].date
    return [
        {**r, **change(r)} if r["ticker"] == ticker and r["session"] == when else r for r in rows
    ]
