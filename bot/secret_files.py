"""Secrets out of files: NAME_FILE=/run/secrets/name in the place of NAME."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bot.setting_types import looks_secret

SUFFIX = "_FILE"
_MOST_BYTES = 65_536


def read(
    environment: Mapping[str, str], settings: Iterable[Sequence[str]]
) -> tuple[dict[str, str], list[str]]:
    """What the files of these settings hold, by the setting's first name, and what is wrong.

    Each with all of its names; blocking.
    """
    found, faults = dict[str, str](), list[str]()
    for names in settings:
        given = [n for name in names for n in (name, name + SUFFIX) if environment.get(n)]
        if len({environment[n] for n in given}) > 1 or (len(given) > 1 and _files(given)):
            faults.append(f"{given[0]} and {given[1]} are both set: which of them counts?")
            continue
        for name in _files(given):
            place = environment[name]
            try:
                found[names[0]] = _text(Path(place))
            except (OSError, ValueError) as error:
                said = error.strerror if isinstance(error, OSError) else error
                faults.append(
                    f"{name}={place!r}: should be a file with the value ({said})"
                    if is_place(place)
                    else f"{name}='(hidden)': should be the path of a file, not the value itself"
                )
    return found, faults


def is_place(text: str) -> bool:
    """Is this surely a path? What is not may be the secret itself; blocking."""
    # Path.exists raises where a name is too long to be one.
    there = os.path.exists(text)  # noqa: PTH110
    return there or ("/" in text and "//" not in text and not looks_secret(text))


def _files(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(SUFFIX)]


def _text(path: Path) -> str:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("it is no regular file")  # a pipe that nobody writes into never ends
    with path.open("rb") as file:
        held = file.read(_MOST_BYTES + 1)
    if len(held) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    try:
        text = held.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError("it is no text") from error
    if not text:
        raise ValueError("it is empty")
    return text
