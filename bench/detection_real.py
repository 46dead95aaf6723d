"""Real days: labelled earnings reactions, alerts a day, repeats and rarity as realised.

Every session after the first 81, each from its own 82-session window. P@20 counts only names with
at least four labels, one session a label: the one that could react.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl

from bench import detection_budget, detection_missing, detection_splits, detection_squeeze
from bench.detection_days import (
    SEED,
    TOP,
    first_of_each,
    judged_day,
    labels,
    loaded,
    often_labelled,
)
from bench.detection_pool import processes
from bench.detection_rules import TUTORIAL_Z
from bench.harness import Goal, lined_up
from core.baseline import SCALE_SESSIONS
from core.calendar import EventDay, event_days, trading_day
from core.measure import REPEAT_SESSIONS

Row = np.ndarray[tuple[int], np.dtype[np.float64]]
_BLOCK, _RESAMPLES = 20, 2000
_RATIO, _LOWER, _REPEATS, _POOLED, _EACH = 1.6, 1.25, 0.10, 0.10, 0.15
_CLAIMS, _LONG_CLAIM, _LEAST_USD = (100, 300), 1000, 1e6
_NORMAL_CLAIM = 741
"""1 in so many of a normal variable is above 3: what the tutorial's threshold promises."""


def run(folder: Path) -> Iterator[Goal]:
    """Print the tables; the goals of real days, each after its table."""
    days = loaded(folder)
    with processes() as pool:
        found = pl.concat(pool.map(partial(judged_day, folder), days.tested))
        given, eligible = labels(folder), found.filter("eligible")
        yield from _precision(eligible, given)
        yield from detection_budget.run(found, given, days.sessions)
        yield from _alerts(eligible, _early_russell(pool, folder, eligible))
        yield from _rarity(found)
        yield from detection_missing.run(pool, folder, eligible)
        yield from detection_splits.run(pool, folder, found)
        yield from detection_squeeze.run(pool, folder, found)


def _precision(eligible: pl.DataFrame, labels: pl.DataFrame) -> Iterator[Goal]:
    """P@20 of both rules on the labelled names, with both halves of the data."""
    names = eligible.join(often_labelled(labels), on="ticker", how="semi").join(
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
    yield from _ratio_goals(folded, lines["tutorial by z"])


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
        first_of_each(names, column)
        .group_by("session", maintain_order=True)
        .agg(pl.col("hit").sum() / TOP)["hit"]
        .to_numpy()
    )


