"""Which Tapewatch this is, by its own code: two that differ count trades differently, perhaps."""

import zlib
from functools import cache
from pathlib import Path

import bot
import core

_PACKAGES = (core, bot)


@cache
def checkout() -> str:
    """Eight letters, others as soon as a module of `core` or `bot` is another. Blocking."""
    mark = 0
    for package in _PACKAGES:
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            mark = zlib.crc32(path.relative_to(root).as_posix().encode(), mark)
            mark = zlib.crc32(path.read_bytes(), mark)
    return f"{mark:08x}"
