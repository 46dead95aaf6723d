"""Which faults of a disk or a database may be over by themselves, and which are damage."""

import errno
import sqlite3

Unwritable = sqlite3.OperationalError
"""No room, or a lock that is held too long: it may be over by itself."""


class InUse(Unwritable):
    """A copy of the service works there: its text says what to do."""


_OF_LOCKS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
_OF_DATABASES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, *_OF_LOCKS}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY = 0xFF
"""The rest of SQLite's code says where it happened."""


def is_passing(error: sqlite3.Error | OSError) -> bool:
    """A full or failing disk, or a lock that somebody holds; not a lack of permission."""
    if isinstance(error, OSError):
        return error.errno in _OF_DISKS
    return _code(error) in _OF_DATABASES


def is_locked(error: sqlite3.Error) -> bool:
    """Somebody else is at the database just now."""
    return _code(error) in _OF_LOCKS


def is_damage(error: sqlite3.Error) -> bool:
    """What is in the file is no database, or not as SQLite wrote it."""
    return _code(error) in _DAMAGE


def _code(error: sqlite3.Error) -> int:
    # Errors of the module itself, such as that of a closed connection, have none.
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY
