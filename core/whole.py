"""Files that are there whole or not at all. Blocking calls."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_LEFTOVER_S = 600


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Write, flush to the disk, then rename: a reader never meets half a file.

    What is written is thrown away if the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two processes may store the same session at the same time.
    descriptor, name = tempfile.mkstemp(".partial", f"{path.stem}.", path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _clear_leftovers(path)


def _clear_leftovers(path: Path) -> None:
    """Remove what killed writers in this folder left; a young one may still be written to."""
    now_s = path.stat().st_mtime
    for leftover in path.parent.glob("*.partial"):
        with suppress(FileNotFoundError):  # its writer was quicker
            if now_s - leftover.stat().st_mtime > _LEFTOVER_S:
                leftover.unlink()
