"""Real days: labelled earnings reactions, alerts a day, repeats and rarity as realised.

Every second session after the first 82, each from its own 82-session window. Precision counts only
names with at least four labels, one session a label: the one that could react.
"""

from datetime import date
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl

from bench.detection_pool import processes
from bench.detection_rules import TUTORIAL_Z, judged, tutorial_z
from bench.harness import Goal, lined_up
from core.baseline import LOOKBACK_SESSIONS
from core.calendar import is_special, trading_day
from core.gate import possible
from core.sources.day_aggs import parse
from core.splits import Split

Row = np.ndarray[tuple[int], np.dtype[np.float64]]
LABELS = "labels/earnings.csv"
_DAYS, _STEP, _TOP, _LABELLED = "us_stocks_sip/day_aggs_v1/*/*/*.csv.gz", 2, 20, 4
_SEED, _BLOCK, _RESAMPLES = 20261122, 20 // _STEP, 2000
_RATIO, _LOWER, _REPEATS, _POOLED = 1.6, 1.25, 0.10, 0.10
_CLAIMS = (100, 300)


def run(folder: Path) -> list[Goal]:
    """Print the tables; the goals of real days."""
    count = len(_loaded(folder)[0])
    with processes() as pool:
        tested = range(LOOKBACK_SESSIONS - 1, count, _STEP)
        found = pl.concat(pool.map(partial(_judged_day, folder), tested))
    labels = pl.read_csv(
        folder / LABELS, new_columns=["ticker", "session"], schema_overrides=[pl.String, pl.Date]
    )
    eligible = found.filter(pl.col("eligible"))
    return [*_precision(eligible, labels), *_alerts(eligible), *_rarity(found)]


def read(folder: Path) -> tuple[pl.DataFrame, list[Split]]:
    """All bars that can be true, and the splits."""
    frames = []
    for path in sorted(folder.glob(_DAYS)):
        day = trading_day(date.fromisoformat(path.name.removesuffix(".csv.gz")))
        frames.append(possible(parse(path.read_bytes(), day)).bars)
    table = pl.read_csv(folder / "splits.csv", try_parse_dates=True)
    return pl.concat(frames), [Split(*row) for row in table.iter_rows()]


@cache
def _loaded(folder: Path) -> tuple[list[date], pl.DataFrame, pl.DataFrame, list[Split]]:
    """Sessions, bars, the tutorial's z and splits: read once by each process."""
    bars, splits = read(folder)
    return bars["session"].unique().sort().to_list(), bars, tutorial_z(bars), splits


def _judged_day(folder: Path, place: int) -> pl.DataFrame:
    """The session at this place, out of the window that ends with it."""
    days, bars, tutorial, splits = _loaded(folder)
    window = days[place - LOOKBACK_SESSIONS + 1 : place + 1]
    rows = bars.filter(pl.col("session").is_between(window[0], window[-1]))
    theirs = tutorial.filter(pl.col("session") == window[-1]).drop("session")
    found = judged(rows, [trading_day(day) for day in window], splits, theirs)
    return found.with_columns(session=pl.lit(window[-1]))


def _precision(eligible: pl.DataFrame, labels: pl.DataFrame) -> list[Goal]:
    """P@20 of both rules on the labelled names, with both halves of the data."""
    often = labels.group_by("ticker").len().filter(pl.col("len") >= _LABELLED)
    names = eligible.join(often, on="ticker", how="semi").join(
        labels.with_columns(hit=pl.lit(1.0)), on=["ticker", "session"], how="left"
    )
    names = names.with_columns(pl.col("hit").fill_null(0.0))
    folded = _hits(names.filter(~pl.col("continuing")), "score")
    lines = {
        "ours, repeats folded": folded,
        "ours, unfolded": _hits(names, "score"),
        "ours, z alone": _hits(names, "z"),
        "tutorial by z": _hits(names, "tz"),
    }
    rows: list[tuple[str, ...]] = [("P@20, earnings reactions", "all", "first half", "second half")]
    half = len(folded) // 2
    for name, hits in lines.items():
        means = (hits.mean(), hits[:half].mean(), hits[half:].mean())
        rows.append((name, *(f"{mean:.3f}" for mean in means)))
    base = float(names.select(pl.col("hit").mean()).item())
    print(lined_up(rows))
    print(f"  {len(folded)} sessions, {len(names) / len(folded):,.0f} names, base rate {base:.2%}")
    return _ratio_goals(folded, lines["tutorial by z"])


