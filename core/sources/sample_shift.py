"""Where the large names of the built-in market trade: on exchange, but for one of them a session.

Their volume of all venues is what it would be anyway; only the venues of their trades differ.
"""

from collections.abc import Callable, Collection
from datetime import date
from functools import cache, lru_cache, partial
from statistics import median

from core.calendar import is_session
from core.sources.sample_names import names, on_weekday, pools, weekday
from core.sources.sample_paths import BLOCK, Path, paths

ON_EXCHANGE, SHIFTED = 0.07, 0.92
"""How much of their volume is off exchange: usually, and of the name that is planted."""

_LEAST_DOLLARS = 3e8
_STRETCH, _GROUPS, _BEFORE = 20, 3, 20


@cache
def large(seed: int) -> tuple[int, ...]:
    """Where in the names those are that usually trade on exchange."""
    return tuple(i for i in pools(seed)["news"] if names(seed)[i].dollars >= _LEAST_DOLLARS)


def shifted(seed: int, day: date, busy: Callable[[int, date], Collection[int]]) -> int:
    """The name whose trades move off exchange in a session; where it is in the names.

    `busy`: by seed and date, places that are not to be taken.
    """
    number = weekday(day)
    return _stretch(seed, number // _STRETCH, busy)[number]


@lru_cache(maxsize=12)
def _stretch(
    seed: int, stretch: int, busy: Callable[[int, date], Collection[int]]
) -> dict[int, int]:
    """The names of some weekdays on end: nobody twice, each when its volume is most as usual.

    A third of the names have their turn, so that a shift is hardly ever in its own baseline.
    """
    left, found = list(large(seed)[stretch % _GROUPS :: _GROUPS]), dict[int, int]()
    for number in range(stretch * _STRETCH, (stretch + 1) * _STRETCH):
        day = on_weekday(number)
        if is_session(day):
            taken = busy(seed, day)
            free = [place for place in left if place not in taken]
            # Seldom all that are left are busy: then one out of turn.
            free = free or [p for p in large(seed) if p not in {*taken, *found.values()}]
            found[number] = min(free, key=partial(_strangeness, seed, number))
            left = [place for place in left if place != found[number]]
    return found


def _strangeness(seed: int, number: int, place: int) -> float:
    """How far the name's volume of a weekday is from that of those before."""
    block, i = divmod(number, BLOCK)
    old, new = paths(seed, block - 1)[place], paths(seed, block)[place]
    shares = [*_shares(old), *_shares(new)[: i + 1]]
    return abs(shares[-1] - median(shares[-1 - _BEFORE : -1]))


def _shares(path: Path) -> list[float]:
    """Log shares traded: fewer where the price is higher."""
    return [volume - level for volume, level in zip(path.volume, path.level, strict=True)]
