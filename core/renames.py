"""Renames: bars and splits of several sessions under the tickers of one day. Pure.

A ticker is a place that instruments move through: a rename frees the old one, which another may
take later, and ends whatever had the new one before.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

import polars as pl

from core.splits import Split

_SPAN = {"ticker": pl.String, "since": pl.Date, "until": pl.Date, "now": pl.String}


@dataclass(frozen=True, order=True, slots=True)
class Rename:
    """What was `old` to the end of the session before trades as `new` from the open of `on`."""

    on: date
    old: str
    new: str


def follow(bars: pl.DataFrame, renames: Iterable[Rename], as_of: date) -> pl.DataFrame:
    """Bars of several sessions under the tickers of `as_of`, in the order they came in.

    Takes columns session, ticker, one row each; other columns pass unchanged. Rows of `old` before
    `on` become rows of `new`; rows of `new` before `on` are left out, for the ticker was somebody
    else's then. Renames after `as_of` are ignored, and so are those that contradict another: two
    tickers that became the same one on one day, or one that became two.
    """
    places = _Places(renames, as_of)
    spans = pl.DataFrame(list(places.spans()), schema=_SPAN, orient="row")
    if spans.is_empty():
        return bars
    at, on_row = pl.col("session"), ["session", "ticker"]
    moved = (
        bars.select(on_row)
        .join(spans, on="ticker")
        .filter(at >= pl.col("since"), at < pl.col("until"))
        .select(*on_row, "now", touched=True)
        .unique()
    )
    if moved.is_empty():
        return bars
    return (
        bars.join(moved, on=on_row, how="left", maintain_order="left")
        .filter(pl.col("touched").is_null() | pl.col("now").is_not_null())
        .with_columns(pl.coalesce("now", "ticker").alias("ticker"))
        .drop("now", "touched")
    )


def follow_splits(splits: Iterable[Split], renames: Iterable[Rename], as_of: date) -> list[Split]:
    """The splits under the tickers of `as_of`, as `follow` has the bars; each one once.

    A split on the day of a rename is the renamed instrument's under either ticker.
    """
    places = _Places(renames, as_of)
    found = set[Split]()
    for split in splits:
        day = split.execution_date
        eve = day - timedelta(days=1) if places.leaves(split.ticker, day) else day
        now = places.now(split.ticker, eve)
        if now is not None:
            found.add(replace(split, ticker=now))
    return sorted(found)


def known_as(ticker: str, renames: Iterable[Rename]) -> set[str]:
    """The ticker, and every one whose rows `follow` may give to it."""
    names, known = {ticker}, list(renames)
    while older := {r.old for r in known if r.new in names} - names:
        names |= older
    return names


def concerning(ticker: str, renames: Iterable[Rename]) -> list[Rename]:
    """All that `follow` and `follow_splits` have to know of for what the ticker is, or was.

    Whatever shares a name with one of them is among them, and so is what contradicts one.
    """
    names, known = {ticker}, list(renames)
    while (
        more := {name for r in known if r.old in names or r.new in names for name in (r.old, r.new)}
        - names
    ):
        names |= more
    return [r for r in known if r.old in names]


class _Places:
    """Every ticker with the days on which an instrument left it or came to it."""

    def __init__(self, renames: Iterable[Rename], as_of: date) -> None:
        known = {r for r in renames if r.on <= as_of and r.old != r.new}
        leaving = Counter((r.old, r.on) for r in known)
        coming = Counter((r.new, r.on) for r in known)
        self._next = {
            (r.old, r.on): r.new
            for r in known
            if leaving[r.old, r.on] == 1 and coming[r.new, r.on] == 1
        }
        changes = defaultdict[str, set[date]](set)
        for (old, on), new in self._next.items():
            changes[old].add(on)
            changes[new].add(on)
        self._changes = {ticker: sorted(days) for ticker, days in changes.items()}

    def leaves(self, ticker: str, on: date) -> bool:
        """Was it renamed to another on this day?"""
        return (ticker, on) in self._next

    def now(self, ticker: str, day: date) -> str | None:
        """What the instrument that had `ticker` on `day` is called since; None if not known."""
        while later := self._later(ticker, day):
            day = later[0]
            if (ticker, day) not in self._next:
                return None
            ticker = self._next[ticker, day]
        return ticker

    def spans(self) -> Iterator[tuple[str, date, date, str | None]]:
        """Ticker, since, until (excluded), and its ticker now, where that is another or none."""
        for ticker, days in self._changes.items():
            edges = [date.min, *days, date.max]
            for since, until in pairwise(edges):
                now = self.now(ticker, since)
                if now != ticker:
                    yield ticker, since, until, now

    def _later(self, ticker: str, day: date) -> list[date]:
        days = self._changes.get(ticker, [])
        return days[bisect_right(days, day) :]
