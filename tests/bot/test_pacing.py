"""How fast a platform is spoken to: nobody too soon, nobody never."""

import asyncio
from itertools import pairwise

from bot.platforms.pacing import Pacing


def clock() -> float:
    return asyncio.get_running_loop().time()


async def test_no_more_letters_are_on_their_way_than_allowed() -> None:
    pacing, now, most = Pacing(3), 0, 0

    async def letter(n: int) -> None:
        nonlocal now, most
        async with pacing.turn(f"channel {n}"):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.005)
            now -= 1

    await asyncio.gather(*map(letter, range(12)))
    assert (now, most) == (0, 3)


async def test_a_slot_is_given_back_when_a_letter_fails() -> None:
    pacing = Pacing(1)
    for _ in range(3):
        try:
            async with asyncio.timeout(1), pacing.turn("c"):
                raise ValueError
        except ValueError:
            continue


async def test_two_letters_of_a_channel_keep_their_distance_others_do_not_wait() -> None:
    pacing, ends = Pacing(1, channel_gap_s=0.06), dict[str, list[float]]()

    async def letter(channel: str) -> None:
        async with pacing.turn(channel):
            ends.setdefault(channel, []).append(clock())

    began = clock()
    await asyncio.gather(*(letter(c) for c in "aaabcdefgh"))
    assert all(later - sooner >= 0.055 for sooner, later in pairwise(ends["a"]))
    # The pause of one channel is waited for without the only slot.
    assert max(ends[c][0] for c in "bcdefgh") - began < 0.05


async def test_the_distance_begins_when_the_letter_before_is_through() -> None:
    pacing = Pacing(4, channel_gap_s=0.05)
    async with pacing.turn("a"):
        await asyncio.sleep(0.05)
    ended = clock()
    async with pacing.turn("a"):
        assert clock() - ended >= 0.045


async def test_requests_are_evenly_spaced_and_served_in_order() -> None:
    pacing, served, at = Pacing(9, request_gap_s=0.01), list[int](), list[float]()

    async def ask(n: int) -> None:
        await pacing.request()
        served.append(n)
        at.append(clock())

    await asyncio.gather(*map(ask, range(8)))
    assert served == list(range(8))
    assert at[-1] - at[0] >= 0.065


async def test_a_pause_holds_everyone_and_is_followed_by_the_usual_pace() -> None:
    pacing, at = Pacing(9, request_gap_s=0.01), list[float]()

    async def ask() -> None:
        await pacing.request()
        at.append(clock())

    waiting = [asyncio.create_task(ask()) for _ in range(4)]
    await asyncio.sleep(0)
    pacing.hold(0.1)
    pacing.hold(0.02)
    held = clock()
    assert 0.09 < pacing.held_s <= 0.1
    async with pacing.turn("c"):
        assert clock() - held >= 0.095
    await asyncio.gather(*waiting)
    assert at[-1] - held >= 0.11
    assert pacing.held_s == 0.0


async def test_no_lane_starves_behind_a_busy_one() -> None:
    pacing, turns = Pacing(2), list[str]()

    async def lane(name: str, letters: int) -> None:
        for _ in range(letters):
            async with pacing.turn(name):
                turns.append(name)
                await asyncio.sleep(0.001)

    await asyncio.gather(*(lane(f"busy {n}", 20) for n in range(6)), lane("small", 3))
    assert len(turns) == 123
    assert max(n for n, name in enumerate(turns) if name == "small") < 30
