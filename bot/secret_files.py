"""Secrets out of files: NAME_FILE=/run/secrets/name in the place of NAME."""

from collections.abc import Iterable, Mapping
from pathlib import Path

SUFFIX = "_FILE"
_MOST_BYTES = 65_536


def read(environment: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """What the files of these settings hold, by the setting's name, and what is wrong; blocking."""
    found, faults = dict[str, str](), list[str]()
    for name in names:
        place = environment.get(name + SUFFIX)
        if not place:
            continue
        if environment.get(name):
            faults.append(f"{name} and {name}{SUFFIX} are both set: which of them counts?")
            continue
        try:
            found[name] = _text(Path(place))
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            faults.append(f"{name}{SUFFIX}={place!r}: should be a file with the value ({said})")
    return found, faults


def _text(path: Path) -> str:
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
