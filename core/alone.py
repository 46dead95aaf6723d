"""One process at a time: a lock in a file, which ends with whoever holds it, also by SIGKILL."""

import asyncio
import fcntl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


@dataclass(slots=True)
class Alone:
    """`async with Alone(path) as mine`: False if another process has it. Not to be nested."""

    path: Path | None = None
    """None: there is nobody else."""
    _file: BinaryIO | None = None

    async def __aenter__(self) -> bool:
        """At once, either way."""
        if self.path is None:
            return True
        self._file = await asyncio.to_thread(_locked, self.path)
        return self._file is not None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Whoever waits may have it."""
        if self._file is not None:
            # By the kernel, and so at once: nothing was written.
            self._file.close()
            self._file = None


def _locked(path: Path) -> BinaryIO | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
