"""A database in a second file, as of one moment. Blocking calls."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path


def copy_database(path: Path, to: Path) -> None:
    """A consistent copy, though others write meanwhile; whole or not at all."""
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".copy-") as name:
        part = Path(name) / to.name
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            # A file of its own, without a journal beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        flushed(part)
        part.replace(to)


def flushed(path: Path) -> None:
    """What was written to it is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
