"""How much memory the service takes, with the processes that it has started. Blocking calls."""

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def resident_bytes(pid: int | None = None) -> int | None:
    """Of a process (this one) and of all below it; None where nobody tells.

    What several of them share, such as a library's code, counts for each.
    """
    own = _resident(pid or os.getpid())
    if own is None:
        return None
    below = (resident_bytes(child) for child in _children(pid or os.getpid()))
    return own + sum(seen for seen in below if seen is not None)


def _resident(pid: int) -> int | None:
    with suppress(OSError):  # it has ended, or this is another system
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None


def _children(pid: int) -> list[int]:
    """A process belongs to the thread that has started it."""
    found = list[int]()
    for thread in (_PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            found += map(int, thread.read_text().split())
    return found
