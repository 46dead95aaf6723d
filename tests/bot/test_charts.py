"""The process that draws: it is not there for longer than who it draws for."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.core.sources.test_errand import alive, gone_within


async def test_who_draws_does_not_outlive_a_parent_that_was_killed(folder: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bot.drawing_parent", str(folder)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    try:
        assert await asyncio.to_thread(alive, child)
        parent.kill()
        assert await parent.wait() == -signal.SIGKILL
        assert await asyncio.to_thread(gone_within, 1, child)
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
