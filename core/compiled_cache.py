"""Where machine code is kept: a folder that is another one when anything it was made of changes.

numba itself looks only at the file of each function, so a change of what is called from another
file would go unseen. Imports no numba: the process that asks may be one that never compiles.
"""

import hashlib
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

_NAME = "compiled-"
_HERE = Path(__file__).parent
_SOURCES = ("compiled*.py", "exchanges.py", "tape_*.py")


def cache_folder(root: Path) -> Path:
    """The folder below `root` for NUMBA_CACHE_DIR; those of other versions are removed."""
    folder = root / f"{_NAME}{_digest()}"
    folder.mkdir(parents=True, exist_ok=True)
    for other in root.glob(f"{_NAME}*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def own_folder() -> Path | None:
    """The same beside the sources, for when nobody set another; None if it cannot be written."""
    try:
        folder = cache_folder(_HERE / "__pycache__")
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _digest() -> str:
    seen = hashlib.sha256(f"{sys.version} {version('numba')}".encode())
    for source in sorted(file for pattern in _SOURCES for file in _HERE.glob(pattern)):
        seen.update(source.read_bytes())
    return seen.hexdigest()[:16]
