"""The lock: one holder, also when whoever waits for it is cancelled while the file is opened."""

import asyncio
import os
from pathlib import Path

import pytest

from core.alone import alone


async def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    async with alone(lock) as first, alone(lock) as second:
        assert (first, second) == (True, False)
    async with alone(lock) as again:
        assert again


async def test_nobody_else_is_there_without_a_file() -> None:
    async with alone(None) as mine:
        assert mine


async def test_cancelled_while_it_is_opened_it_is_closed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    os.mkfifo(lock)  # opening it for writing waits for a reader

    async def hold() -> None:
        async with alone(lock):
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(0)
    reader = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(asyncio.CancelledError):
        await task
    async with alone(lock) as mine:
        assert mine
    os.close(reader)
