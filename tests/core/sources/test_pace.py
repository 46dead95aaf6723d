"""Client-side pacing, with a real clock and a short minute."""

import asyncio
from itertools import pairwise

import pytest

from core.sources.pace import Pace

WINDOW_S = 0.15


async def moments(pace: Pace, calls: int) -> list[float]:
    """When each of so many concurrent callers was let through."""
    now = asyncio.get_running_loop().time

    async def call() -> float:
        await pace.wait()
        return now()

    return sorted(await asyncio.gather(*(call() for _ in range(calls))))


@pytest.mark.parametrize("allowed", [1, 3, 5])
async def test_never_lets_more_through_in_any_window_than_allowed(allowed: int) -> None:
    at = await moments(Pace(allowed, WINDOW_S), 2 * allowed + 2)
    for first, next_window in zip(at, at[allowed:], strict=False):
        assert next_window - first >= WINDOW_S * 0.98


async def test_lets_the_first_calls_through_at_once_and_wastes_no_time_after() -> None:
    at = await moments(Pace(4, WINDOW_S), 9)
    assert at[3] - at[0] < WINDOW_S / 2
    assert at[8] - at[0] < 2 * WINDOW_S + 0.12


async def test_calls_that_come_slowly_by_themselves_wait_for_nothing() -> None:
    pace, loop = Pace(2, WINDOW_S), asyncio.get_running_loop()
    for _ in range(3):
        before = loop.time()
        await pace.wait()
        assert loop.time() - before < WINDOW_S / 3
        await asyncio.sleep(WINDOW_S / 2 + 0.02)


async def test_zero_means_unlimited() -> None:
    at = await moments(Pace(0), 1000)
    assert all(b >= a for a, b in pairwise(at))
    assert at[-1] - at[0] < 1


async def test_a_caller_that_gives_up_neither_counts_nor_blocks_the_others() -> None:
    pace, loop = Pace(1, WINDOW_S), asyncio.get_running_loop()
    await pace.wait()
    start = loop.time()
    impatient = [asyncio.create_task(pace.wait()) for _ in range(5)]
    await asyncio.sleep(WINDOW_S / 3)
    for task in impatient:
        task.cancel()
    gone = await asyncio.gather(*impatient, return_exceptions=True)
    assert all(isinstance(g, asyncio.CancelledError) for g in gone)
    await pace.wait()
    assert WINDOW_S * 0.9 <= loop.time() - start < WINDOW_S + 0.12
