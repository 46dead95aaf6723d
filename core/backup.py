"""State and bars in one file, taken while the service runs, and put back. Blocking calls.

A backup is a tar: `state.db` as of one moment, then the bars that are on this machine's disk, and
the list of all that. Bars are copied after the state and never before: every revision that the
state knows is there. What was stored later is there as after a crash between a file and its line.
"""

import logging
import re
import sqlite3
import tarfile
import tempfile
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from core.alone import SERVICE
from core.aside import PLACE, STATE, left_there, put_aside
from core.errors import CommandError
from core.manifest import LIST, Packing, fault_in, is_ended
from core.passing import InUse, is_passing
from core.schema import FIRST_LEASED, newer, newest_schema, schema_of
from core.snapshot import copy_database, flushed
from core.whole import written_whole
from core.working import LOST_AFTER_S, is_heard_of, left_alone

logger = logging.getLogger(__name__)

_KINDS = ("bars", "held")
_LISTED_SINCE = 10
"""Backups of this schema and later ones surely have a list."""
_EXPECTED = re.compile(
    r"state\.db|bars\.at|manifest\.json|(bars|held)/\w[\w.-]*/\w[\w.-]*\.parquet"
)
_KEEP = "keep the last backup that is whole"
_KILLED = f"one that was killed counts as working for {LOST_AFTER_S:.0f} seconds more"
# Python 3.11.0 to 3.11.3 know no filters; the names alone keep everything inside.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def backup(data_dir: Path, to: Path) -> int:
    """Write the backup; how many files of bars are in it. OSError, or CommandError in words."""
    if not (data_dir / STATE).exists():
        raise CommandError(f"there is no {STATE} in DATA_DIR={data_dir}: nothing to back up")
    if to.exists():
        raise CommandError(f"{to} is there already: name a new file")
    if not to.parent.is_dir():
        raise CommandError(f"there is no folder {to.parent}: make it, or name another place")
    with tempfile.TemporaryDirectory(prefix="tapewatch-backup-") as name:
        state = Path(name) / STATE
        copy_database(data_dir / STATE, state)
        if why := _damage(state):
            raise CommandError(f"the state is damaged ({why}): {_KEEP}")
        _forgotten(state, _schema(state, f"DATA_DIR={data_dir}", _KEEP))
        # What is one file by two names is two here: one of the names may not be put back.
        with (
            written_whole(to) as file,
            tarfile.open(fileobj=file, mode="w", dereference=True) as tar,
        ):
            packing = Packing(tar)
            packing.add(state, STATE)
            if (data_dir / PLACE).exists():
                packing.add(data_dir / PLACE, PLACE)
            count = _packed_bars(packing, data_dir)
            packing.end()
    return count


def _packed_bars(packing: Packing, data_dir: Path) -> int:
    """How many files that were."""
    count, seen = 0, set[Path]()
    # Until there is no other: where newer rows were stored meanwhile, those that the state means
    # have another name by then.
    while new := {p for kind in _KINDS for p in data_dir.glob(f"{kind}/*/*.parquet")} - seen:
        count += sum(_packed(packing, path, data_dir) for path in sorted(new))
        seen |= new
    return count


def _packed(packing: Packing, path: Path, data_dir: Path) -> bool:
    """False if it is gone by now: what the gate held was released meanwhile."""
    try:
        packing.add(path, path.relative_to(data_dir).as_posix())
    except FileNotFoundError:
        return False
    return True


def restore(source: Path, data_dir: Path, *, set_aside: bool = False) -> int:
    """Put a backup into a folder that has no state; how many files of bars came with it.

    All of it is checked before. `set_aside`: what is in the folder goes into one inside of it.
    OSError, InUse while a copy of the service works there, or CommandError in words.
    """
    if not source.is_file():
        raise CommandError(f"there is no file {source}")
    busy = f"a copy of the service works on DATA_DIR={data_dir}: stop it first ({_KILLED})"
    # A folder that no service has worked on gets no lock, and need not be there.
    is_known = (data_dir / SERVICE).exists()
    with left_alone(data_dir / STATE, busy) if is_known else nullcontext():
        _ask(data_dir, set_aside=set_aside)
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as name:
            folder = Path(name)
            is_cut = not _unpacked(source, folder)
            schema = _whole(folder / STATE, source)
            _check_files(folder, source, schema, is_cut=is_cut)
            _forgotten(folder / STATE, schema)
            # All that takes its time, and a copy of the service may have begun meanwhile.
            if is_heard_of(data_dir / STATE):
                raise InUse(busy)
            _ask(data_dir, set_aside=set_aside)
            if left_there(data_dir):
                facts = {"folder": str(put_aside(data_dir))}
                logger.warning("what was there is kept", extra=facts)
            return _put_in_place(folder, data_dir)


