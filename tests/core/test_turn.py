"""core.turn: one at a time, within a process and between processes."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from core.turn import Turn

_HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


async def test_tasks_and_other_turns_on_the_same_file_wait_for_each_other(tmp_path: Path) -> None:
    turns, inside, most = [Turn(tmp_path / "lock", look_s=0.001) for _ in range(3)], 0, 0

    async def work(turn: Turn) -> None:
        nonlocal inside, most
        async with turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.002)
            inside -= 1

    await asyncio.gather(*(work(turn) for turn in turns * 5))
    assert (inside, most) == (0, 1)


async def test_it_is_given_back_by_whoever_fails_or_is_cancelled(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "lock")
    with pytest.raises(ZeroDivisionError):
        async with turn():
            raise ZeroDivisionError
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), turn():
            await asyncio.Event().wait()
    async with asyncio.timeout(5), turn():
        pass


async def test_another_process_is_waited_for_aloud_and_its_death_ends_that(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = tmp_path / "lock"
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOLDER, str(lock)), stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"held\n"
    turn = Turn(lock, look_s=0.01, patience_s=0.05)
    with caplog.at_level(logging.WARNING), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), turn():
            pytest.fail("two at once")
    assert [r.message for r in caplog.records] == [
        "another process stores sessions here; this one waits for it"
    ]
    other.kill()
    await other.wait()
    async with asyncio.timeout(5), turn():
        pass
