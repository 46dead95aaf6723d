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
    files: Files,
    named: Callable[[], Sequence[str]],
    read: Callable[[Sequence[str]], T],
    *,
    leaves_out: bool = True,
) -> T:
    """`read` of the files that are `named`; once more without those that turn out to be damaged.

    One that cannot be set aside (a bucket that is only read from) is left out all the same; not
    `leaves_out`: OSError.
    """
    names = named()
    try:
        return read(names)
    except UNREADABLE as error:
        staying = set_aside(files, names)
        if staying and not leaves_out:
            raise OSError(f"damaged: {', '.join(staying)}") from error
        return read([name for name in named() if name not in staying])


def set_aside(files: Files, names: Sequence[str]) -> list[str]:
    """Move those that cannot be read to `damaged/`, for a person to look at; those that stay."""
    staying = list[str]()
    for name in names:
        with suppress(FileNotFoundError):  # by another reader, just now
            seen = _damage(files, name)
            if seen is not None and not _moved(files, name, seen):
                staying.append(name)
    return staying


def _damage(files: Files, name: str) -> str | None:
    before = files.stamp(name)
    if before is None or _seen(files, name) is None:
        return None
    files.forget_copy(name)
    seen, now = _seen(files, name), files.stamp(name)
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
    """What is wrong with it; None if it can be read to its end."""
    try:
        pl.read_parquet(*files.paths([name]))
    except UNREADABLE as error:
        return str(error)[:200]
    return None
