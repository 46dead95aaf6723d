"""One process at a time: a lock in a file, which ends with whoever holds it, also by SIGKILL."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

SERVICE = "service.lock"
"""In the data folder: whose process works there."""


@asynccontextmanager
async def alone(path: Path | None) -> AsyncIterator[bool]:
    """At once, either way: False if another process has it. None: there is nobody else."""
    if path is None:
        yield True
        return
    # A future of the thread, no task: whoever is cancelled meanwhile still has to close the file.
    taking = asyncio.get_running_loop().run_in_executor(None, locked, path)
    try:
        yield await asyncio.shield(taking) is not None
    finally:
        if (file := await taking) is not None:
            file.close()  # and so the kernel lets go of it; nothing was written


def locked(path: Path) -> BinaryIO | None:
    """Whoever closes it gives it back; None if another process has it. Blocking."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
