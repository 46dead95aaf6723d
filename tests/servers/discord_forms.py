"""Discord's way of refusing a form: problems with paths and codes, and checks to find them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers.chat import Row

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that Discord refuses, with its own code; a path of nothing means the message."""

    path: Path
    code: str
    text: str

    def __str__(self) -> str:
        """Where, what, why."""
        return f"{'.'.join(map(str, self.path)) or 'message'}: {self.code}: {self.text}"


def form_errors(found: Sequence[Problem]) -> Row:
    """The nested `errors` of code 50035."""
    tree: Row = {}
    for problem in found:
        here = tree
        for step in problem.path:
            here = here.setdefault(str(step), {})
        here.setdefault("_errors", []).append({"code": problem.code, "message": problem.text})
    return tree


def part(owner: Row, name: str) -> Row:
    """An object in an object, empty when it is missing or none."""
    found = owner.get(name)
    return found if isinstance(found, dict) else {}


def items(owner: Row, path: Path, name: str) -> Iterator[tuple[Path, Row]]:
    """The objects of a list; what is none, `size` reports."""
    entries: Any = owner.get(name)
    if isinstance(entries, list):
        for i, entry in enumerate(entries):
            if isinstance(entry, dict):
                yield (*path, name, i), entry


def size(owner: Row, path: Path, name: str, most: int) -> Iterator[Problem]:
    """A list of objects, of at most so many."""
    entries: Any = owner.get(name)
    if entries is None:
        return
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        yield Problem(
            (*path, name), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"
        )
    elif len(entries) > most:
        yield too_long((*path, name), most)


def object_of(owner: Row, path: Path, name: str, known: Collection[str]) -> Iterator[Problem]:
    """An object with no other keys than these."""
    found = owner.get(name)
    if isinstance(found, dict):
        yield from keys(found, (*path, name), known)
    elif found is not None:
        why = "Only dictionaries may be used in a DictType"
        yield Problem((*path, name), "MODEL_TYPE_CONVERT", why)


def keys(owner: Row, path: Path, known: Collection[str]) -> Iterator[Problem]:
    """No other keys than these."""
    for name in sorted(set(owner) - set(known)):
        yield Problem((*path, name), "UNKNOWN_KEY", "Discord has no such key, or we do not use it.")


def text(owner: Row, path: Path, name: str, most: int, *, least: int = 0) -> Iterator[Problem]:
    """A text that is trimmed before it is missed, as Discord does, and measured untrimmed."""
    found: Any = owner.get(name)
    if found is None and least == 0:
        return
    if found is not None and not isinstance(found, str):
        yield Problem(
            (*path, name), "STRING_TYPE_CONVERT", f"Could not interpret {found!r} as string."
        )
    elif found is None or len(found.strip()) < least:
        yield required((*path, name))
    elif len(found) > most:
        yield too_long((*path, name), most)


def required(path: Path) -> Problem:
    """Something is missing."""
    return Problem(path, "BASE_TYPE_REQUIRED", "This field is required")


def choice(path: Path, choices: str) -> Problem:
    """Something is none of the choices."""
    return Problem(path, "BASE_TYPE_CHOICES", f"Value must be one of ({choices}).")


def too_long(path: Path, most: int) -> Problem:
    """Something has too many parts."""
    return Problem(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
