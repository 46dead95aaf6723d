"""A squeeze of five days put into real windows: is the name still seen on each of them?

The paths are GameStop's of January 2021: the close of each day against the one before, and volume
against the median of the 20 sessions before 13 January (daily bars, public). Volume is multiplied,
trades follow with the elasticity of the null panels, and every session before the judged one keeps
what was put into it. Each name is judged as if it alone had been changed.

Seen: among the digest's new lines, or in its list of repeats still elevated, and not below 35th by
score of the names in the gate. For the tutorial: z above 3, and not below 35th by its z.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from alerts.message import FOLDED_NAMES
from bench.detection_days import SEED, Days, loaded
from bench.detection_panels import ELASTICITY
from bench.detection_rules import TUTORIAL_Z, compared, digest, scored, tutorial_z
from bench.harness import Goal, lined_up
from core.calendar import TradingDay

JUDGED = 5
_RANK, _SHARE, _ENDS, _NAMES = 35, 0.9, 10, 4
_USD = (1e6, 1e8)


@dataclass(frozen=True, slots=True)
class Squeeze:
    """Sessions of a squeeze; the last five are judged."""

    name: str
    volume_x: tuple[float, ...]
    """Times the usual volume."""
    close_x: tuple[float, ...]
    """Times the close of the session before."""
    is_goal: bool = True


SQUEEZES = (
    Squeeze(
        "GME, 22 to 28 January",
        (24.0, 21.7, 21.8, 11.4, 7.2),
        (1.51, 1.18, 1.93, 2.35, 0.56),
    ),
    Squeeze(
        "the same, days from the 13th before",
        (17.6, 11.4, 5.7, 9.1, 4.1, 7.0, 24.0, 21.7, 21.8, 11.4, 7.2),
        (1.57, 1.27, 0.89, 1.11, 0.99, 1.10, 1.51, 1.18, 1.93, 2.35, 0.56),
        is_goal=False,
    ),
    Squeeze(
        "gentler, for comparison",
        (6.0, 3.0, 7.0, 10.0, 9.0),
        (1.57, 1.27, 1.18, 1.93, 2.35),
        is_goal=False,
    ),
)
_LONGEST = max(len(squeeze.volume_x) for squeeze in SQUEEZES)
_COLUMNS = ["squeeze", "ticker", "end", "day", "ours", "tutorial", "z", "tz", "rank", "trank"]
Chosen = dict[str, int]
"""Ticker -> place in SQUEEZES."""


def run(pool: Executor, folder: Path, found: pl.DataFrame) -> Iterator[Goal]:
    """Print the table; a goal for each squeeze that asks for one."""
    days = loaded(folder)
    tasks = [(end, day, chosen) for end, chosen in _chosen(days, found) for day in range(JUDGED)]
    seen = pl.concat(pool.map(partial(squeezed_day, folder), tasks))
    rows = [("seen in a squeeze", "names", *(f"day {n + 1}" for n in range(JUDGED)), "every day")]
    goals = []
    for place, squeeze in enumerate(SQUEEZES):
        mine = seen.filter(pl.col("squeeze") == place)
        for who, z, rank in (("ours", "z", "rank"), ("tutorial", "tz", "trank")):
            rows += _lines(f"{squeeze.name}: {who}", mine, who, z, rank)
        if squeeze.is_goal:
            _, every, names = _shares(mine, "ours")
            text = f"{squeeze.name}: seen on each of five days, at least .9 of names"
            goals.append(Goal(text, every >= _SHARE, f"{every:.2f} of {names}"))
    print(lined_up(rows))
    yield from goals


def _lines(title: str, mine: pl.DataFrame, who: str, z: str, rank: str) -> list[tuple[str, ...]]:
    """Share seen, share of high rank whatever the floor says, medians: by day, and on every day."""
    each, every, names = _shares(mine, who)
    high = mine.with_columns(high=pl.col(rank) <= _RANK)
    each_high, every_high, _ = _shares(high, "high")
    return [
        (title, str(names), *(f"{share:.2f}" for share in (*each, every))),
        (f"  rank {_RANK} at most", "", *(f"{share:.2f}" for share in (*each_high, every_high))),
        ("  median z, rank", "", *_medians(mine, z, rank), ""),
    ]


def _chosen(days: Days, found: pl.DataFrame) -> list[tuple[int, Chosen]]:
    """Last places of squeezes, and the names drawn for each out of the gate before it began."""
    rng = np.random.default_rng([SEED, 35])
    ends = np.sort(rng.choice(days.tested[_LONGEST:], _ENDS, replace=False))
    return [(int(end), _drawn(rng, days, found, int(end))) for end in ends]


def _drawn(rng: np.random.Generator, days: Days, found: pl.DataFrame, end: int) -> Chosen:
    before, last = days.sessions[end - _LONGEST], days.sessions[end]
    kept = days.bars.filter(pl.col("session").is_between(before, last, closed="right"))
    whole = kept.group_by("ticker").len().filter(pl.col("len") == _LONGEST)
    names = found.filter(
        pl.col("session") == before, "eligible", pl.col("adv").is_between(*_USD, closed="left")
    ).join(whole, on="ticker", how="semi")
    count = _NAMES * len(SQUEEZES)
    drawn = rng.choice(names["ticker"].sort().to_numpy(), count, replace=False)
    return {str(ticker): n % len(SQUEEZES) for n, ticker in enumerate(drawn)}


def squeezed_day(folder: Path, task: tuple[int, int, Chosen]) -> pl.DataFrame:
    """One of the five days: a row a chosen name with _COLUMNS."""
    end, day, chosen = task
    days, place = loaded(folder), end - JUDGED + 1 + day
    bars, sessions = days.window(place)
    bars = squeezed(bars, sessions, chosen, day)
    scores = scored(bars, sessions, days.splits)
    mine = bars.filter(pl.col("ticker").is_in(list(chosen)))
    theirs = tutorial_z(mine).filter(pl.col("session") == sessions[-1].date).drop("session")
    rest = days.theirs(place).filter(~pl.col("ticker").is_in(list(chosen)))
    found = compared(scores, pl.concat([rest, theirs]))
    rows = [
        (squeeze, ticker, end, day, *_seen(scores, found, ticker, chosen))
        for ticker, squeeze in chosen.items()
    ]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def squeezed(
    bars: pl.DataFrame, sessions: list[TradingDay], chosen: Chosen, day: int
) -> pl.DataFrame:
    """The window that ends with this day (0 to 4) of the squeezes, with what they did until it."""
    table = []
    for ticker, place in chosen.items():
        squeeze, price = SQUEEZES[place], 1.0
        until = len(squeeze.volume_x) - JUDGED + day + 1
        for n in range(until):
            price *= squeeze.close_x[n]
            session = sessions[n - until].date
            table.append((ticker, session, squeeze.volume_x[n], price))
    times = pl.DataFrame(table, schema=["ticker", "session", "volume_x", "price_x"], orient="row")
    volume, price_x = pl.col("volume_x").fill_null(1.0), pl.col("price_x").fill_null(1.0)
    trades = (pl.col("transactions") * volume**ELASTICITY).round().cast(pl.Int64)
    return (
        bars.join(times, on=["ticker", "session"], how="left", maintain_order="left")
        .with_columns(
            pl.col("volume") * volume,
            trades.alias("transactions"),
            *(pl.col(c) * price_x for c in ("open", "high", "low", "close")),
        )
        .drop("volume_x", "price_x")
    )


def _seen(
    scores: pl.DataFrame, found: pl.DataFrame, ticker: str, chosen: Chosen
) -> tuple[bool, bool, float, float, int, int]:
    """Seen, z and rank by us and by the tutorial, with the other chosen names out of the way."""
    others = [name for name in chosen if name != ticker]
    away = ~pl.col("ticker").is_in(others)
    said = digest(scores.filter(away))
    shown = any(a.ticker == ticker for a in (*said.pushed, *said.folded[:FOLDED_NAMES]))
    own = found.row(by_predicate=pl.col("ticker") == ticker, named=True)
    gate = found.filter(away, "eligible")
    rank, trank = (1 + int((gate[c] > own[c]).sum()) for c in ("score", "tz"))
    loud = own["eligible"] and own["tz"] > TUTORIAL_Z
    return shown and rank <= _RANK, loud and trank <= _RANK, own["z"], own["tz"], rank, trank


def _shares(mine: pl.DataFrame, who: str) -> tuple[list[float], float, int]:
    """Share of names seen on each day, on all of them, and how many names."""
    on = mine.group_by("day").agg(pl.col(who).mean()).sort("day")[who].to_list()
    always = mine.group_by("end", "ticker").agg(pl.col(who).all())[who]
    return on, float(always.mean()), len(always)  # type: ignore[arg-type]


def _medians(mine: pl.DataFrame, z: str, rank: str) -> tuple[str, ...]:
    """Each day's median z and rank."""
    by_day = mine.group_by("day").agg(pl.col(z, rank).median()).sort("day")
    return tuple(f"{value:.1f}, {place:.0f}" for _, value, place in by_day.rows())
