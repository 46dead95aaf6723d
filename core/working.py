"""Does a copy of the service work with a state database? For whoever changes it. Blocking calls."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.alone import SERVICE, locked
from core.passing import InUse, is_locked

LOST_AFTER_S = 20.0
"""For so long whoever has the lease may be silent."""
_HEARD_OF = "SELECT 1 FROM lease WHERE unixepoch() - unixepoch(renewed_at) <= ?"


@contextmanager
def left_alone(path: Path, why: str) -> Iterator[None]:
    """InUse, in these words, while a copy of the service works there.

    Whoever begins to in the block does so without the lock: ask is_heard_of() again.
    """
    lock = locked(path.with_name(SERVICE))
    try:
        if lock is None or is_heard_of(path):
            raise InUse(why)
        yield
    finally:
        if lock is not None:
            lock.close()


def is_heard_of(path: Path) -> bool:
    """Has somebody, on another machine perhaps, said lately that the database is theirs?

    Who took over from one that hung works without the lock on the file, as long as that has it.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(_HEARD_OF, (LOST_AFTER_S,)).fetchone() is not None
    except sqlite3.DatabaseError as error:
        # Of before there were leases, or of no use: then nobody could renew one either.
        return is_locked(error)
