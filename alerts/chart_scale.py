"""Where the axes of a picture begin and end, and what is written beside them. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from alerts.words import count

Ticks = list[tuple[float, str]]
"""Places on an axis, and their words."""

_MOST_TICKS = 5
_FAR = 0.6
"""A range is shown to so many spans of the closes beyond them; a bad print may reach further."""

_LEAST_SPAN = 0.02


def reach(
    closes: Sequence[float], ranges: Sequence[tuple[int, float, float]], newest: int
) -> tuple[float, float]:
    """From where to where prices are shown; `ranges`: session's place, low, high.

    A bad print far from the closes must not flatten them; the newest session is shown whole.
    """
    low, high = min(closes), max(closes)
    far = max(_FAR * (high - low), _LEAST_SPAN * abs(high))
    low = max(min([low, *(lo for _, lo, _ in ranges)]), low - far)
    high = min(max([high, *(hi for *_, hi in ranges)]), high + far)
    whole = [edge for n, *edges in ranges if n == newest for edge in edges]
    low, high = min([low, *whole]), max([high, *whole])
    spare = max(0.0, _LEAST_SPAN * abs(high) - (high - low)) / 2
    return low - spare, high + spare


def above(closes: Sequence[float | None], tops: Mapping[int, float]) -> list[float | None]:
    """Where a mark over each session is clear of its range, and of a steep line beside it."""
    around = [None, *closes, None]
    nearby = [[c for c in around[n : n + 3] if c is not None] for n in range(len(closes))]
    return [None if close is None else max([*nearby[n], tops.get(n, close)])
            for n, close in enumerate(closes)]  # fmt: skip


def volume_reach(logs: Sequence[float]) -> tuple[float, float]:
    """From where to where volumes are shown, in log10: a decade at least, and the lowest a bar."""
    low, high = min(logs), max(logs)
    spare = max(0.0, 1 - (high - low)) / 2
    return low - spare - 0.15 * (high - low), high + spare


def price_ticks(low: float, high: float) -> Ticks:
    """Round prices; as many decimals as they need."""
    rough = (high - low) / _MOST_TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = size * next(part for part in (1, 2, 2.5, 5, 10) if part * size >= rough * 0.999)
    found = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    if high >= 1e6:
        return [(v, f"${count(v)}") for v in found]
    exact = (d for d in (0, *range(2, 10)) if all(abs(round(v, d) - v) < step / 100 for v in found))
    digits = next(exact, 10) if high >= 10 else max(2, next(exact, 10))
    return [(v, f"${v:,.{digits}f}") for v in found]


def log_ticks(low: float, high: float, say: Callable[[float], str]) -> Ticks:
    """Round numbers whose log10 is between: as many as have room."""
    every = max(1, math.ceil((high - low) / _MOST_TICKS))
    decades = [n for n in range(math.floor(low), math.ceil(high) + 1) if n % every == 0]
    found: list[float] = []
    for parts in ((1, 2, 5), (1, 3), (1,)):
        values = (part * 10.0**n for n in decades for part in parts)
        found = [v for v in values if low <= math.log10(v) <= high]
        if len(found) <= _MOST_TICKS and (every == 1 or parts == (1,)):
            break
    return [(math.log10(v), say(v)) for v in found]


def shares(value: float) -> str:
    """300k, 1M: a round number of shares."""
    return count(value).replace(".0", "")


def multiples(value: float) -> str:
    """0.5×, 10×: how many times the usual."""
    return f"{value:,g}×"


def dollars(value: float) -> str:
    """$0.3, $100, $10k: a round price."""
    return f"${value:,g}" if value < 10_000 else f"${shares(value)}"


def date_ticks(sessions: Sequence[date]) -> Ticks:
    """The months where some begin, else every few sessions, counted from the last."""
    last = len(sessions) - 1
    starts = [n for n in range(1, last + 1) if sessions[n].month != sessions[n - 1].month]
    if len(starts) < 2:
        step = max(1, math.ceil(len(sessions) / 4))
        return [(n, f"{sessions[n].day} {sessions[n]:%b}") for n in range(last, -1, -step)]
    return [(n, f"{sessions[n]:%b %Y}" if sessions[n].month == 1 else f"{sessions[n]:%b}")
            for n in starts]  # fmt: skip
