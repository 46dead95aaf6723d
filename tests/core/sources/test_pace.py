"""Client-side pacing, with a real clock and a short minute."""

import asyncio
from itertools import pairwise

import pytest

from core.errors import SourceUnavailable, Verdict
from core.sources.pace import LENT, Lent, Pace, Share

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


async def waits(pace: Pace, share: int = 0) -> bool:
    """Would a call have to wait, or somebody who lends his calls and has only a share?"""
    asking = pace.lend(share) if share else pace.wait()
    try:
        await asyncio.wait_for(asking, 0.02)
    except TimeoutError:
        return True
    return False


async def test_what_is_lent_counts_in_full_until_it_is_known_what_was_made_of_it() -> None:
    pace = Pace(5)
    for _ in range(4):
        pace.repay(await asyncio.wait_for(pace.lend(4), 5), 1)
    assert await waits(pace, share=4)
    assert not await waits(pace), "the fifth is the bot's"
    assert await waits(pace)

    refused = Pace(5)
    for _ in range(2):
        refused.repay(await asyncio.wait_for(refused.lend(4), 5), 2)
    assert await waits(refused, share=4)
    assert not await waits(refused)
    assert await waits(refused)


async def test_where_one_call_is_allowed_one_is_lent() -> None:
    pace = Pace(1)
    lent = await asyncio.wait_for(pace.lend(1), 5)
    assert pace.loan == 1
    assert await waits(pace)
    pace.repay(lent, 0)
    assert not await waits(pace)
    assert await waits(pace), "nothing is left of what was lent"
    assert (Pace(2).loan, Pace(0).loan) == (LENT, LENT)


async def test_many_who_borrow_at_once_do_not_make_more_calls_than_there_are() -> None:
    pace = Pace(5)
    lent = [await asyncio.wait_for(pace.lend(4), 5) for _ in range(2)]
    third = asyncio.create_task(pace.lend(4))
    await asyncio.sleep(0.02)
    assert not third.done()
    pace.repay(lent[0], 1)
    await asyncio.wait_for(third, 5)
    assert await waits(pace, share=4)
    pace.repay(lent[1], LENT)
    assert await waits(pace)


async def test_the_calls_of_all_leave_none_for_who_has_a_share() -> None:
    pace = Pace(5)
    for _ in range(4):
        await pace.wait()
    assert await waits(pace, share=4)
    assert await waits(Share(pace, 4))
    assert not await waits(pace)


async def test_who_has_a_share_is_let_through_as_soon_as_there_is_room() -> None:
    pace, loop = Pace(3, WINDOW_S), asyncio.get_running_loop()
    start = loop.time()
    for _ in range(5):
        await Share(pace, 2).wait()
    assert 2 * WINDOW_S * 0.98 <= loop.time() - start < 2 * WINDOW_S + 0.12


async def test_of_lent_calls_there_is_not_one_more() -> None:
    pace = Lent(2)
    for _ in range(2):
        await pace.wait()
    with pytest.raises(SourceUnavailable) as caught:
        await pace.wait()
    assert (caught.value.verdict, pace.made) == (Verdict.RATE_LIMITED, 2)
