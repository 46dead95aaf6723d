"""Folders that take seconds to make: made once for all tests and workers, then copied."""

import fcntl
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shared:
    """A place that all workers of a run have in common."""

    root: Path

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder of this name: whoever wants it first makes it, the others wait. Not to be
        written to."""
        self.root.mkdir(exist_ok=True)
        folder, partial = self.root / name, self.root / f"{name}.partial"
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                make(partial)
                partial.rename(folder)
        return folder


def copied(folder: Path, to: Path) -> Path:
    """A copy, times of change included: what is known by them stays what it is."""
    shutil.copytree(folder, to, symlinks=True, dirs_exist_ok=True)
    return to
