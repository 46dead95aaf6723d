"""core.migrate: from every earlier schema, with a copy taken first, all of it or nothing."""

import errno
import re
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.alone import SERVICE, locked
from core.errors import ConfigError
from core.migrate import MIGRATIONS, migrate
from core.passing import InUse, Unwritable, is_passing
from tests.states import leased

SCRIPTS = sorted(MIGRATIONS.glob("[0-9]*.sql"))
NEWEST = len(SCRIPTS)
Value = str | int | float | bytes | None
Row = dict[str, Value]
_CHOICES = re.compile(r"(\w+)\s+TEXT[^,]*?CHECK\s*\(\s*\1 IN \(([^)]+)\)")
_ROWS = 7
"""So many that every choice is taken, and a column that may be NULL once is."""
_ONLY = {"one": 1, "job": 1}
"""The lease is one row; what belongs to a job needs one that is there."""


def scripts(folder: Path, *, upto: int, broken: str = "") -> Path:
    """A folder with the first `upto` scripts, and then one of its own."""
    folder.mkdir()
    for script in SCRIPTS[:upto]:
        (folder / script.name).write_text(script.read_text())
    if broken:
        (folder / "9999_broken.sql").write_text(broken)
    return folder


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def tables(path: Path) -> dict[str, list[Row]]:
    """All rows of all tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        found = [name for (name,) in connection.execute(names)]
        return {t: [dict(r) for r in connection.execute(f"SELECT * FROM {t}")] for t in found}  # noqa: S608


def filled(path: Path) -> None:
    """Rows in every table, each value another one, as far as the columns allow."""
    with closing(sqlite3.connect(path)) as connection, connection:
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
        for name, sql in found.fetchall():
            if name.startswith("sqlite_"):
                continue
            choices = {c: re.findall(r"'([^']+)'", of) for c, of in _CHOICES.findall(sql)}
            columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
            for n in range(1, _ROWS + 1):
                row = {c[1]: value(name, c, n, choices.get(c[1], [])) for c in columns}
                marks = ", ".join("?" * len(row))
                # Of what may be there once, such as a job that runs, the first one is.
                connection.execute(
                    f"INSERT OR IGNORE INTO {name} ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                    tuple(row.values()),
                )


def value(table: str, column: tuple[int, str, str, int, None, int], n: int, of: list[str]) -> Value:
    """Of the nth row."""
    position, name, kind, is_needed, _, is_key = column
    if name in _ONLY:
        return _ONLY[name]
    if of:
        return of[(n - 1) % len(of)]
    if n == _ROWS and not is_needed and not is_key:
        return None
    number = 10 * position + n
    values: dict[str, Value] = {
        "INTEGER": number, "REAL": number + 0.5, "TEXT": f"{table}.{name} {n}", "BLOB": bytes([n]),
    }  # fmt: skip
    return values[kind]


def kept(table: str, row: Row, version: int) -> Row:
    """What an old row is afterwards: as it was, but for what a script changes on purpose."""
    if table == "deliveries" and version < 5 and row["state"] in ("pending", "sending"):
        return row | {"state": "expired", "reason": "superseded"}
    return row


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_every_earlier_schema_becomes_the_newest_with_the_values_of_its_rows(
    version: int, tmp_path: Path
) -> None:
    path, fresh = tmp_path / "state.db", tmp_path / "fresh.db"
    migrate(path, scripts(tmp_path / "earlier", upto=version))
    filled(path)
    had, before = tables(path), dump(path)
    assert all(had.values())

    migrate(path)
    migrate(fresh)

    now = tables(path)
    assert set(had) <= set(now) == set(tables(fresh))
    for table, rows in had.items():
        same = [{column: row[column] for column in rows[0]} for row in now[table]]
        assert in_order(same) == in_order([kept(table, row, version) for row in rows]), table
    assert schema(path) == schema(fresh)
    assert dump(tmp_path / f"state.db.schema-{version}") == before


def test_what_backfills_have_read_is_of_the_series_of_their_job(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path, scripts(tmp_path / "earlier", upto=13))
    filled(path)
    migrate(path)
    now = tables(path)
    (job,) = [row for row in now["jobs"] if row["id"] == 1]
    for table in ("job_sessions", "job_attempts"):
        assert {row["series"] for row in now[table]} == {job["series"]}


def test_what_there_was_before_a_backfill_is_known_of_what_it_has_begun(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path, scripts(tmp_path / "earlier", upto=15))
    columns = "job, session, position, state, series, revision"
    taken = [("a", "waiting", 1), ("b", "stored", 0), ("c", "waiting", 1), ("d", "same", None)]
    with closing(sqlite3.connect(path)) as connection, connection:
        for session, state, revision in taken:
            connection.execute(
                f"INSERT INTO job_sessions ({columns}) VALUES (1, ?, 0, ?, 's', ?)",  # noqa: S608
                (session, state, revision),
            )
        # A process died of the last of these.
        connection.execute(
            "INSERT INTO job_attempts (job, session, began_at, outcome)"
            " VALUES (1, 'c', '', 'interrupted')"
        )
        connection.execute(
            "INSERT INTO jobs (id, series, first, last, policy, newest_first, announce, state, who,"
            " place, created_at) VALUES (1, 's', 'a', 'd', 'all', 1, 0, 'running', '', '', '')"
        )
    migrate(path)
    found = [(r["session"], r["revision"], r["is_new"]) for r in tables(path)["job_before"]]
    assert found == [("b", 0, 1), ("c", 1, 0), ("d", None, 0)]


def schema(path: Path) -> set[str]:
    """What every table has, in whatever order its columns came."""
    with closing(sqlite3.connect(path)) as connection:
        found = set[str]()
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
            found |= {f"{name}.{c[1]} {c[2]} {c[3]} {c[5]}" for c in columns}
        return found


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("CREATE TABLE half (a TEXT);\nCREATE TABLE half (a TEXT);", "half already exists"),
        ("CREATE TABLE a (x INTEGER);\nSELECT x FROM nowhere;", "no such table: nowhere"),
        ("DELETE FROM jobs;\nDROP TABLE sessions;\nnonsense;", "syntax error"),
    ],
)
def test_a_script_that_fails_leaves_everything_as_it_was_and_says_so(
    tmp_path: Path, broken: str, said: str
) -> None:
    path = tmp_path / "state.db"
    migrate(path)
    filled(path)
    before = dump(path)

    with pytest.raises(ConfigError) as caught:
        migrate(path, scripts(tmp_path / "later", upto=NEWEST, broken=broken))

    (fault,) = caught.value.faults
    assert re.search(f"could not be upgraded \\(9999_broken.sql: .*{said}", fault)
    assert f"Nothing was changed: it is still schema {NEWEST}" in fault
    assert dump(path) == before
    migrate(path)


def test_of_several_new_scripts_none_stays_if_the_last_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path, scripts(tmp_path / "earlier", upto=4))
    before = dump(path)

    with pytest.raises(ConfigError, match="still schema 4"):
        migrate(path, scripts(tmp_path / "later", upto=NEWEST, broken="nonsense;"))

    assert dump(path) == before


def test_what_contradicts_itself_afterwards_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path)
    bad = (
        "CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;\n"
        "CREATE TABLE child (of_id INTEGER REFERENCES parent (id)) STRICT;\n"
        "INSERT INTO child VALUES (7);"
    )
    with pytest.raises(ConfigError, match="check failed"):
        migrate(path, scripts(tmp_path / "later", upto=NEWEST, broken=bad))
    assert "child" not in tables(path)


def test_a_new_database_has_no_copy_beside_it_and_old_copies_go(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for version in range(1, NEWEST + 1):
        migrate(path, scripts(tmp_path / str(version), upto=version))
    copies = {p.name for p in tmp_path.glob("state.db.schema-*")}
    assert copies == {f"state.db.schema-{n}" for n in (NEWEST - 2, NEWEST - 1)}


@contextmanager
def room(size: int) -> Iterator[None]:
    """The kernel refuses every write behind so many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_may_have_some_later(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with room(1024), pytest.raises(Unwritable, match="disk"):
        migrate(path)
    migrate(path)


def test_an_upgrade_without_room_has_changed_nothing_and_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path, scripts(tmp_path / "earlier", upto=4))
    filled(path)
    before = dump(path)
    # Too little for the copy; then enough for that, and not for the new schema.
    for size in (2**14, path.stat().st_size + 2**12):
        with room(size), pytest.raises(Unwritable, match="disk"):
            migrate(path)
        assert dump(path) == before
    migrate(path)


