"""The commands that an application has registered, and what a person may fill in with them.

Discord's own client offers nothing that is not registered: what it would not let a person send is
an error of the test, NotOffered.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import discord

from tests.servers.chat import Call, Row
from tests.servers.discord_command_rules import GROUP, SUBCOMMAND, command_problems
from tests.servers.discord_messages import Refused, check
from tests.servers.discord_store import Guild, Snowflakes

CREATES_A_DAY = 200
_GUILD_CONTEXT, _DM_CONTEXT = 0, 1
_TYPES: Mapping[int, tuple[type, ...]] = {
    **{3: (str,), 4: (int,), 5: (bool,), 10: (int, float)},
    **{6: (int,), 7: (int,), 8: (int,), 9: (int,)},
}
SNOWFLAKES = (6, 7, 8, 9)
"""Kinds of options whose values are ids."""


class NotOffered(Exception):
    """What Discord's client would not let a person do."""


class Commands:
    """Those for all guilds, under None, and those of the one guild, under its id."""

    def __init__(
        self,
        guild: Guild,
        snowflakes: Snowflakes,
        now: Callable[[], datetime],
        accepted: Callable[[str], None],
    ) -> None:
        self.registered: dict[int | None, list[Row]] = {None: [], guild.id: []}
        self.syncs = 0
        """Lists that were accepted."""
        self.created = 0
        """Names that were new; Discord takes 200 a day."""
        self._guild, self._snowflakes, self._now = guild, snowflakes, now
        self._accepted = accepted

    def listed(self, call: Call) -> list[Row]:
        """As GET gives them."""
        return self.registered[self._place(call)]

    def overwrite(self, call: Call) -> list[Row]:
        """A new list in the place of the old one; who keeps name and type keeps the id."""
        place = self._place(call)
        try:
            wanted = json.loads(call.body)
        except ValueError:
            raise Refused(400, 50109, "The request body contains invalid JSON.") from None
        if not isinstance(wanted, list):
            raise Refused(400, 50035, "Invalid Form Body")
        check(command_problems(wanted))
        known = {_key(command): command["id"] for command in self.registered[place]}
        fresh = sum(_key(command) not in known for command in wanted)
        if self.created + fresh > CREATES_A_DAY:
            text = "Max number of daily application command creates has been reached (200)"
            raise Refused(400, 30034, text)
        self.created += fresh
        self.registered[place] = [self._stored(c, known.get(_key(c)), place) for c in wanted]
        self.syncs += 1
        self._accepted(call.operation)
        return self.registered[place]

    def names(self) -> list[str]:
        """What can be typed after the slash, subcommands with blanks between."""
        found = [name for place in self.registered.values() for c in place for name in _names(c)]
        return sorted(set(found))

    def find(self, name: str, permissions: discord.Permissions, *, guild: bool) -> Row:
        """A slash command by its first word, if this person is offered it here."""
        word = name.split()[0]
        places = (self._guild.id, None) if guild else (None,)
        there = [c for place in places for c in self.registered[place] if c["type"] == 1]
        found = next((command for command in there if command["name"] == word), None)
        if found is None:
            raise NotOffered(f"/{word} is not registered; there are: {', '.join(self.names())}")
        contexts = found.get("contexts") or [_GUILD_CONTEXT, _DM_CONTEXT]
        dm = _DM_CONTEXT in contexts and found.get("dm_permission") is not False
        if not (_GUILD_CONTEXT in contexts if guild else dm):
            raise NotOffered(f"/{word} is not for {'guilds' if guild else 'direct messages'}")
        needed = found.get("default_member_permissions")
        if guild and needed is not None and not permissions.administrator:
            wanted = int(needed)
            if wanted == 0 or permissions.value & wanted != wanted:
                raise NotOffered(f"/{word} is hidden from members without {wanted:#x}")
        return found

    def _place(self, call: Call) -> int | None:
        if int(call.ids["application"]) != self._guild.bot_id:
            text = "You are not authorized to perform this action on this application"
            raise Refused(403, 20012, text)
        guild = call.ids.get("guild")
        if guild is not None and int(guild) != self._guild.id:
            raise Refused(403, 50001, "Missing Access")
        return None if guild is None else int(guild)

    def _stored(self, command: Row, known: str | None, place: int | None) -> Row:
        new = self._snowflakes.next(self._now())
        usual = {"type": 1, "description": "", "nsfw": False, "default_member_permissions": None}
        return {
            **usual,
            **command,
            **{"id": known or str(new), "version": str(new)},
            "application_id": str(self._guild.bot_id),
            **({} if place is None else {"guild_id": str(place)}),
        }


