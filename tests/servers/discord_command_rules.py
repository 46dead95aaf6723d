"""What Discord accepts as commands of an application: names, options, nesting, lengths."""

import re
from collections.abc import Iterator, Sequence

from tests.servers import discord_forms as forms
from tests.servers.chat import Row
from tests.servers.discord_forms import Path, Problem

SUBCOMMAND, GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10
_CHAT_INPUT, _USER, _MESSAGE = 1, 2, 3
_MOST = {_CHAT_INPUT: 100, _USER: 15, _MESSAGE: 15}
_NAME = re.compile(r"[-_'a-z0-9]{1,32}")
_COMMAND = {
    *("id", "type", "name", "name_localizations", "description", "description_localizations"),
    *("options", "default_member_permissions", "dm_permission", "contexts", "integration_types"),
    "nsfw",
}
_OPTION = {
    *("type", "name", "name_localizations", "description", "description_localizations"),
    *("required", "choices", "options", "channel_types", "autocomplete"),
    *("min_value", "max_value", "min_length", "max_length"),
}


def command_problems(commands: Sequence[object]) -> list[Problem]:
    """All that Discord would refuse in a list that takes the place of all commands."""
    return list(_commands(commands))


def _commands(commands: Sequence[object]) -> Iterator[Problem]:
    seen: set[tuple[int, str]] = set()
    counts = dict.fromkeys(_MOST, 0)
    for i, command in enumerate(commands):
        if not isinstance(command, dict):
            why = "Only dictionaries may be used in a DictType"
            yield Problem((i,), "MODEL_TYPE_CONVERT", why)
            continue
        kind = command.get("type", _CHAT_INPUT)
        if kind not in _MOST:
            yield forms.choice((i, "type"), "1, 2, 3")
            continue
        counts[kind] += 1
        if counts[kind] > _MOST[kind]:
            yield forms.too_long((i,), _MOST[kind])
        if (name := (kind, str(command.get("name")))) in seen:
            why = "Application command names must be unique"
            yield Problem((i, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", why)
        seen.add(name)
        yield from _command(command, (i,), kind)


def _command(command: Row, path: Path, kind: int) -> Iterator[Problem]:
    yield from forms.keys(command, path, _COMMAND)
    yield from _permissions(command, path)
    if kind != _CHAT_INPUT:
        yield from forms.text(command, path, "name", 32, least=1)
        for name in ("description", "options"):
            if command.get(name):
                why = "Context menu commands cannot have this"
                yield Problem((*path, name), "APPLICATION_COMMAND_INVALID", why)
        return
    yield from _named(command, path)
    yield from _options(command, path, {SUBCOMMAND, GROUP})
    if _length(command) > 8000:
        why = "Command exceeds maximum size (8000)"
        yield Problem(path, "APPLICATION_COMMAND_TOO_LARGE", why)


def _permissions(command: Row, path: Path) -> Iterator[Problem]:
    needed = command.get("default_member_permissions")
    if needed is not None and not str(needed).isdigit():
        yield Problem((*path, "default_member_permissions"), "NUMBER_TYPE_COERCE", "no bit set")
    for name, most in (("contexts", 2), ("integration_types", 1)):
        listed = command.get(name)
        if listed is not None and (not listed or any(n not in range(most + 1) for n in listed)):
            yield forms.choice((*path, name), ", ".join(map(str, range(most + 1))))


def _named(owner: Row, path: Path) -> Iterator[Problem]:
    if not _NAME.fullmatch(str(owner.get("name"))):
        why = "Command name is invalid"
        yield Problem((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", why)
    yield from forms.text(owner, path, "description", 100, least=1)


def _options(owner: Row, path: Path, nested: set[int]) -> Iterator[Problem]:
    """`nested` are the kinds of subcommands that may be here."""
    yield from forms.size(owner, path, "options", 25)
    names: set[str] = set()
    kinds: set[bool] = set()
    was_optional = False
    for at, option in forms.items(owner, path, "options"):
        kind = option.get("type")
        yield from forms.keys(option, at, _OPTION)
        yield from _named(option, at)
        if option.get("name") in names:
            why = "Option names must be unique"
            yield Problem((*at, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", why)
        names.add(str(option.get("name")))
        if kind in nested:
            yield from _options(option, at, {SUBCOMMAND} if kind == GROUP else set())
        elif kind in range(STRING, 12):
            yield from _value(option, at)
        else:
            yield forms.choice((*at, "type"), "what may be nested here")
        if option.get("required") and was_optional:
            why = "Required options must be placed before non-required options"
            yield Problem((*at, "required"), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", why)
        was_optional |= not option.get("required")
        kinds.add(kind in nested)
    if len(kinds) > 1:
        why = "Subcommands cannot stand beside other options"
        yield Problem((*path, "options"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", why)


def _value(option: Row, path: Path) -> Iterator[Problem]:
    kind = option["type"]
    may_have = {
        "options": False,
        "choices": kind in (STRING, INTEGER, NUMBER),
        "autocomplete": kind in (STRING, INTEGER, NUMBER) and not option.get("choices"),
        **dict.fromkeys(("min_value", "max_value"), kind in (INTEGER, NUMBER)),
        **dict.fromkeys(("min_length", "max_length"), kind == STRING),
        "channel_types": kind == 7,
    }
    for name, may in may_have.items():
        if option.get(name) not in (None, False, []) and not may:
            why = "This option cannot have it"
            yield Problem((*path, name), "APPLICATION_COMMAND_OPTIONS_INVALID", why)
    for low, high in (("min_value", "max_value"), ("min_length", "max_length")):
        least, most = option.get(low), option.get(high)
        if least is not None and most is not None and least > most:
            yield Problem((*path, low), "NUMBER_TYPE_MAX", f"Must not be above {high}.")
    yield from choice_problems(option, path, kind)


def choice_problems(owner: Row, path: Path, kind: int) -> Iterator[Problem]:
    """Choices of an option, written in its command or offered while someone types."""
    yield from forms.size(owner, path, "choices", 25)
    for at, choice in forms.items(owner, path, "choices"):
        yield from forms.keys(choice, at, {"name", "name_localizations", "value"})
        yield from forms.text(choice, at, "name", 100, least=1)
        value = choice.get("value")
        if kind == STRING:
            yield from forms.text(choice, at, "value", 100, least=1)
        elif not isinstance(value, int if kind == INTEGER else (int, float)):
            why = f"Could not interpret {value!r} as a number."
            yield Problem((*at, "value"), "NUMBER_TYPE_COERCE", why)


def _length(owner: Row) -> int:
    """What counts towards the total of a command."""
    total = len(str(owner.get("name") or "")) + len(str(owner.get("description") or ""))
    for _, choice in forms.items(owner, (), "choices"):
        value = choice.get("value")
        total += len(str(choice.get("name"))) + (len(value) if isinstance(value, str) else 0)
    return total + sum(_length(option) for _, option in forms.items(owner, (), "options"))
