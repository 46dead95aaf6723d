"""core.backup: what was backed up while others wrote is put back as it was at one moment."""

import io
import os
import shutil
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from core.alone import SERVICE, locked
from core.backup import backup, restore
from core.bars import Family, Scope, Series
from core.errors import CommandError
from core.migrate import migrate
from core.passing import InUse
from core.store import Store
from tests.frames import bars, day, row
from tests.states import leased, overwrite

DAY = day("2026-11-19")
SERIES = Series(Scope.ALL, Family.DAILY)
WRITES = (
    "INSERT INTO attempts (at, series, session, source, verdict, seen)"
    " VALUES (?, '', '', '', '', ?)"
)

AS_OF_9 = "PRAGMA application_id = 0; PRAGMA user_version = 9"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with state, two revisions of a session, and rows that are held."""
    folder = tmp_path / "data"
    migrate(folder / "state.db")
    store = Store.on_disk(folder)
    for revision in (1, 2):
        store.write(SERIES, DAY, bars(DAY, [row("AAPL", volume=float(revision))]), revision)
    store.hold(SERIES, day("2026-11-20"), bars(day("2026-11-20"), [row("MSFT")]))
    (folder / "measured").mkdir()
    (folder / "measured" / "made-anew.parquet").touch()
    return folder


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.parquet")}


def files_kept(data: Path) -> dict[str, bytes]:
    """What a backup has of them."""
    return {name: body for name, body in files(data).items() if "measured" not in name}


def noted(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT at, seen FROM attempts ORDER BY id").fetchall()


def test_what_is_put_back_is_what_was_there(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "state.db")) as connection, connection:
        connection.execute(WRITES, ("now", "one"))
    assert backup(data, tmp_path / "b.tar") == 3
    assert restore(tmp_path / "b.tar", tmp_path / "new") == 3
    assert noted(tmp_path / "new" / "state.db") == [("now", "one")]
    assert files(tmp_path / "new") == files_kept(data)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["bars", "held", "state.db"]


def test_it_is_of_one_moment_though_somebody_writes(data: Path, tmp_path: Path) -> None:
    """Pairs are written in one transaction: never is there half of one."""
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(data / "state.db", isolation_level=None)) as connection:
            n = 0
            while not stop.is_set():
                n += 1
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(WRITES, (str(n), "first"))
                connection.execute(WRITES, (str(n), "second"))
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(5):
            backup(data, tmp_path / f"{n}.tar")
    finally:
        stop.set()
        writer.join()
    for n in range(5):
        restore(tmp_path / f"{n}.tar", tmp_path / f"new{n}")
        found = noted(tmp_path / f"new{n}" / "state.db")
        assert [seen for _, seen in found] == ["first", "second"] * (len(found) // 2)


def test_a_folder_in_use_and_a_file_that_is_there_are_left_alone(
    data: Path, tmp_path: Path
) -> None:
    backup(data, tmp_path / "b.tar")
    with pytest.raises(CommandError, match="is there already: name a new file"):
        backup(data, tmp_path / "b.tar")
    with pytest.raises(CommandError, match="stop the service; with --set-aside"):
        restore(tmp_path / "b.tar", data)
    with pytest.raises(CommandError, match="nothing to back up"):
        backup(tmp_path / "nowhere", tmp_path / "c.tar")


def test_what_the_gate_let_go_meanwhile_is_not_missed(data: Path, tmp_path: Path) -> None:
    (one,) = (data / "held").rglob("*.parquet")
    (one.parent / "gone.parquet").symlink_to(tmp_path / "nowhere")
    assert backup(data, tmp_path / "b.tar") == 3
    assert restore(tmp_path / "b.tar", tmp_path / "new") == 3


def test_the_rows_that_the_state_means_are_there_though_others_were_stored_meanwhile(
    data: Path, tmp_path: Path
) -> None:
    folder = data / "bars" / SERIES.key
    # Two files that are opened first, each once somebody opens it at its other end.
    opened, waits = folder / "0.parquet", folder / "1.parquet"
    for pipe in (opened, waits):
        os.mkfifo(pipe)

    def write() -> None:
        opened.open("wb").close()
        store = Store.on_disk(data)
        store.write(SERIES, DAY, bars(DAY, [row("AAPL", volume=3.0)]), 3)
        waits.open("wb").close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup(data, tmp_path / "b.tar")
    finally:
        writer.join()
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert f"bars/{SERIES.key}/{DAY}.r2.parquet" in tar.getnames()


def killed(path: Path, seen: str) -> None:
    """A row that is in the journal alone, as after SIGKILL."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute(WRITES, ("later", seen))
    left = {name: path.with_name(name).read_bytes() for name in ("state.db-wal", "state.db-shm")}
    writer.close()
    for name, body in left.items():
        path.with_name(name).write_bytes(body)


