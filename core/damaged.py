"""Stored files that cannot be read: set aside, and so they are missing like any other that is lost.

What is missing is read again by a backfill; a file that is there and of no use would stand in its
way for ever. Blocking calls.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import polars as pl

from core.bars import BARS, UNREADABLE
from core.files import Files

logger = logging.getLogger(__name__)

_ASIDE = "damaged"
_BESIDE = 5
"""So many files of the folder, the newest, say how most are, where but a few are read."""
T = TypeVar("T")
_See = Callable[[Files, str], str | None]
"""What is wrong with a file; None if nothing is."""


def readable(
    files: Files, named: Callable[[], Sequence[str]], read: Callable[[Sequence[str]], T]
) -> T:
    """`read` of the files that are `named`; once more without those that turn out to be damaged.

    One that cannot be set aside (a bucket that is only read from) is left out all the same.
    """
    names = named()
    try:
        return read(names)
    except UNREADABLE:
        staying = set_aside(files, names)
        return read([name for name in named() if name not in staying])


def as_stored(rows: pl.DataFrame, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """The same rows; SchemaError (one of UNREADABLE) if not all of BARS' columns are there, or
    those of `columns` that BARS has, each with its type: a changed letter of a name reads well."""
    for column in BARS if columns is None else columns:
        if column in BARS and rows.schema.get(column) != BARS[column]:
            raise pl.exceptions.SchemaError(f"{column} is {rows.schema.get(column)}")
    return rows


def whole(files: Files, name: str) -> pl.DataFrame:
    """A file to its end; raises one of UNREADABLE, FileNotFoundError."""
    rows = pl.read_parquet(*files.paths([name]))
    return as_stored(rows) if name.startswith("bars/") else rows


def set_aside(files: Files, names: Sequence[str]) -> list[str]:
    """Move those that cannot be read to `damaged/`, for a person to look at; those that stay.

    If each can be read by itself: those whose columns are others than most have.
    """
    staying = _look_at_all(files, names, _seen)
    if names and not staying and all(files.stamp(name) for name in names):
        return _look_at_all(files, names, _unlike_most(files, names))
    return staying


def put_aside(files: Files, name: str) -> str:
    """Move a file that stands where it is not to be read to `damaged/`: to which name. What is
    there already stays."""
    kept_as, number = f"{_ASIDE}/{name}", 1
    while files.stamp(kept_as) is not None:
        number += 1
        kept_as = f"{_ASIDE}/{name.removesuffix('.parquet')}.{number}.parquet"
    files.move(name, kept_as)
    return kept_as


def _look_at_all(files: Files, names: Sequence[str], see: _See) -> list[str]:
    staying = list[str]()
    for name in names:
        with suppress(FileNotFoundError):  # by another reader, just now
            seen = _damage(files, name, see)
            if seen is not None and not _moved(files, name, seen):
                staying.append(name)
    return staying


def _damage(files: Files, name: str, see: _See) -> str | None:
    before = files.stamp(name)
    if before is None or see(files, name) is None:
        return None
    files.forget_copy(name)
    seen, now = see(files, name), files.stamp(name)
    if seen is None or now is None or now.state != before.state:
        return None  # whole over there, or another one by now
    return seen


def _moved(files: Files, name: str, seen: str) -> bool:
    facts = {"file": name, "kept_as": f"{_ASIDE}/{name}", "seen": seen}
    try:
        files.move(name, facts["kept_as"])
    except FileNotFoundError:
        raise
    except OSError as error:
        facts |= {"kept_as": name, "why": str(error)}
        logger.error("a stored file is damaged and cannot be set aside: left out", extra=facts)
        return False
    logger.error("a stored file was damaged; /backfill reads its session again", extra=facts)
    return True


def _seen(files: Files, name: str) -> str | None:
    """None if it can be read to its end, and a session's has the columns of bars."""
    try:
        whole(files, name)
    except UNREADABLE as error:
        return str(error)[:200]
    return None


def _unlike_most(files: Files, names: Sequence[str]) -> _See:
    """Some series have more columns than BARS: what these are called, most of its files know."""
    folder = names[0].rpartition("/")[0]
    beside = sorted(files.listed(folder), reverse=True)[:_BESIDE]
    known = Counter[str]()
    for name in {*names, *(f"{folder}/{file}" for file in beside)}:
        with suppress(FileNotFoundError, *UNREADABLE):
            known[_columns(files, name)] += 1
    ((most, count),) = known.most_common(1) or [("", 0)]

    def see(files: Files, name: str) -> str | None:
        try:
            own = _columns(files, name)
        except UNREADABLE:
            return None  # that was said before
        if 2 * count <= known.total() or own == most:
            return None
        return f"columns unlike those of other sessions: {own}"[:200]

    return see


def _columns(files: Files, name: str) -> str:
    return str(dict(pl.read_parquet_schema(*files.paths([name]))))
