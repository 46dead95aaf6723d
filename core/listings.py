"""New listings: tickers that began to trade inside the window. Pure."""

from collections.abc import Sequence

import polars as pl

from core.calendar import TradingDay

NEW_SESSIONS = 20
"""So long a ticker has too few sessions for a baseline, and is listed as new instead of judged."""


def listings(
    bars: pl.DataFrame, sessions: Sequence[TradingDay], newest: int = NEW_SESSIONS
) -> pl.DataFrame:
    """The tickers whose first row is among the last `newest` of `sessions`; most traded first.

    Takes columns session, ticker, close, volume: stored rows, in any order. Columns: ticker; first,
    its first session; seen, sessions with a row so far; dollar_volume, USD in its newest one, null
    without a price. A ticker that merely did not trade for a long time looks the same. Empty while
    fewer than `newest` sessions before those are in `bars`: then nothing can be called new.
    """
    days = pl.Series("session", [day.date for day in sessions], pl.Date).sort()
    recent, before = days.tail(newest), days.head(max(0, len(days) - newest))
    known = bars.filter(pl.col("session").is_in(days.implode()))
    stored = known["session"].unique().is_in(before.implode()).sum()
    found = known.group_by("ticker").agg(
        first=pl.col("session").min(),
        seen=pl.col("session").n_unique(),
        dollar_volume=(pl.col("close") * pl.col("volume"))
        .filter(pl.col("session") == pl.col("session").max())
        .first(),
    )
    is_new = pl.col("first").is_in(recent.implode()) & (stored >= newest)
    return found.filter(is_new).sort(
        ["dollar_volume", "ticker"], descending=[True, False], nulls_last=True
    )
