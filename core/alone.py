"""One process at a time: a lock in a file, which ends with whoever holds it, also by SIGKILL."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO


@asynccontextmanager
async def alone(path: Path | None) -> AsyncIterator[bool]:
    """At once, either way: False if another process has it. None: there is nobody else."""
    file = None if path is None else await asyncio.to_thread(_locked, path)
    try:
        yield path is None or file is not None
    finally:
        if file is not None:
            file.close()  # and so the kernel lets go of it; nothing was written


def _locked(path: Path) -> BinaryIO | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
