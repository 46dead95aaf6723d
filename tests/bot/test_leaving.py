"""The end in time: one deadline for all of it, and nobody is waited for after that."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bot.leaving import Leaving


def test_a_step_that_is_late_takes_its_time_from_the_next() -> None:
    now_s = 100.0
    leaving = Leaving(drained_s=5.0, hung_up_s=7.5, clock=lambda: now_s)
    leaving.begin()
    now_s += 1
    assert leaving.left_s(leaving.drained_s) == 4
    now_s += 6
    leaving.begin()
    assert leaving.left_s(leaving.drained_s) == 0
    assert leaving.left_s(leaving.hung_up_s) == 0.5


@pytest.mark.parametrize(
    ("gone_s", "said"), [(0.5, "not all could be closed"), (3_600, "")], ids=["late", "closed"]
)
async def test_a_thread_that_does_not_end_keeps_nobody(
    tmp_path: Path, gone_s: float, said: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bot.stuck_service", str(tmp_path), str(gone_s)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"at work\n"
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), 30)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0
    assert said in err.decode()
    assert bool(said) == bool(err)