def filled(command: Row, name: str, given: Mapping[str, Any], *, typing: str = "") -> list[Row]:
    """The `options` of an interaction; in those of autocomplete one option is being typed."""
    words = name.split()[1:]
    spec, path = command, []
    for word in words:
        nested = [o for o in spec.get("options") or [] if o["type"] in (SUBCOMMAND, GROUP)]
        found = next((option for option in nested if option["name"] == word), None)
        if found is None:
            raise NotOffered(f"/{command['name']} has no subcommand {word!r}")
        spec = found
        path.append(found)
    wanted = {option["name"]: option for option in spec.get("options") or []}
    if any(option["type"] in (SUBCOMMAND, GROUP) for option in wanted.values()):
        raise NotOffered(f"/{name} needs one of the subcommands {', '.join(wanted)}")
    if unknown := set(given) - set(wanted):
        raise NotOffered(f"/{name} has no option {', '.join(sorted(unknown))}")
    missing = [n for n, o in wanted.items() if o.get("required") and n not in given]
    if missing and not typing:
        raise NotOffered(f"/{name} is not sent without {', '.join(missing)}")
    rows = [_typed(wanted[n], v) if n == typing else _row(wanted[n], v) for n, v in given.items()]
    for step in reversed(path):
        rows = [{"type": step["type"], "name": step["name"], "options": rows}]
    return rows


def leaves(options: list[Row]) -> Iterator[Row]:
    """The options that have values, wherever they are nested."""
    for option in options:
        if "options" in option:
            yield from leaves(option["options"])
        elif "value" in option:
            yield option


def _row(option: Row, value: object) -> Row:
    name, kind = option["name"], option["type"]
    types = _TYPES.get(kind)
    if types is None:
        raise NotOffered(f"{name}: options of type {kind} are not modelled")
    if not isinstance(value, types) or (isinstance(value, bool) and kind != 5):
        raise NotOffered(f"{name}: {value!r} cannot be typed there")
    choices = [choice["value"] for choice in option.get("choices") or []]
    if choices and value not in choices:
        raise NotOffered(f"{name}: {value!r} is none of {choices}")
    if isinstance(value, str):
        # Discord's client sends no empty text, and none beyond 6000.
        least, most = max(1, option.get("min_length") or 1), option.get("max_length") or 6000
        size: float = len(value)
    else:
        least, most = option.get("min_value"), option.get("max_value")
        size = value  # type: ignore[assignment]
    if (least is not None and size < least) or (most is not None and size > most):
        raise NotOffered(f"{name}: {value!r} is not between {least} and {most}")
    sent = str(value) if kind in SNOWFLAKES else value
    return {"type": kind, "name": name, "value": sent}


def _typed(option: Row, value: object) -> Row:
    """What is being typed is unchecked, and a text whatever the option is."""
    if not option.get("autocomplete"):
        raise NotOffered(f"{option['name']} has no autocomplete")
    return {"type": option["type"], "name": option["name"], "value": str(value), "focused": True}


def _names(command: Row) -> Iterator[str]:
    nested = [o for o in command.get("options") or [] if o["type"] in (SUBCOMMAND, GROUP)]
    if not nested:
        yield command["name"]
    for option in nested:
        for name in _names(option):
            yield f"{command['name']} {name}"


def _key(command: Row) -> tuple[int, str]:
    return command.get("type", 1), command["name"]
