"""Panels with nothing in them, and with spikes put into them: false alerts, recall, masking."""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import polars as pl

from bench.detection_panels import (
    HALF_DAY,
    QUARTERLY,
    RECALL_BUCKETS,
    RUSSELL,
    SESSIONS,
    TICKER_NAMES,
    Panel,
    Places,
    chosen,
    null_panel,
)
from bench.detection_rules import RULE, TUTORIAL_ROWS, TUTORIAL_Z, judged, tutorial_z
from bench.harness import Goal, lined_up

SEEDS = range(20261122, 20261142)
_SPIKED = range(20261122, 20261182)
# Of each size, so 1 % in all: on days of the first half .75 % of names reach z 4 and 2 % reach 3.
# More of them would widen the session's own spread and be measured against themselves.
_SHARE, _MASKED_Z = 0.005, 3.5
_FALSE, _FALSE_T5, _SPECIAL_RATIO, _MATCHED_RATIO = 1.0, 10.0, 1.5, 2.2
_RECALL = {"x5": (0.28, 0.48, 0.70), "x10": (0.72, 0.88, 0.96)}
_MASKED = {"1 session": 0.75, "5 sessions": 0.65}
_RECALL_USD = [1e7, 1e8]
_SPECIAL = {"quarterly expiry": QUARTERLY, "Russell day": RUSSELL, "half day": HALF_DAY}
_NOISE = {"Gaussian": False, "t5": True}
_NULLS = [f"{noise}{day}" for noise in _NOISE for day in ("", *(f", {day}" for day in _SPECIAL))]
Task = tuple[str, int]


def run(pool: Executor) -> list[Goal]:
    """Print the tables; the goals of false alerts, injection and masking."""
    kinds = (*_NULLS, "spikes", "masked")
    tasks = [(kind, seed) for kind in kinds for seed in (SEEDS if kind in _NULLS else _SPIKED)]
    done = dict(zip(tasks, pool.map(judged_panel, tasks), strict=True))
    by = {kind: pl.concat([done[task] for task in tasks if task[0] == kind]) for kind in kinds}
    return [*_false_alerts(by), *_recall(by["Gaussian"], by["spikes"]), *_masking(by["masked"])]


def judged_panel(task: Task) -> pl.DataFrame:
    """The eligible names of one panel, `what` was done to them, both rules' numbers."""
    kind, seed = task
    panel, groups = _made(
        kind, null_panel(seed, heavy=_NOISE.get(kind.split(", ")[0], False)), seed
    )
    bars = panel.bars()
    recent = bars.filter(pl.col("session") >= SESSIONS[-1 - TUTORIAL_ROWS].date)
    tutorial = tutorial_z(recent).filter(pl.col("session") == SESSIONS[-1].date).drop("session")
    what = {TICKER_NAMES[n]: name for name, places in groups.items() for n in places}
    found = judged(bars, SESSIONS, [], tutorial).with_columns(
        what=pl.col("ticker").replace_strict(what, default="", return_dtype=pl.String)
    )
    return found.filter(pl.col("eligible")).with_columns(seed=pl.lit(seed))


def _made(kind: str, panel: Panel, seed: int) -> tuple[Panel, dict[str, Places]]:
    """The panel of a kind, and which names were given what."""
    for day, special in _SPECIAL.items():
        if kind.endswith(day):
            return panel.special(special, seed), {}
    first, second = chosen(seed, _SHARE, 2)
    if kind == "spikes":
        return panel.louder(first, 5.0).louder(second, 10.0), {"x5": first, "x10": second}
    if kind == "masked":
        earlier = panel.louder(first, 5.0, -2).louder(second, 5.0, -6)
        both = earlier.louder(first, 10.0).louder(second, 10.0)
        return both, {"1 session": first, "5 sessions": second}
    return panel, {}


def _false_alerts(by: dict[str, pl.DataFrame]) -> list[Goal]:
    rows = [("a day with nothing in it", "eligible", "ours", "tutorial", "x ours")]
    ours = {}
    for kind in _NULLS:
        a_day, theirs = _a_day(by[kind], "z", RULE.min_z), _a_day(by[kind], "tz", TUTORIAL_Z)
        eligible = f"{len(by[kind]) / len(SEEDS):,.0f}"
        times = f"{theirs / a_day:,.0f}" if a_day else "-"
        rows.append((kind, eligible, f"{a_day:.2f}", f"{theirs:,.0f}", times))
        ours[kind] = a_day
    print(lined_up(rows))
    return [
        Goal(
            "Gaussian null: at most 1 a day", ours["Gaussian"] <= _FALSE, f"{ours['Gaussian']:.2f}"
        ),
        Goal("t5 stress null: at most 10 a day", ours["t5"] <= _FALSE_T5, f"{ours['t5']:.1f}"),
        *(_special(noise, ours) for noise in _NOISE),
    ]


