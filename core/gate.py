"""Is a day's file plausible? Rows that cannot be true, a wrong row count, doubled volumes. Pure.

A few impossible rows are set aside and counted; more of them, or a day that does not look like the
last 20 sessions, and the whole day is held: kept aside, reported, asked for again, never judged.
"""

import math
from dataclasses import dataclass
from datetime import date

import polars as pl

from core.bars import Bars, Scope, bad_rows
from core.context import in_context
from core.errors import HeldBars

HISTORY_SESSIONS = 20
HISTORY_COLUMNS = ["session", "ticker", "high", "low", "close", "volume", "transactions"]

_MIN_HISTORY = 5
_MAX_ASIDE_SHARE = 0.001
# Measured on 281 sessions of 2015-16, a crash and every kind of special day included: rows at 0.98
# to 1.01 of usual; the typical name at 0.40 to 1.89 times its usual volume, in trades 0.89 to 1.12
# times their usual size; against the five sessions before, ordinary days at 0.72 to 1.51 (the crash
# at 2.0, with price ranges 2.4 times as wide); 0.1 % of rows equal to the day before's; typical
# moves up to 4 %.
_ROWS_LOW, _ROWS_HIGH = 0.85, 1.25
_VOLUME_LOW, _VOLUME_HALVED, _VOLUME_DOUBLED = 0.15, 0.55, 1.95
_RECENT_DOUBLED, _RECENT_LEAST, _RECENT_SESSIONS = 1.8, 1.3, 5
_SIZE_HALVED, _SIZE_DOUBLED = 0.65, 1.6
_SPECIAL = 1.65
_CALM_RANGE = 1.5
_SAME_SHARE, _SAME_LEAST_ROWS = 0.20, 20
_MOVE_LN = 0.25


@dataclass(frozen=True, slots=True)
class Screened:
    """Bars worth judging, and in words what was set aside on the way."""

    bars: Bars
    notes: tuple[str, ...]


class Unusual(HeldBars):
    """Rows or volumes unlike those sessions': those on the other side may tell otherwise."""


def screen(
    bars: Bars,
    history: pl.DataFrame,
    *,
    special: bool = False,
    market: pl.DataFrame | None = None,
) -> Screened:
    """Bars past the gate; raises HeldBars, carrying the rows, if the day cannot be trusted; Unusual
    if that is so by these sessions alone.

    `history` has HISTORY_COLUMNS of up to 20 sessions before, or after where the past comes in
    newest first; with fewer than 5 of them only the rows themselves are checked. `special`: the
    calendar expects another volume than usual (expiry, index reconstitution, half day). `market`:
    the day's bars of all venues, for the price ranges of off-exchange bars that have none of their
    own; `history` then has them in it.
    """
    kept, notes, impossible, traded = _sorted_out(bars)
    if impossible > _MAX_ASIDE_SHARE * traded:
        counted = f"{impossible:,} of {traded:,} rows cannot be true"
        raise HeldBars(f"{counted}: {'; '.join(notes)}", bars)
    if kept.is_empty():
        raise HeldBars("no row in which a share was traded", bars)
    if is_enough(history):
        seen = kept if market is None else in_context(kept, market, Scope.OFF_EXCHANGE)
        if fault := _day_before(seen, history):
            raise HeldBars(fault, bars)
        times = _times(seen, history)
        if fault := _row_count(seen, history) or _volumes(times, special=special):
            raise Unusual(fault, bars)
    return Screened(kept, tuple(notes))


def is_enough(history: pl.DataFrame) -> bool:
    """Can a day be compared with these sessions?"""
    return history["session"].n_unique() >= _MIN_HISTORY


def possible(bars: Bars) -> Screened:
    """The rows that can be true, one a ticker, however many are left out: for a released day."""
    kept, notes, _, _ = _sorted_out(bars)
    return Screened(kept, tuple(notes))


def _sorted_out(bars: Bars) -> tuple[Bars, list[str], int, int]:
    """What can be true, what was left out in words, how many rows cannot be, of how many traded."""
    traded = Bars(bars.filter((pl.col("volume") != 0) | pl.col("volume").is_null()))
    wrong = bad_rows(traded)
    good = traded.join(wrong.select("ticker").unique(), on="ticker", how="anti")
    # The larger volume is the later, fuller copy.
    single = good.sort("ticker", "volume", maintain_order=True).unique(
        "ticker", keep="last", maintain_order=True
    )
    repeated = len(good) - len(single)
    faults = wrong["fault"].value_counts().sort("count", "fault", descending=[True, False])
    notes = [
        f"{count:,} {'row' if count == 1 else 'rows'} set aside: {fault}{_named(wrong, fault)}"
        for fault, count in [*faults.rows(), ("ticker twice", repeated)]
        if count
    ]
    if idle := len(bars) - len(traded):
        notes.append(f"{idle:,} rows without a share traded left out")
    return Bars(single), notes, len(wrong) + repeated, len(traded)