@pytest.mark.parametrize("is_deleted", [True, False])
def test_the_journal_of_another_state_is_not_put_over_a_backup(
    data: Path, tmp_path: Path, is_deleted: bool
) -> None:
    """Nor are bars that the backup knows nothing of left where they are."""
    backup(data, tmp_path / "b.tar")
    killed(data / "state.db", "not in the backup")
    Store.on_disk(data).write(SERIES, DAY, bars(DAY, [row("AAPL", volume=9.0)]), 3)
    if is_deleted:
        (data / "state.db").unlink()
    with pytest.raises(CommandError, match=r"state\.db.*--set-aside"):
        restore(tmp_path / "b.tar", data)
    assert restore(tmp_path / "b.tar", data, set_aside=True) == 3
    assert noted(data / "state.db") == []
    kept = data / "set-aside-1"
    assert (kept / "bars").is_dir()
    assert is_deleted or noted(kept / "state.db") == [("later", "not in the backup")]
    assert restore(tmp_path / "b.tar", data, set_aside=True) == 3
    assert sorted(p.name for p in data.glob("set-aside-*")) == ["set-aside-1", "set-aside-2"]
    assert not list((data / "bars").rglob("*.r2.parquet"))


def test_nothing_is_set_aside_for_what_is_no_backup(data: Path, tmp_path: Path) -> None:
    tar_of(tmp_path / "other.tar", readme=b"hello")
    before = sorted(data.rglob("*"))
    with pytest.raises(CommandError, match="no backup"):
        restore(tmp_path / "other.tar", data, set_aside=True)
    assert sorted(data.rglob("*")) == before


def test_a_folder_that_a_service_works_on_is_left_alone(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "b.tar")
    lock = locked(data / SERVICE)
    assert lock is not None
    with lock, pytest.raises(InUse, match="a copy of the service works on"):
        restore(tmp_path / "b.tar", data, set_aside=True)
    assert restore(tmp_path / "b.tar", data, set_aside=True) == 3


def test_one_that_took_over_and_has_no_lock_is_left_alone_too(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "b.tar")
    (data / SERVICE).touch()
    leased(data / "state.db", ago_s=5)
    before = sorted(data.rglob("*"))
    with pytest.raises(InUse, match=r"stop it first \(one that was killed counts .* 20 "):
        restore(tmp_path / "b.tar", data, set_aside=True)
    assert sorted(data.rglob("*")) == before
    leased(data / "state.db", ago_s=25)
    assert restore(tmp_path / "b.tar", data, set_aside=True) == 3


def test_one_that_begins_while_a_backup_is_looked_at_is_left_alone(
    data: Path, tmp_path: Path
) -> None:
    """The folder has no lock then, or its holder is one that the newcomer did not wait for."""
    backup(data, tmp_path / "b.tar")
    leased(data / "state.db", ago_s=5)
    assert not (data / SERVICE).exists()
    with pytest.raises(InUse, match="a copy of the service works on"):
        restore(tmp_path / "b.tar", data, set_aside=True)


