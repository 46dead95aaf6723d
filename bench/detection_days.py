"""The labelled real days for bench.detection: read once by each process, judged one by one."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

from bench.detection_rules import compared, scored, tutorial_z
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import TradingDay, trading_day
from core.gate import possible
from core.sources.day_aggs import parse
from core.splits import Split

LABELS = "labels/earnings.csv"
SEED = 20261122
TOP = 20
_DAYS = "us_stocks_sip/day_aggs_v1/*/*/*.csv.gz"


@dataclass(frozen=True, slots=True)
class Days:
    """Sessions, oldest first, their bars, the tutorial's z of every row, and the splits."""

    sessions: list[date]
    bars: pl.DataFrame
    tutorial: pl.DataFrame
    splits: list[Split]

    @property
    def tested(self) -> range:
        """The places of the sessions that have a whole window."""
        return range(LOOKBACK_SESSIONS - 1, len(self.sessions))

    def window(self, place: int) -> tuple[pl.DataFrame, list[TradingDay]]:
        """The bars and the sessions of the window that ends at this place, or what there is."""
        dates = self.sessions[max(0, place - LOOKBACK_SESSIONS + 1) : place + 1]
        rows = self.bars.filter(pl.col("session").is_between(dates[0], dates[-1]))
        return rows, [trading_day(day) for day in dates]

    def theirs(self, place: int) -> pl.DataFrame:
        """The tutorial's z of the session at this place: ticker, tz."""
        return self.tutorial.filter(pl.col("session") == self.sessions[place]).drop("session")


@cache
def loaded(folder: Path) -> Days:
    """All bars that can be true, with what goes with them."""
    frames = []
    for path in sorted(folder.glob(_DAYS)):
        day = trading_day(date.fromisoformat(path.name.removesuffix(".csv.gz")))
        frames.append(possible(parse(path.read_bytes(), day)).bars)
    bars = pl.concat(frames)
    table = pl.read_csv(folder / "splits.csv", try_parse_dates=True)
    splits = [Split(*row) for row in table.iter_rows()]
    return Days(bars["session"].unique().sort().to_list(), bars, tutorial_z(bars), splits)


def judged_day(folder: Path, place: int) -> pl.DataFrame:
    """Every name of the session at this place, out of the window that ends with it."""
    days = loaded(folder)
    bars, sessions = days.window(place)
    return compared(scored(bars, sessions, days.splits), days.theirs(place))


def labels(folder: Path) -> pl.DataFrame:
    """The sessions that could react to earnings: ticker, session."""
    kinds = [pl.String, pl.Date]
    return pl.read_csv(
        folder / LABELS, new_columns=["ticker", "session"], schema_overrides=kinds
    ).unique(maintain_order=True)


def often_labelled(labels: pl.DataFrame, least: int = 4) -> pl.DataFrame:
    """Tickers with so many labels: elsewhere a missing label says nothing."""
    return labels.group_by("ticker").len().filter(pl.col("len") >= least).select("ticker")


def first_of_each(names: pl.DataFrame, column: str) -> pl.DataFrame:
    """The highest 20 of each session by a column, sessions oldest first."""
    return (
        names.sort(["session", column, "ticker"], descending=[False, True, False], nulls_last=True)
        .group_by("session", maintain_order=True)
        .head(TOP)
    )