def _special(noise: str, ours: dict[str, float]) -> Goal:
    seen = {day: ours[f"{noise}, {day}"] for day in _SPECIAL}
    met = max(seen.values()) <= _SPECIAL_RATIO * ours[noise]
    told = ", ".join(f"{day} {a_day:.2f}" for day, a_day in seen.items())
    return Goal(f"{noise}: special sessions at most 1.5x", met, f"{ours[noise]:.2f} -> {told}")


def _a_day(frame: pl.DataFrame, column: str, least: float) -> float:
    """Both rules' alerts a day; the tutorial's threshold is exceeded, ours reached."""
    return int((frame[column] >= least).sum()) / len(SEEDS)


def _matched(null: pl.DataFrame, column: str) -> float:
    """The threshold that one name a day of the null reaches."""
    return float(null[column].sort(descending=True)[len(SEEDS) - 1])


@dataclass(frozen=True, slots=True)
class _Line:
    """A rule at a threshold: shares found by bucket, of x5 and of x10."""

    name: str
    shares: dict[str, list[float]]

    def row(self) -> tuple[str, ...]:
        return (self.name, *(_slashed(shares) for shares in self.shares.values()))


def _recall(null: pl.DataFrame, spikes: pl.DataFrame) -> list[Goal]:
    z, tz = _matched(null, "z"), _matched(null, "tz")
    lines = [
        _line(f"ours, z >= {RULE.min_z:g}", spikes, "z", RULE.min_z),
        _line(f"tutorial, z > {TUTORIAL_Z:g}", spikes, "tz", TUTORIAL_Z),
        _line(f"ours at 1 false a day, z >= {z:.2f}", spikes, "z", z),
        _line(f"tutorial at 1 false a day, z >= {tz:.1f}", spikes, "tz", tz),
    ]
    count = " / ".join(str(n) for n in _counts(spikes, "x5"))
    print(lined_up([(f"found of spikes, {' / '.join(RECALL_BUCKETS)}", "x5", "x10"),
                    *(line.row() for line in lines), ("names", count, "")]))  # fmt: skip
    goals = [_reaches(size, lines[0].shares[size], least) for size, least in _RECALL.items()]
    pairs = zip(lines[2].shares["x5"], lines[3].shares["x5"], strict=True)
    ratios = [ours / theirs if theirs else float("inf") for ours, theirs in pairs]
    met = min(ratios) >= _MATCHED_RATIO
    seen = " / ".join(f"{ratio:.1f}x" for ratio in ratios)
    return [*goals, Goal("x5 at 1 false a day: at least 2.2x the tutorial's", met, seen)]


def _reaches(size: str, shares: list[float], least: tuple[float, ...]) -> Goal:
    met = all(share >= goal for share, goal in zip(shares, least, strict=True))
    return Goal(f"{size} found: at least {_slashed(least)}", met, _slashed(shares))


def _line(name: str, spikes: pl.DataFrame, column: str, least: float) -> _Line:
    return _Line(name, {size: _shares(spikes, size, column, least) for size in _RECALL})


def _shares(spikes: pl.DataFrame, size: str, column: str, least: float) -> list[float]:
    """Share found in each bucket of RECALL_BUCKETS."""
    return [float((part[column] >= least).mean() or 0.0) for part in _parts(spikes, size)]  # type: ignore[arg-type]


def _counts(spikes: pl.DataFrame, size: str) -> list[int]:
    return [len(part) for part in _parts(spikes, size)]


def _parts(spikes: pl.DataFrame, size: str) -> list[pl.DataFrame]:
    given, adv = spikes.filter(pl.col("what") == size), pl.col("adv")
    middle, high = _RECALL_USD
    bands = [adv < middle, adv.is_between(middle, high, closed="left"), adv >= high]
    return [given.filter(band) for band in bands]


def _masking(masked: pl.DataFrame) -> list[Goal]:
    rows, goals = [("fresh x10 after an earlier x5", "names", "ours", "tutorial")], []
    for name, least in _MASKED.items():
        given = masked.filter(pl.col("what") == name)
        ours = float((given["z"] > _MASKED_Z).sum()) / len(given)
        theirs = float((given["tz"] > TUTORIAL_Z).sum()) / len(given)
        rows.append((f"{name} later", str(len(given)), f"{ours:.2f}", f"{theirs:.2f}"))
        goals.append(Goal(f"{name} later: at least {least:.2f}", ours >= least, f"{ours:.2f}"))
    print(lined_up(rows))
    return goals


def _slashed(shares: Iterable[float]) -> str:
    return " / ".join(f"{share:.2f}" for share in shares)
