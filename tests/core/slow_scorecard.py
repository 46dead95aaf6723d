"""core.scorecard in plain loops over dicts: slow, and written from its docstring alone."""

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from statistics import fmean, median
from typing import Any

Rows = Sequence[dict[str, Any]]
Numbers = dict[str, tuple[float, float]]


def side(row: dict[str, Any]) -> bool | None:
    """Of an eligible row: a flag, a name of the base, or neither."""
    is_split = row["split"] is not None or row["suspected"] is not None
    return None if is_split or row["continuing"] else row["alertable"]


def outcome(judged: Rows, closes: Rows, days: Sequence[date], horizon: int) -> dict[str, Any]:
    """Counts, and (flags, base) of each number, at one horizon."""
    price = {(r["ticker"], r["session"]): r["close"] for r in closes if r["close"]}
    stored = {session for _, session in price}
    then = {d: days[n + horizon] for n, d in enumerate(days[:-horizon])}
    plain: dict[tuple[str, date], float] = {}
    by_day, peers = defaultdict(list), defaultdict[tuple[date, str], list[str]](list)
    for row in judged:
        ticker, day = row["ticker"], row["session"]
        if row["flagged"] is False:
            peers[day, row["bucket"]].append(ticker)
        if (ticker, day) in price and (ticker, then.get(day)) in price:
            plain[ticker, day] = price[ticker, then[day]] / price[ticker, day] - 1
            by_day[day].append(plain[ticker, day])

    def move(ticker: str, day: date) -> float | None:
        key = (ticker, day)
        return plain[key] - median(by_day[day]) if key in plain else None

    def size(ticker: str, day: date) -> float | None:
        usual = _usual(ticker, day, days, price)
        moved = move(ticker, day)
        if usual is None or moved is None:
            return None
        return abs(moved) / usual / math.sqrt(horizon)

    told = [r for r in judged if r["flagged"]]
    later = [r for r in told if then.get(r["session"]) not in stored]
    reached = [r for r in told if r not in later]
    gone = [r for r in reached if move(r["ticker"], r["session"]) is None]
    pairs, medians, alone = defaultdict(list), [], 0
    for row in reached:
        day, ticker = row["session"], row["ticker"]
        own = move(ticker, day)
        if own is None:
            continue
        others = [m for p in peers[day, row["bucket"]] if (m := move(p, day)) is not None]
        if not others:
            alone += 1
            continue
        pairs["mean"].append((own, fmean(others)))
        pairs["above"].append((float(own > 0), fmean(m > 0 for m in others)))
        medians.append((own, median(others)))
        sizes = [s for p in peers[day, row["bucket"]] if (s := size(p, day)) is not None]
        own_size = size(ticker, day)
        if own_size is not None and sizes:
            pairs["size"].append((own_size, fmean(sizes)))
    found: dict[str, Any] = {
        name: (fmean(a for a, _ in both), fmean(b for _, b in both)) for name, both in pairs.items()
    }
    if medians:
        found["median"] = (median(a for a, _ in medians), fmean(b for _, b in medians))
    return found | {
        "flags": len(medians),
        "later": len(later),
        "gone": len(gone),
        "alone": alone,
    }


def _usual(
    ticker: str, day: date, days: Sequence[date], price: dict[tuple[str, date], float]
) -> float | None:
    at = days.index(day)
    moves = []
    for n in range(max(1, at - 60), at):
        before, after = price.get((ticker, days[n - 1])), price.get((ticker, days[n]))
        if before and after:
            moves.append(abs(after / before - 1))
    return max(0.005, 1.4826 * median(moves)) if len(moves) >= 20 else None
