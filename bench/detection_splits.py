"""Split days: is anything said because a company changed the size of its shares?

Splits known, as the product has them. In the session of execution and the five after it, an alert
of the splitting ticker is put down to the split when

- it is not labelled "corporate action" (those are listed apart, never ranked), and
- restated volume alone would not have raised it (z under the floor): it rests on the count of
  trades, the one number that a split can move and that no ratio puts right.

What the ratio does put right is the difference to the same sessions judged as if that day's splits
were unknown.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import polars as pl

from bench.detection_days import Days, loaded
from bench.detection_rules import RULE, TUTORIAL_Z, compared, scored
from bench.harness import Goal, lined_up
from core.labels import CORPORATE_ACTION

_AFTER, _LOOSE_Z, _FLAGGED = 5, 3.0, 0.08
_ALERT = pl.col("alertable") & (pl.col("label") != CORPORATE_ACTION)


def run(pool: Executor, folder: Path, found: pl.DataFrame) -> Iterator[Goal]:
    """Print the tables; the goals of splits."""
    days = loaded(folder)
    executed = _executed(days)
    places = sorted(set(executed["place"]))
    unknown = pl.concat(pool.map(partial(unrestated_day, folder), places))
    at = pl.DataFrame({"session": days.sessions, "place": range(len(days.sessions))})
    numbered = found.join(at, on="session")
    on_day = executed.join(numbered, on=["ticker", "place"])
    both = on_day.join(unknown, on=["ticker", "session"]).filter("eligible")
    yield from _flagged(both.filter(pl.col("factor") > 1), len(executed), len(places))
    pushed = on_day.filter("pushed")["ticker"].to_list()
    told = ", ".join(pushed) or "none"
    yield Goal("no splitting ticker pushed on its day", not pushed, f"{told} of {len(on_day)}")
    yield from _caused(_around(executed, numbered), numbered)


def _executed(days: Days) -> pl.DataFrame:
    """Splits in the tested sessions: ticker, factor (new shares per old), place."""
    place = {day: n for n, day in enumerate(days.sessions) if n in days.tested}
    splits = [s for s in days.splits if s.execution_date in place]
    return pl.DataFrame(
        {
            "ticker": [s.ticker for s in splits],
            "factor": [s.shares_factor for s in splits],
            "place": [place[s.execution_date] for s in splits],
        }
    )


def unrestated_day(folder: Path, place: int) -> pl.DataFrame:
    """The tickers that split at this place, judged as if it were not known: raw_z."""
    days = loaded(folder)
    bars, sessions = days.window(place)
    today = sessions[-1].date
    splitting = [s.ticker for s in days.splits if s.execution_date == today]
    known = [s for s in days.splits if s.execution_date != today]
    found = compared(scored(bars, sessions, known), days.theirs(place))
    rows = found.filter(pl.col("ticker").is_in(splitting))
    return rows.select("ticker", "session", raw_z="z")


def _flagged(both: pl.DataFrame, splits: int, days: int) -> Iterator[Goal]:
    """Names in the gate with more shares than before: how often each rule is above its floor."""
    names = max(1, len(both))
    ours, loose = _at_least(both, "z", RULE.min_z), int((both["z"] > _LOOSE_Z).sum())
    raw, raw_loose = _at_least(both, "raw_z", RULE.min_z), int((both["raw_z"] > _LOOSE_Z).sum())
    theirs = int((both["tz"] > TUTORIAL_Z).sum())
    head = ("split days, more shares after", "names", f"z >= {RULE.min_z:g}", f"z > {_LOOSE_Z:g}")
    rows = [
        ("ours, splits known", str(len(both)), str(ours), str(loose)),
        ("ours, splits not known", str(len(both)), str(raw), str(raw_loose)),
        ("tutorial", str(len(both)), "", str(theirs)),
    ]
    print(lined_up([head, *rows]))
    print(f"  {splits} splits of both kinds on {days} sessions")
    seen = f"{loose / names:.0%} of {len(both)}, tutorial {theirs / names:.0%}"
    yield Goal("split days at z > 3: at most 8 %", loose / names <= _FLAGGED, seen)


def _at_least(both: pl.DataFrame, column: str, least: float) -> int:
    return int((both[column] >= least).sum())


def _around(executed: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    """The rows of splitting tickers from the session of execution to the fifth after it."""
    steps = pl.DataFrame({"after": range(_AFTER + 1)}, schema={"after": pl.Int64})
    near = executed.join(steps, how="cross").select(
        "ticker", "after", place=pl.col("place") + pl.col("after")
    )
    return near.join(numbered, on=["ticker", "place"])


def _caused(around: pl.DataFrame, numbered: pl.DataFrame) -> Iterator[Goal]:
    """Alerts around splits by what they rest on, beside all alerts of these sessions."""
    head = ("alerts", "all", "corporate action", "others", "others on the count alone")
    rows = [head]
    for name, part in {"split to 5 sessions after": around, "every name": numbered}.items():
        apart = int((part["alertable"] & (part["label"] == CORPORATE_ACTION)).sum())
        others, counts = part.filter(_ALERT), _on_counts(part)
        share = f"{len(counts)} ({len(counts) / max(1, len(others)):.0%})"
        rows.append((name, str(apart + len(others)), str(apart), str(len(others)), share))
    print(lined_up(rows))
    blamed = _on_counts(around)
    seen = ", ".join(f"{t} {day}" for t, day in blamed.select("ticker", "session").rows())
    yield Goal("no alert caused by a split, its day to 5 after", blamed.is_empty(), seen or "none")


def _on_counts(rows: pl.DataFrame) -> pl.DataFrame:
    """Alerts that volume alone, on one share basis, would not have raised."""
    return rows.filter(_ALERT, pl.col("z_volume").fill_null(0.0) < RULE.min_z)