def _ask(data_dir: Path, *, set_aside: bool) -> None:
    """May what is there be put aside, if there is anything?"""
    if not set_aside and (there := left_there(data_dir)):
        raise CommandError(_in_the_way(data_dir, there))


def _in_the_way(data_dir: Path, there: list[str]) -> str:
    way_out = "with --set-aside that is kept in a folder of its own, inside of DATA_DIR"
    if STATE in there:
        return f"DATA_DIR={data_dir} has a {STATE}: stop the service; {way_out}"
    return (
        f"DATA_DIR={data_dir} has no {STATE}, but what was not written to it yet"
        f" ({', '.join(there)}): SQLite would put that into the one of the backup; {way_out}"
    )


def _put_in_place(folder: Path, data_dir: Path) -> int:
    """What was unpacked and checked."""
    found = sorted(folder.glob("*/*/*.parquet"))
    for path in found:
        to = data_dir / path.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        path.replace(to)
    if (folder / PLACE).exists():
        (folder / PLACE).replace(data_dir / PLACE)
    # Last: while it is not there, nothing has been restored.
    flushed(folder / STATE)
    if left_there(data_dir):
        begun = f"a service has begun in DATA_DIR={data_dir} meanwhile"
        raise InUse(f"{begun}: stop it, and restore again")
    (folder / STATE).replace(data_dir / STATE)
    return len(found)


def _unpacked(source: Path, folder: Path) -> bool:
    """Only what a backup has in it, whatever somebody may have put there; True if it has an end."""
    try:
        with tarfile.open(source, "r:") as tar:
            members = [m for m in tar.getmembers() if m.isfile() and _EXPECTED.fullmatch(m.name)]
            tar.extractall(folder, members=members, **_SAFELY)  # noqa: S202
            return is_ended(tar, source)
    except (tarfile.TarError, EOFError) as error:
        raise CommandError(f"{source} is no backup, or not all of one ({error})") from error


def _check_files(folder: Path, source: Path, schema: int, *, is_cut: bool) -> None:
    """Against its list; a backup of before there were any has to end as a tar does."""
    if (folder / LIST).exists():
        if why := fault_in(folder):
            raise CommandError(f"{source} is damaged ({why}): take another backup")
    elif is_cut or schema >= _LISTED_SINCE:
        raise CommandError(f"{source} is not all of a backup: it is cut off. Take another one")
    else:
        logger.warning("an old backup, without a list of what is in it: its bars are unchecked")


def _whole(state: Path, source: Path) -> int:
    """Its schema, if it was backed up as it should be."""
    if not state.exists():
        raise CommandError(f"{source} is no backup of Tapewatch: it has no {STATE}")
    if why := _damage(state):
        raise CommandError(f"the state in {source} is damaged ({why}): take another backup")
    return _schema(state, str(source), "take another backup")


def _schema(state: Path, where: str, way_out: str) -> int:
    """Of a state that is ours, and of a schema that is known."""
    try:
        with closing(sqlite3.connect(state)) as connection:
            schema = schema_of(connection)
    except sqlite3.DatabaseError as error:
        raise CommandError(f"the state in {where} cannot be used: {error}") from error
    if schema == 0:
        raise CommandError(f"the state in {where} has nothing in it: {way_out}")
    if why := newer(schema, newest_schema()):
        raise CommandError(f"the state in {where} is {why}: install the version that wrote it")
    return schema


def _forgotten(state: Path, schema: int) -> None:
    """Who worked with it that day: nobody does with this one, and nobody is to wait for them."""
    if schema >= FIRST_LEASED:
        with closing(sqlite3.connect(state)) as connection, connection:
            connection.execute("DELETE FROM lease")


def _damage(state: Path) -> str:
    """In words; empty if it is whole."""
    try:
        with closing(sqlite3.connect(state)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if is_passing(error):
            raise
        found = str(error)
    return "" if found == "ok" else " ".join(found.split())