def _ratio_goals(ours: Row, theirs: Row) -> list[Goal]:
    ratio, half = float(ours.sum() / theirs.sum()), len(ours) // 2
    halves = [ours[:half].sum() / theirs[:half].sum(), ours[half:].sum() / theirs[half:].sum()]
    low, high = _interval(ours, theirs)
    seen = f"{ratio:.2f}x, halves {halves[0]:.2f}x and {halves[1]:.2f}x"
    return [
        Goal("P@20 at least 1.6x the tutorial's", ratio >= _RATIO, seen),
        Goal("its 95 % interval above 1.25x", low > _LOWER, f"{low:.2f} to {high:.2f}"),
    ]


def _hits(names: pl.DataFrame, column: str) -> Row:
    """Share of labelled names in the top 20 of each session, oldest first."""
    return (
        names.sort(["session", column, "ticker"], descending=[False, True, False])
        .group_by("session", maintain_order=True)
        .agg(pl.col("hit").head(_TOP).sum() / _TOP)["hit"]
        .to_numpy()
    )


def _interval(ours: Row, theirs: Row) -> tuple[float, float]:
    """The ratio over resampled blocks of 20 sessions."""
    rng, starts = np.random.default_rng(_SEED), np.arange(len(ours) - _BLOCK + 1)
    drawn = rng.choice(starts, (_RESAMPLES, -(-len(ours) // _BLOCK)))
    places = (drawn[:, :, None] + np.arange(_BLOCK)).reshape(_RESAMPLES, -1)[:, : len(ours)]
    low, high = np.quantile(ours[places].sum(1) / theirs[places].sum(1), [0.025, 0.975])
    return float(low), float(high)


def _alerts(eligible: pl.DataFrame) -> list[Goal]:
    """Alerts a day, special days beside ordinary ones, repeats in the top 20."""
    new = pl.col("alertable") & ~pl.col("continuing")
    a_day = eligible.group_by("session", maintain_order=True).agg(
        ours=pl.col("alertable").sum(), new=new.sum(), tutorial=(pl.col("tz") > TUTORIAL_Z).sum()
    )
    special = [is_special(trading_day(day)) for day in a_day["session"]]
    rows: list[tuple[str, ...]] = [
        ("alerts a day", "median", "max", "median, expiry and half days")
    ]
    for name in ("ours", "new", "tutorial"):
        counts = a_day[name].to_numpy()
        numbers = (np.median(counts), counts.max(), np.median(counts[special]))
        rows.append((name, *(f"{number:.0f}" for number in numbers)))
    print(lined_up(rows))
    top = (
        eligible.filter(new)
        .sort(["session", "score", "ticker"], descending=[False, True, False])
        .group_by("session", maintain_order=True)
        .head(_TOP)
    )
    share = float(top.select((pl.col("repeats") > 0).fill_null(value=False).mean()).item())
    return [Goal("repeats in the top 20 at most 10 %", share <= _REPEATS, f"{share:.1%}")]


def _rarity(found: pl.DataFrame) -> list[Goal]:
    """How often a claim of 1 in K came true, over the names above $1M a day."""
    said = found.filter(pl.col("adv") >= 1e6)["rarity"].drop_nulls()
    goals = []
    for claim in _CLAIMS:
        realised = len(said) / max(1, int((said >= claim).sum()))
        met = abs(realised / claim - 1) <= _POOLED
        goals.append(Goal(f"1 in {claim} within 10 %", met, f"1 in {realised:.0f}"))
    return goals
