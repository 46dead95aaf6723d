"""Whose a database is, and of which schema. Blocking calls."""

import sqlite3
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
APPLICATION_ID = 1414551380
"""As a script has it; databases before that one have none."""
FIRST_LEASED = 9
"""Databases of before this schema know no lease (core.lease)."""
_SIGNED_SINCE = 10
_ALWAYS = {"sessions", "attempts", "splits", "anomalies", "digests", "deliveries"}
"""The tables of every schema."""
# In one go: somebody may migrate meanwhile.
_SEEN = """
SELECT user_version, application_id,
    (SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table') AS tables
FROM pragma_user_version, pragma_application_id
"""


def schema_of(connection: sqlite3.Connection) -> int:
    """The number of the newest script that was applied; 0: there is nothing in it.

    Raises DatabaseError if it is another program's.
    """
    version, signed, tables = connection.execute(_SEEN).fetchone()
    if not (version or signed or tables):
        return 0
    ours = signed == APPLICATION_ID or (signed == 0 and 0 < version < _SIGNED_SINCE)
    if not ours or not set((tables or "").split(",")) >= _ALWAYS:
        raise sqlite3.DatabaseError("it is another program's")
    return int(version)


def newest_schema() -> int:
    """What this version writes."""
    return len(list(MIGRATIONS.glob("[0-9]*.sql")))


def newer(schema: int, newest: int) -> str:
    """Why a schema cannot be used, in words; empty if it can."""
    return f"from a newer Tapewatch: schema {schema}, not {newest}" if schema > newest else ""
