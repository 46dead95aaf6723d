"""The noise of the built-in market: every name's log prices and activity, block by block. Seeded.

Prices are Brownian bridges between anchors BLOCK weekdays apart, so any stretch can be made without
walking from an epoch.
"""

from functools import lru_cache
from random import Random
from typing import NamedTuple

from core.sources.sample_names import names

BLOCK = 32
"""Weekdays between two anchors of a price."""


class Path(NamedTuple):
    """One name over one block, a number per weekday."""

    level: list[float]  # log price over its base
    volume: list[float]  # log volume over its base
    trades: list[float]
    gap: list[float]
    up: list[float]
    down: list[float]
    chance: list[float]


def normal(rng: Random) -> float:
    """About a standard normal, from additions alone; never beyond 3.5."""
    u = rng.random
    return (u() + u() + u() + u() - 2.0) * 1.7320508075688772


@lru_cache(maxsize=12)
def paths(seed: int, block: int) -> tuple[Path, ...]:
    """Every name over one block, and the market's return as the last."""
    traits = [(name.ticker, name.sway, name.noise) for name in names(seed)]
    return tuple(_path(seed, block, *trait) for trait in (*traits, ("the market", 0.008, 0.0)))


def _path(seed: int, block: int, ticker: str, sway: float, noise: float) -> Path:
    rng = Random(f"{seed}:{ticker}:{block}")
    start = normal(rng)
    drift = (normal(Random(f"{seed}:{ticker}:{block + 1}")) - start) * 4
    steps = [normal(rng) for _ in range(BLOCK)]
    walk = [0.0]
    for step in steps:
        walk.append(walk[-1] + step)
    slope = (drift - walk.pop()) / BLOCK
    level = [sway * (start * 4 + at + slope * i) for i, at in enumerate(walk)]
    mood, moods = normal(rng), []
    for _ in range(BLOCK):
        mood = 0.75 * mood + 0.66 * normal(rng)
        moods.append(noise * 0.7 * (mood + normal(rng)))
    u = rng.random
    trades, gap, up, down = ([u() for _ in range(BLOCK)] for _ in range(4))
    return Path(level, moods, trades, gap, up, down, [u() for _ in range(BLOCK)])
