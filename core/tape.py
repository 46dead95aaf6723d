"""A day's trades -> bars of both scopes: what was counted (core.tape_count) as a frame."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import BinaryIO

import polars as pl

from core.calendar import NEW_YORK, TradingDay
from core.conditions import Rules
from core.tape_bars import bars_of
from core.tape_sums import LIMITS, Counted, Facts, Limits, Session


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tape(Facts):
    """What a day's trades came to."""

    bars: pl.DataFrame
    """A row for each ticker and scope: the columns of core.tape_bars.TAPE."""


def session_of(day: TradingDay) -> Session:
    """What the count needs to know of a day."""
    return Session(
        str(day),
        _ns(datetime.combine(day.date, time(), NEW_YORK)),
        _ns(datetime.combine(day.date, time(9, 30), NEW_YORK)),
        _ns(day.close),
        _ns(datetime.combine(day.date + timedelta(days=1), time(), NEW_YORK)),
    )


def tape_of(counted: Counted) -> Tape:
    """The bars of what was counted, perhaps by another process."""
    bars = bars_of(counted.tickers, counted.sums, counted.prices)
    return Tape(bars=bars, **counted.facts())


def read_tape(
    stream: BinaryIO,
    day: TradingDay,
    rules: Rules,
    limits: Limits = LIMITS,
    told: Callable[[int], None] | None = None,
) -> Tape:
    """Count in this process: bars of `day` out of its gzipped trades.

    Raises BadBars, with a sentence, if the file cannot be what it should be; the stream's own
    errors pass through.
    """
    # Here, because it brings numba: 90 MB that a process has no use for if another one counts.
    from core.tape_count import count

    return tape_of(count(stream, session_of(day), rules, limits, told))


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9