def _interval(ours: Row, theirs: Row) -> tuple[float, float]:
    """The ratio over resampled blocks of 20 sessions."""
    rng, starts = np.random.default_rng(SEED), np.arange(len(ours) - _BLOCK + 1)
    drawn = rng.choice(starts, (_RESAMPLES, -(-len(ours) // _BLOCK)))
    places = (drawn[:, :, None] + np.arange(_BLOCK)).reshape(_RESAMPLES, -1)[:, : len(ours)]
    low, high = np.quantile(ours[places].sum(1) / theirs[places].sum(1), [0.025, 0.975])
    return float(low), float(high)


def _early_russell(pool: Executor, folder: Path, eligible: pl.DataFrame) -> pl.DataFrame:
    """Eligible names of reconstitutions that have a scale's sessions before them, if no more."""
    days = loaded(folder)
    early = range(SCALE_SESSIONS, days.tested.start)
    of = [n for n in early if _RUSSELL in event_days(trading_day(days.sessions[n]))]
    found = [part.filter("eligible") for part in pool.map(partial(judged_day, folder), of)]
    return pl.concat([pl.DataFrame(schema=eligible.schema), *found])


def _alerts(eligible: pl.DataFrame, early_russell: pl.DataFrame) -> Iterator[Goal]:
    """Alerts a day, each kind of special session beside ordinary ones, repeats in the top 20.

    Goals are asked of expiries and half days; month ends and the like are printed beside them.
    """
    new = pl.col("alertable") & ~pl.col("continuing")
    counted = [
        part.group_by("session", maintain_order=True).agg(
            new=new.sum(),
            ours=pl.col("alertable").sum(),
            tutorial=(pl.col("tz") > TUTORIAL_Z).sum(),
        )
        for part in (eligible, early_russell)
    ]
    a_day, russell = counted
    kinds = [event_days(trading_day(day)) for day in a_day["session"]]
    groups = {kind: a_day.filter(pl.Series([kind in of for of in kinds])) for kind in _KINDS}
    groups[_RUSSELL] = pl.concat([groups[_RUSSELL], russell])
    ordinary = a_day.filter(pl.Series([not of for of in kinds]))
    head = ("alerts a day: median, most", "sessions", "ours, new", "with repeats", "tutorial")
    rows: list[tuple[str, ...]] = [head]
    for name, part in [("all", a_day), ("ordinary", ordinary), *groups.items()]:
        if len(part):
            numbers = (part[column].to_numpy() for column in ("new", "ours", "tutorial"))
            rows.append((name, str(len(part)), *(f"{np.median(n):g}, {n.max()}" for n in numbers)))
    print(lined_up(rows))
    for kind in _QUIET:
        yield from _no_louder(kind, groups[kind]["new"].to_numpy(), ordinary["new"].to_numpy())
    top = first_of_each(eligible.filter(new), "score")
    share = float(top.select((pl.col("repeats") > 0).fill_null(value=False).mean()).item())
    seen = f"{share:.1%}, tutorial {_their_repeats(eligible):.1%}"
    yield Goal("repeats in the top 20 at most 10 %", share <= _REPEATS, seen)


def _their_repeats(eligible: pl.DataFrame) -> float:
    """Share of the tutorial's top 20 that it had flagged in the five sessions before."""
    place = pl.col("session").rank("dense").cast(pl.Int64)
    flagged = (
        eligible.with_columns(place=place)
        .filter(pl.col("tz") > TUTORIAL_Z)
        .sort("ticker", "place")
        .with_columns(again=pl.col("place").diff().over("ticker") <= REPEAT_SESSIONS)
    )
    top = first_of_each(flagged, "tz")
    return float(top.select(pl.col("again").fill_null(value=False).mean()).item())


_KINDS: tuple[EventDay, ...] = get_args(EventDay)
_RUSSELL: EventDay = "Russell reconstitution"
_QUIET: tuple[EventDay, ...] = ("quad-witching", "monthly expiry", _RUSSELL, "half day")


def _no_louder(kind: str, counts: Row, ordinary: Row) -> Iterator[Goal]:
    """The median of new alerts on such sessions against that of ordinary ones.

    Few sessions say little: beside it, how often as many ordinary ones drawn at random are as loud.
    """
    if not len(counts):
        print(f"  no {kind} among these sessions: not measured")
        return
    median, usual = float(np.median(counts)), float(np.median(ordinary))
    drawn = np.random.default_rng(SEED).choice(ordinary, (_RESAMPLES, len(counts)))
    share = float((np.median(drawn, axis=1) >= median).mean())
    yield Goal(
        f"{kind}: new alerts no more than on ordinary sessions",
        median <= usual,
        f"median {median:g}, ordinary {usual:g}; {share:.0%} of draws of {len(counts)} reach it",
    )


def _rarity(found: pl.DataFrame) -> Iterator[Goal]:
    """How often a claim of 1 in K came true, over the names above $1M a day and by bucket."""
    said = found.filter(pl.col("adv") >= _LEAST_USD, pl.col("rarity").is_not_null())
    middle = said["session"].unique().sort()[said["session"].n_unique() // 2]
    early, buckets = pl.col("session") < middle, _by_bucket(said)
    halves = {"first half": said.filter(early), "second half": said.filter(~early)}
    pools = {"all": said, **halves, **buckets}
    claims = (*_CLAIMS, _LONG_CLAIM)
    real = {name: [_realised(part, claim) for claim in claims] for name, part in pools.items()}
    rows = [("claimed", *(f"1 in {claim:,}" for claim in claims))]
    rows += [(name, *(f"1 in {k:,.0f}" for k in values)) for name, values in real.items()]
    promised = len(said) / max(1, int((said["tz"] > TUTORIAL_Z).sum()))
    print(lined_up(rows))
    print(f"  tutorial: z > 3, 1 in {_NORMAL_CLAIM} of normal noise, came 1 in {promised:.0f}")
    for claim, k in zip(_CLAIMS, real["all"], strict=False):
        met = abs(k / claim - 1) <= _POOLED
        yield Goal(f"1 in {claim} within 10 %", met, f"1 in {k:.0f}")
    each = {name: real[name][0] for name in buckets}
    met = all(abs(k / _CLAIMS[0] - 1) <= _EACH for k in each.values())
    seen = ", ".join(f"{name} 1 in {k:.0f}" for name, k in each.items())
    yield Goal(f"1 in {_CLAIMS[0]} within 15 % in every bucket", met, seen)


def _by_bucket(said: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The buckets, cheapest first."""
    cheapest = said.group_by("bucket").agg(pl.col("adv").min()).sort("adv")
    return {name: said.filter(pl.col("bucket") == name) for name in cheapest["bucket"]}


def _realised(said: pl.DataFrame, claim: int) -> float:
    return len(said) / max(1, int((said["rarity"] >= claim).sum()))