def test_a_service_at_work_keeps_the_schema_that_it_knows(tmp_path: Path) -> None:
    """What is typed in a shell of the next version upgrades nothing under it."""
    path = tmp_path / "state.db"
    migrate(path, scripts(tmp_path / "earlier", upto=NEWEST - 1))
    lock = locked(tmp_path / SERVICE)
    assert lock is not None
    with lock, pytest.raises(InUse, match="stop the service first, or start it in this version"):
        migrate(path, beside_a_service=False)
    leased(path, ago_s=5)
    before = dump(path)
    with pytest.raises(InUse):
        migrate(path, beside_a_service=False)
    assert dump(path) == before
    leased(path, ago_s=25)
    migrate(path, beside_a_service=False)
    migrate(path, beside_a_service=False)


def test_a_service_at_work_is_no_hindrance_where_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path)
    leased(path, ago_s=1)
    migrate(path, beside_a_service=False)


def test_a_lock_that_somebody_holds_ends_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path, scripts(tmp_path / "earlier", upto=4))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unwritable, match="database is locked"):
            migrate(path, patience_s=0.1)
    migrate(path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_a_folder_that_may_not_be_written_to_waits_for_somebody(number: int) -> None:
    assert not is_passing(OSError(number, "no"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_takes_nothing_now_may_take_it_later(number: int) -> None:
    assert is_passing(OSError(number, "no"))
