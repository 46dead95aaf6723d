"""bot.kept: many who ask at once cost one answer; a later one is made anew."""

import asyncio

import pytest

from bot.kept import kept


class Asked:
    """Counts, and is slow or broken on demand."""

    def __init__(self) -> None:
        self.times, self.fails = 0, False

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("broken")
        return self.times


async def test_who_asks_meanwhile_or_at_once_again_has_the_same_answer() -> None:
    asked = Asked()
    answer = kept(asked, for_s=60)
    assert await asyncio.gather(*(answer() for _ in range(50))) == [1] * 50
    assert await answer() == 1
    assert asked.times == 1


async def test_afterwards_it_is_asked_anew_and_a_failure_is_not_kept() -> None:
    asked = Asked()
    answer = kept(asked, for_s=-1)
    assert [await answer(), await answer()] == [1, 2]
    asked.fails = True
    with pytest.raises(OSError, match="broken"):
        await answer()
    asked.fails = False
    assert await answer() == 4
