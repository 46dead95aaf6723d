"""core.schedule: what is due does not depend on who rang; the bell only wakes."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calendar import NEW_YORK, sessions
from core.ledger import Entry, Status
from core.schedule import Bell, Hours, announced, due
from tests.frames import day

NOW = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
WEEK = sessions(date(2026, 11, 16), date(2026, 11, 20))
MON, TUE, WED, THU, FRI = WEEK
EVENING = Hours(time(17, 30), 10, time(20))


def line(session: date, status: Status, hours_ago: float = 0.0) -> Entry:
    revision = int(status in (Status.STORED, Status.FINISHED))
    return Entry(day(str(session)), status, revision, None, None, None, (), None,
                 announced=False, tried_at=NOW - timedelta(hours=hours_ago),
                 stored_at=None, finished_at=None)  # fmt: skip


def lines(**statuses: Status) -> dict[date, Entry]:
    named = dict(zip(("mon", "tue", "wed", "thu", "fri"), WEEK, strict=True))
    return {named[n].date: line(named[n].date, s) for n, s in statuses.items()}


def test_everything_wanted_is_due_at_first_oldest_first() -> None:
    assert due(WEEK[::-1], {}, NOW) == WEEK


def test_finished_sessions_are_not_due() -> None:
    assert due(WEEK, lines(mon=Status.FINISHED, thu=Status.FINISHED), NOW) == [TUE, WED, FRI]


def test_held_and_half_done_sessions_are_due_at_every_bell() -> None:
    assert due([MON, TUE], lines(mon=Status.HELD, tue=Status.STORED), NOW) == [MON, TUE]


def test_an_absent_session_is_asked_for_once_a_day() -> None:
    def asked(hours_ago: float) -> bool:
        return bool(due([MON], {MON.date: line(MON.date, Status.ABSENT, hours_ago)}, NOW))

    assert not asked(0)
    assert not asked(19.9)
    assert asked(20)
    assert asked(24)


@given(st.lists(st.sampled_from(WEEK)), st.sets(st.sampled_from(WEEK)))
def test_due_is_wanted_minus_finished(wanted: list[object], finished: set[object]) -> None:
    done = {d.date: line(d.date, Status.FINISHED) for d in WEEK if d in finished}

    found = due([d for d in WEEK if d in wanted], done, NOW)

    assert found == [d for d in WEEK if d in wanted and d not in finished]


def test_two_sessions_are_announced_across_a_weekend_too() -> None:
    assert announced(FRI) == [THU, FRI]
    assert announced(MON) == [day("2026-11-13"), MON]


@pytest.mark.parametrize(
    ("clock", "is_open"),
    [((17, 29, 59), False), ((17, 30, 0), True), ((18, 0, 0), True), ((20, 0, 0), True),
     ((20, 0, 1), False), ((3, 0, 0), False)],
)  # fmt: skip
def test_the_hours_are_those_of_new_york(clock: tuple[int, int, int], *, is_open: bool) -> None:
    summer = datetime(2026, 7, 1, *clock, tzinfo=NEW_YORK)
    winter = datetime(2026, 12, 1, *clock, tzinfo=NEW_YORK)

    assert EVENING.open(summer.astimezone(UTC)) is is_open
    assert EVENING.open(winter.astimezone(UTC)) is is_open


async def silent(bell: Bell) -> bool:
    try:
        await asyncio.wait_for(bell.heard(), 0.02)
    except TimeoutError:
        return True
    return False


async def test_a_bell_nobody_rings_is_silent() -> None:
    assert await silent(Bell(EVENING))


async def test_several_rings_while_busy_count_once() -> None:
    bell = Bell(EVENING)
    for _ in range(3):
        bell.ring()

    await bell.heard()
    assert await silent(bell)


async def test_a_ring_wakes_who_is_waiting() -> None:
    bell = Bell(EVENING)
    waiting = asyncio.create_task(bell.heard())
    await asyncio.sleep(0)

    bell.ring()

    await asyncio.wait_for(waiting, 1)


def every_second() -> Hours:
    # The setting is in whole minutes; a test has none to wait.
    return Hours(time(17, 30), cast("int", 0.5 / 60), time(20))


async def test_the_clock_rings_again_and_again() -> None:
    bell = Bell(every_second())

    async with bell.ringing():
        await asyncio.wait_for(bell.heard(), 5)
        await asyncio.wait_for(bell.heard(), 5)


async def test_the_clock_is_silent_after_its_block() -> None:
    bell = Bell(every_second())
    async with bell.ringing():
        await asyncio.wait_for(bell.heard(), 5)

    await asyncio.sleep(0.7)
    assert await silent(bell)


async def test_who_is_cancelled_inside_leaves_nothing_running() -> None:
    bell, before = Bell(every_second()), asyncio.all_tasks()

    async def listen() -> None:
        async with bell.ringing():
            while True:
                await bell.heard()

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.7)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.7)

    assert asyncio.all_tasks() == before
    assert await silent(bell)
