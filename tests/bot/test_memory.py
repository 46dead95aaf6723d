"""bot.memory: a process that was started counts as well, whoever started it."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.memory import resident_bytes

_HOLDS = "x = bytearray(60 << 20); print(flush=True); input()"


def test_what_this_process_has_started_counts() -> None:
    alone = resident_bytes()
    if alone is None:
        pytest.skip("nobody tells here")

    async def held() -> int:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _HOLDS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        await child.stdout.readline()
        seen = await asyncio.to_thread(resident_bytes)
        await child.communicate(b"\n")
        assert seen is not None
        return seen

    # From a thread that is not the first one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, held()).result() - alone > 55 << 20


def test_nobody_has_no_memory() -> None:
    assert resident_bytes(2**22 + 1) is None