@pytest.mark.parametrize("sql", ["DROP TABLE lease", ""])
def test_a_state_that_has_no_lease_or_cannot_be_read_is_nobodys(
    data: Path, tmp_path: Path, sql: str
) -> None:
    backup(data, tmp_path / "b.tar")
    (data / SERVICE).touch()
    if sql:
        state_of(data / "state.db", sql)
    else:
        (data / "state.db").write_bytes(b"no database" * 1000)
    assert restore(tmp_path / "b.tar", data, set_aside=True) == 3


def tar_of(path: Path, **members: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


def test_what_is_no_backup_is_refused_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "whole.tar")
    whole = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "half.tar").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.tar").write_text("not a backup")
    tar_of(tmp_path / "other.tar", readme=b"hello")
    tar_of(tmp_path / "empty.tar")
    tar_of(tmp_path / "damaged.tar", **{"state.db": b"SQLite format 3\0" + b"x" * 5000})
    for name in ("half", "text", "other", "empty", "damaged"):
        with pytest.raises(CommandError):
            restore(tmp_path / f"{name}.tar", tmp_path / "new")
        assert list((tmp_path / "new").iterdir()) == []


def state_of(path: Path, script: str = "") -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = DELETE; {script}")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("DROP TABLE sessions", "it is another program's"),
        ("PRAGMA application_id = 7", "it is another program's"),
        ("PRAGMA user_version = 999", "from a newer Tapewatch: schema 999, not"),
    ],
)
def test_a_state_that_the_next_start_would_refuse_is_refused_at_once(
    data: Path, tmp_path: Path, script: str, said: str
) -> None:
    state = state_of(data / "state.db", script)
    with pytest.raises(CommandError, match=said):
        restore(tar_of(tmp_path / "b.tar", **{"state.db": state}), tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []

    with pytest.raises(CommandError, match=said):
        backup(data, tmp_path / "c.tar")
    assert not (tmp_path / "c.tar").exists()


def test_an_empty_file_is_not_backed_up(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    with pytest.raises(CommandError, match="has nothing in it: keep the last backup that is whole"):
        backup(tmp_path, tmp_path / "b.tar")
    assert [p.name for p in tmp_path.iterdir()] == ["state.db"]


def test_nobody_waits_for_whoever_worked_on_the_day_of_the_backup(
    data: Path, tmp_path: Path
) -> None:
    leased(data / "state.db", ago_s=0)
    backup(data, tmp_path / "b.tar")
    old = tar_of(tmp_path / "old.tar", **{"state.db": state_of(data / "state.db", AS_OF_9)})
    restore(old, tmp_path / "new")
    with (
        tarfile.open(tmp_path / "b.tar") as tar,
        (packed := tmp_path / "packed.db").open("wb") as to,
    ):
        shutil.copyfileobj(tar.extractfile("state.db") or io.BytesIO(), to)
    for state in (packed, tmp_path / "new" / "state.db"):
        with closing(sqlite3.connect(state)) as connection:
            assert connection.execute("SELECT * FROM lease").fetchall() == []


def test_a_state_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    state = state_of(tmp_path / "empty.db")
    with pytest.raises(CommandError, match="has nothing in it"):
        restore(tar_of(tmp_path / "b.tar", **{"state.db": state}), tmp_path / "new")


@pytest.mark.parametrize(
    "name", ["../out.parquet", "bars/../../out.parquet", "/tmp/out.parquet", "bars/x/y/z.parquet"]
)
def test_nothing_that_was_put_into_it_gets_out_of_the_folder(
    data: Path, tmp_path: Path, name: str
) -> None:
    backup(data, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert restore(tmp_path / "b.tar", tmp_path / "new") == 3
    assert files(tmp_path / "new") == files_kept(data)
    assert not (tmp_path / "out.parquet").exists()


def test_one_file_by_two_names_is_two(data: Path, tmp_path: Path) -> None:
    (one,) = (data / "held").rglob("*.parquet")
    (one.parent / "again.parquet").hardlink_to(one)
    assert backup(data, tmp_path / "b.tar") == 4
    assert restore(tmp_path / "b.tar", tmp_path / "new") == 4
    assert files(tmp_path / "new") == files_kept(data)


def cuts(path: Path) -> list[int]:
    """Before, in and behind every member's header, and in the middle of what it holds."""
    with tarfile.open(path) as tar:
        return [
            at
            for m in tar.getmembers()
            for at in (m.offset, m.offset + 100, m.offset_data, m.offset_data + m.size // 2)
        ]


def test_a_backup_that_was_cut_off_anywhere_is_refused_and_leaves_nothing(
    data: Path, tmp_path: Path
) -> None:
    backup(data, tmp_path / "b.tar")
    whole, part = (tmp_path / "b.tar").read_bytes(), tmp_path / "part.tar"
    for at in cuts(tmp_path / "b.tar"):
        part.write_bytes(whole[:at])
        with pytest.raises(CommandError, match=r"part\.tar"):
            restore(part, tmp_path / "new")
        assert list((tmp_path / "new").iterdir()) == []


def test_what_is_not_as_it_was_is_refused_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "b.tar") as tar:
        bars_at = next(m.offset_data for m in tar.getmembers() if m.name.startswith("bars/"))
        list_at = tar.getmember("manifest.json").offset_data
    more = tmp_path / "more.tar"
    more.write_bytes(whole)
    with tarfile.open(more, "a") as tar:
        tar.addfile(tarfile.TarInfo("bars/more/2026-01-02.parquet"), io.BytesIO())
    for name, at in (("other", bars_at + 4), ("unread", list_at)):
        (tmp_path / f"{name}.tar").write_bytes(whole[:at] + b"\0" + whole[at + 1 :])
    for name, said in (
        ("other", r"bars/.*\.parquet is not as it was"),
        ("more", "2026-01-02.parquet is not in its list"),
        ("unread", "manifest.json cannot be read"),
    ):
        with pytest.raises(CommandError, match=said):
            restore(tmp_path / f"{name}.tar", tmp_path / "new")
        assert list((tmp_path / "new").iterdir()) == []


@pytest.fixture
def old(data: Path, tmp_path: Path) -> Path:
    """A backup as they were before there was a list in it."""
    state_of(data / "state.db", AS_OF_9)
    with tarfile.open(tmp_path / "old.tar", "w") as tar:
        tar.add(data / "state.db", "state.db")
        for name in sorted(files_kept(data)):
            tar.add(data / name, name)
    return tmp_path / "old.tar"


def test_a_backup_of_before_there_were_lists_is_put_back_with_a_warning(
    old: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert restore(old, tmp_path / "new") == 3
    assert files(tmp_path / "new") == files_kept(data)
    assert "without a list of what is in it" in caplog.text


def test_an_old_backup_that_was_cut_off_is_refused_as_well(old: Path, tmp_path: Path) -> None:
    whole = old.read_bytes()
    for at in cuts(old):
        old.write_bytes(whole[:at])
        with pytest.raises(CommandError, match=r"old\.tar"):
            restore(old, tmp_path / "new")
        assert list((tmp_path / "new").iterdir()) == []


def test_a_damaged_state_is_not_backed_up(data: Path, tmp_path: Path) -> None:
    overwrite(data / "state.db", "sessions")
    with pytest.raises(CommandError, match="keep the last backup that is whole"):
        backup(data, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_a_place_that_is_not_there_is_not_made(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"there is no folder .*nope: make it"):
        backup(data, tmp_path / "nope" / "b.tar")
    with pytest.raises(CommandError, match=r"there is no file .*none\.tar"):
        restore(tmp_path / "none.tar", tmp_path / "new")
    assert {p.name for p in tmp_path.iterdir()} == {"data"}
