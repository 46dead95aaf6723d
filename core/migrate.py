"""The schema of the state database: numbered scripts, forward only, all or none. Blocking."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from core.errors import ConfigError
from core.passing import InUse, Unwritable, is_damage, is_passing
from core.schema import FIRST_LEASED as FIRST_LEASED
from core.schema import MIGRATIONS as MIGRATIONS
from core.schema import newer
from core.schema import newest_schema as newest_schema
from core.schema import schema_of as schema_of
from core.snapshot import copy_database
from core.working import left_alone

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 10_000
_PATIENCE_S = BUSY_TIMEOUT_MS / 1000
_COPIES_KEPT = 2


def migrate(
    path: Path,
    folder: Path = MIGRATIONS,
    patience_s: float = _PATIENCE_S,
    *,
    beside_a_service: bool = True,
) -> None:
    """Bring the file to the newest schema; if that raises, it is as it was.

    Raises ConfigError, or Unwritable where it may be over by itself. A database that has something
    in it is copied first, to `state.db.schema-7` beside it. `beside_a_service`: else it is left
    alone, by InUse, while a copy of the service works with the schema that it has.
    """
    scripts = sorted(folder.glob("[0-9]*.sql"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(connected(path, patience_s)) as connection:
            version = schema_of(connection)
            if why := newer(version, len(scripts)):
                raise _unusable(path, why)
            connection.execute("PRAGMA journal_mode = WAL")
            if version < len(scripts):
                is_asked = not beside_a_service and version >= FIRST_LEASED
                with left_alone(path, _busy(path, version)) if is_asked else nullcontext():
                    _upgrade(connection, path, scripts)
    except InUse:
        raise
    except (sqlite3.DatabaseError, OSError) as error:
        if is_passing(error):
            raise Unwritable(str(error)) from error
        is_damaged = isinstance(error, sqlite3.Error) and is_damage(error)
        raise (_damaged if is_damaged else _unusable)(path, str(error)) from error


def _busy(path: Path, version: int) -> str:
    return (
        f"a copy of the service works on {path}, which has schema {version}, and this version would"
        " change that: stop the service first, or start it in this version"
    )


def connected(path: Path, patience_s: float = _PATIENCE_S) -> sqlite3.Connection:
    """In autocommit: only what says BEGIN begins a transaction."""
    return sqlite3.connect(path, isolation_level=None, timeout=patience_s)


def examine(path: Path) -> None:
    """Raises ConfigError if any page is damaged; reads all of it: 0.1 to 0.3 s for 126 MB."""
    with damage_in_words(path), closing(connected(path)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _damaged(path, found)


@contextmanager
def damage_in_words(path: Path) -> Iterator[None]:
    """Whatever meets a damaged page in the block raises ConfigError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise _damaged(path, str(error)) from error
        raise


def _damaged(path: Path, why: str) -> ConfigError:
    steps = 'docs/operations.md says how, under "When the state cannot be used"'
    seen = " ".join(why.split())
    return ConfigError(
        [f"the state database {path} is damaged ({seen}): restore a backup; {steps}"]
    )


def _unusable(path: Path, why: str) -> ConfigError:
    way_out = "install the version that wrote it, restore a backup, or point DATA_DIR elsewhere"
    return ConfigError([f"the state database {path} cannot be used ({why}): {way_out}"])


def _upgrade(connection: sqlite3.Connection, path: Path, scripts: Sequence[Path]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have migrated while this one waited for the lock.
    version, script = schema_of(connection), None
    try:
        if 0 < version < len(scripts):
            _copied(path, version)
        for number, script in enumerate(scripts[version:], version + 1):
            for statement in _statements(script.read_text()):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        _check(connection)
    except BaseException as error:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.DatabaseError) and script and not is_passing(error):
            raise ConfigError([_undone(path, version, script, error)]) from error
        raise
    connection.execute("COMMIT")
    if 0 < version < len(scripts):
        facts = {"from": version, "to": len(scripts), "copy": _copy(path, version).name}
        logger.info("the state database was upgraded", extra=facts)


def _check(connection: sqlite3.Connection) -> None:
    """Raises DatabaseError if the scripts left something that contradicts itself."""
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    found = connection.execute("PRAGMA quick_check(1)").fetchall()
    if broken or found != [("ok",)]:
        raise sqlite3.DatabaseError(f"check failed: {(broken or found)[0]}")


def _undone(path: Path, version: int, script: Path, error: sqlite3.Error) -> str:
    return (
        f"the state database {path} could not be upgraded ({script.name}: {error}). Nothing was"
        f" changed: it is still schema {version}, as the version of Tapewatch before this one uses"
        " it. Go back to that version, and report this"
    )


def _copy(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.schema-{version}")


def _copied(path: Path, version: int) -> None:
    """As it was before the upgrade; older copies than the last two are deleted."""
    copy_database(path, _copy(path, version))
    copies = sorted(path.parent.glob(f"{path.name}.schema-*"), key=lambda p: p.stat().st_mtime)
    for old in copies[:-_COPIES_KEPT]:
        old.unlink()


def _statements(script: str) -> list[str]:
    """The script's statements; executescript() would commit before the first one."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    # A last one without its semicolon is no less part of the script.
    return [*statements, current] if current.strip() else statements
