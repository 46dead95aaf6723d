"""Stored files that cannot be read: set aside, and so they are missing like any other that is lost.

What is missing is read again by a backfill; a file that is there and of no use would stand in its
way for ever. Blocking calls.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import polars as pl

from core.bars import UNREADABLE
from core.files import Files

logger = logging.getLogger(__name__)

_ASIDE = "damaged"
T = TypeVar("T")


def readable(
    files: Files, named: Callable[[], Sequence[str]], read: Callable[[Sequence[str]], T]
) -> T:
    """`read` of the files that are `named`; once more without those that turn out to be damaged."""
    names = named()
    try:
        return read(names)
    except UNREADABLE:
        set_aside(files, names)
        return read(named())


def set_aside(files: Files, names: Sequence[str]) -> None:
    """Move those that cannot be read to `damaged/`, for a person to look at."""
    for name in names:
        with suppress(FileNotFoundError):  # by another reader, just now
            _look_at(files, name)


def _look_at(files: Files, name: str) -> None:
    before = files.stamp(name)
    if before is None or _seen(files, name) is None:
        return
    files.forget_copy(name)
    seen, now = _seen(files, name), files.stamp(name)
    if seen is None or now is None or now.state != before.state:
        return  # whole over there, or another one by now
    (path,) = files.paths([name])
    files.put(f"{_ASIDE}/{name}", path.read_bytes())
    files.drop(name)
    facts = {"file": name, "kept_as": f"{_ASIDE}/{name}", "seen": seen}
    logger.error("a stored file was damaged; /backfill reads its session again", extra=facts)


def _seen(files: Files, name: str) -> str | None:
    """What is wrong with it; None if it can be read to its end."""
    try:
        pl.read_parquet(*files.paths([name]))
    except UNREADABLE as error:
        return str(error)[:200]
    return None
