"""What all checks of Slack's blocks are made of: texts, lists, keys, problems."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.servers.chat import Row


@dataclass(frozen=True, slots=True)
class BlockProblem:
    """What is wrong, and a JSON pointer to where."""

    pointer: str
    text: str


Found = Iterator[BlockProblem]


def text(text: Any, at: str, most: int, *, plain: bool = False) -> Found:
    """A text object."""
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield BlockProblem(at, f"must be an object of type {' or '.join(kinds)}")
        return
    yield from keys(text, {"type", "text", "emoji", "verbatim"}, at)
    yield from string(text.get("text"), f"{at}/text", most)


def string(text: Any, at: str, most: int, least: int = 1) -> Found:
    """A string of so many characters."""
    if not isinstance(text, str):
        yield BlockProblem(at, "must be a string")
    elif len(text) > most:
        yield BlockProblem(at, f"must be less than {most + 1} characters")
    elif len(text) < least:
        yield BlockProblem(at, f"must be more than {least - 1} characters")


def entries(entries: Any, at: str) -> Iterator[tuple[str, Any]]:
    """The entries of a list and their pointers; of what is no list, none."""
    for i, entry in enumerate(entries if isinstance(entries, list) else ()):
        yield f"{at}/{i}", entry


def count(entries: Any, at: str, most: int, least: int = 1) -> Found:
    """A list of so many entries."""
    if not isinstance(entries, list) or len(entries) < least:
        yield BlockProblem(at, f"no less than {least} items allowed")
    elif len(entries) > most:
        yield BlockProblem(at, f"no more than {most} items allowed")


def keys(owner: Row, known: set[str], at: str) -> Found:
    """Nothing that Slack does not know."""
    for name in sorted(set(owner) - known):
        yield BlockProblem(at, f"invalid additional property: {name}")


def flag(owner: Row, name: str, at: str) -> Found:
    """True or false, if it is there."""
    if not isinstance(owner.get(name, False), bool):
        yield BlockProblem(f"{at}/{name}", "must be a boolean")