def _named(wrong: pl.DataFrame, fault: str) -> str:
    tickers = wrong.filter(pl.col("fault") == fault)["ticker"].head(3).to_list()
    return f" ({', '.join(t[:24] for t in tickers)})" if tickers else ""


def _row_count(bars: pl.DataFrame, history: pl.DataFrame) -> str | None:
    usual = history.group_by("session").len().select(pl.col("len").median()).item()
    if _ROWS_LOW <= len(bars) / usual <= _ROWS_HIGH:
        return None
    return f"{len(bars):,} rows; the sessions {_side(bars, history)} had {usual:,.0f}"


def _side(bars: pl.DataFrame, history: pl.DataFrame) -> str:
    return "before" if bars["session"][0] > history["session"][0] else "after"


def _nearest(history: pl.DataFrame, day: date, count: int) -> pl.DataFrame:
    """The rows of the sessions nearest to a day, on whichever side they are."""
    known = history["session"].unique().sort()
    nearest = known.tail(count) if known[-1] < day else known.head(count)
    return history.filter(pl.col("session").is_in(nearest.implode()))


def _day_before(bars: pl.DataFrame, history: pl.DataFrame) -> str | None:
    """Is this the nearest session once more, or on another price scale?"""
    before = _nearest(history, bars["session"][0], 1)
    both = bars.join(before, on="ticker", suffix="_before")
    if len(both) < _SAME_LEAST_ROWS:
        return None
    same = (pl.col("close") == pl.col("close_before")) & (
        pl.col("volume") == pl.col("volume_before")
    )
    move = (pl.col("close") / pl.col("close_before")).log()
    share, typical = both.select(same.mean().alias("share"), move.median().alias("move")).row(0)
    if share > _SAME_SHARE:
        return f"{share:.0%} of the rows equal those of {before['session'][0]}: the same file again"
    if typical is not None and abs(typical) > _MOVE_LN:
        side = _side(bars, history)
        return f"the typical price is {math.exp(typical):.2f}x the session {side}'s: another scale"
    return None


@dataclass(frozen=True, slots=True)
class _Times:
    """The typical name's volume, trade size and price range, as multiples of its own usual."""

    volume: float
    recent: float
    """`volume` as a multiple of what it was in the nearest sessions."""
    size: float | None
    spread: float
    side: str
    """Are those sessions before, or after?"""


def _times(bars: pl.DataFrame, history: pl.DataFrame) -> _Times | None:
    size, spread = pl.col("volume") / pl.col("transactions"), pl.col("high") / pl.col("low")
    measures = {"volume": pl.col("volume"), "size": size, "spread": spread.log()}
    traded = history.filter(pl.col("volume") > 0)
    usual = (
        traded.group_by("ticker")
        .agg(pl.len(), *(m.median().alias(f"usual_{n}") for n, m in measures.items()))
        .filter(pl.col("len") >= _MIN_HISTORY)
    )
    today = bars.join(usual, on="ticker").select(
        (measure / pl.col(f"usual_{name}")).fill_nan(None).median().alias(name)
        for name, measure in measures.items()
    )
    lately = (
        _nearest(traded, bars["session"][0], _RECENT_SESSIONS)
        .join(usual.select("ticker", "usual_volume"), on="ticker")
        .group_by("session")
        .agg((pl.col("volume") / pl.col("usual_volume")).median().alias("level"))
        .select(pl.col("level").median())
        .item()
    )
    found = today.row(0, named=True)
    if found["volume"] is None or found["spread"] is None or not lately:
        return None
    side = _side(bars, history)
    return _Times(found["volume"], found["volume"] / lately, found["size"], found["spread"], side)


def _volumes(times: _Times | None, *, special: bool) -> str | None:
    """Cut short, halved or doubled?"""
    if times is None:
        return None
    said = f"the typical name traded {times.volume:.2f}x its usual volume"
    if times.volume < _VOLUME_LOW or (times.volume < _VOLUME_HALVED and not special):
        return f"{said}: the file looks cut short"
    if times.size is not None and not _SIZE_HALVED < times.size < _SIZE_DOUBLED:
        factor = "halved" if times.size < 1 else "doubled"
        return f"{said} in trades {times.size:.2f}x their usual size: volumes look {factor}"
    slack = _SPECIAL if special else 1.0
    jumped = times.recent >= _RECENT_DOUBLED * slack and times.volume >= _RECENT_LEAST * slack
    if (jumped or times.volume >= _VOLUME_DOUBLED * slack) and times.spread < _CALM_RANGE:
        calm = f"on a calm day (price ranges {times.spread:.2f}x usual)"
        return f"{said}, {times.recent:.2f}x the days {times.side}'s, {calm}: volumes look doubled"
    return None
