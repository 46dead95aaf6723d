"""People who use the bot on the local Discord: they type commands, press, choose, fill in forms.

Each of them does only what Discord's client would let them do; the rest is NotOffered.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import discord

from tests.servers import discord_interaction as kinds
from tests.servers.chat import Row
from tests.servers.discord_commands import SNOWFLAKES, Commands, NotOffered, filled, leaves
from tests.servers.discord_interaction import Interaction
from tests.servers.discord_interactions import Interactions
from tests.servers.discord_messages import Messages
from tests.servers.discord_modals import submitted
from tests.servers.discord_store import EVERYONE, StoredChannel, StoredMessage

ALICE = 900000000000000020
MEMBER = EVERYONE | discord.Permissions(use_application_commands=True)
_STRING_SELECT, _USER, _CHANNEL, _ROLE = 3, 6, 7, 8
_SELECTED = {5: (_USER,), 6: (_ROLE,), 7: (_USER, _ROLE), 8: (_CHANNEL,)}
"""What may be chosen in the selects that have no options of their own."""
_TEN_MIB = 10 << 20
_REACTION_S = 0.02
"""No person is quicker than the answer that tells the bot that its message or form is there."""


class People:
    """What they do is dispatched at once; what comes of it is in the Interaction."""

    def __init__(
        self,
        store: Messages,
        commands: Commands,
        interactions: Interactions,
        dispatch: Callable[[str, Row], int],
        wire: Callable[[StoredMessage], Row],
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._commands, self._interactions = store, commands, interactions
        self._dispatch, self._wire, self._now = dispatch, wire, now

    async def command(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        user_id: int = ALICE,
        channel_id: int | None = None,
        roles: Sequence[int] = (),
        permissions: discord.Permissions = MEMBER,
        guild: bool = True,
    ) -> Interaction:
        """Type a slash command; the words of subcommands are parted by blanks."""
        channel = self._channel(channel_id, user_id, guild=guild)
        command = self._commands.find(name, permissions, guild=guild)
        rows = filled(command, name, options or {})
        data = self._data(command, rows, guild=guild)
        who = self._who(channel, user_id, roles, permissions)
        return self._sent(kinds.COMMAND, data, channel, user_id, who)

    async def autocomplete(
        self,
        name: str,
        option: str,
        typed: str,
        *,
        options: Mapping[str, Any] | None = None,
        user_id: int = ALICE,
        channel_id: int | None = None,
        roles: Sequence[int] = (),
        permissions: discord.Permissions = MEMBER,
        guild: bool = True,
    ) -> Interaction:
        """Type in one option while the others are as they are."""
        channel = self._channel(channel_id, user_id, guild=guild)
        command = self._commands.find(name, permissions, guild=guild)
        rows = filled(command, name, {**(options or {}), option: typed}, typing=option)
        data = self._data(command, rows, guild=guild)
        who = self._who(channel, user_id, roles, permissions)
        return self._sent(kinds.AUTOCOMPLETE, data, channel, user_id, who)

    async def component(
        self,
        message: StoredMessage,
        custom_id: str,
        values: Sequence[str | int] = (),
        *,
        user_id: int = ALICE,
        roles: Sequence[int] = (),
        permissions: discord.Permissions = MEMBER,
    ) -> Interaction:
        """Press a button, or choose in a select."""
        await asyncio.sleep(_REACTION_S)
        rows = (part for row in message.components for part in row["components"])
        found = next((part for part in rows if part.get("custom_id") == custom_id), None)
        if found is None or message.deleted:
            raise NotOffered(f"no {custom_id} on message {message.id}")
        if found.get("disabled"):
            raise NotOffered(f"{custom_id} is disabled")
        data: Row = {"custom_id": custom_id, "component_type": found["type"], "id": 1}
        if found["type"] in {_STRING_SELECT, *_SELECTED}:
            data |= self._chosen(found, [str(value) for value in values])
        elif values:
            raise NotOffered(f"{custom_id} is a button")
        channel = self._store.channels[message.channel_id]
        who = {
            **self._who(channel, user_id, roles, permissions),
            "message": self._wire(message),
        }
        return self._sent(kinds.COMPONENT, data, channel, user_id, who, message)

    async def modal(self, opened: Interaction, values: Mapping[str, str]) -> Interaction:
        """Send the form that an interaction opened; the same person, in the same place."""
        await asyncio.sleep(_REACTION_S)
        names = ("guild_id", "guild_locale", "guild", "member", "user", "message")
        who = {name: opened.payload[name] for name in names if name in opened.payload}
        channel = self._store.channels[opened.channel_id]
        data = submitted(opened.modal, values)
        return self._sent(kinds.MODAL_SUBMIT, data, channel, opened.user_id, who, opened.message)

    def redeliver(self, interaction: Interaction) -> None:
        """The same once more, with the same id."""
        interaction.reached += self._dispatch("INTERACTION_CREATE", interaction.payload)

    def _channel(self, channel_id: int | None, user_id: int, *, guild: bool) -> StoredChannel:
        if guild:
            there = [c for c in self._store.channels.values() if not c.deleted]
            wanted = [c for c in there if c.recipient_id is None and channel_id in (None, c.id)]
            if not wanted:
                raise NotOffered(f"no channel {channel_id or ''} in the guild")
            return wanted[0]
        return self._conversation(user_id)

    def _conversation(self, user_id: int) -> StoredChannel:
        for channel in self._store.channels.values():
            if channel.recipient_id == user_id:
                return channel
        at = self._now()
        new = self._store.snowflakes.next(at)
        channel = StoredChannel(new, "", at, EVERYONE, recipient_id=user_id)
        self._store.channels[new] = channel
        return channel

    def _who(
        self,
        channel: StoredChannel,
        user_id: int,
        roles: Sequence[int],
        permissions: discord.Permissions,
    ) -> Row:
        """Who does it, as a member in a guild and as nothing but themselves elsewhere."""
        guild = self._store.guild
        if channel.recipient_id is not None:
            return {"user": guild.user(user_id)}
        self._known_roles(map(str, roles))
        member = {
            **{"user": guild.user(user_id), "roles": [str(role) for role in roles]},
            **{"joined_at": "2026-01-02T15:26:17.000000+00:00", "premium_since": None},
            **{"deaf": False, "mute": False, "flags": 0, "nick": None, "avatar": None},
            **{"pending": False, "communication_disabled_until": None},
        }
        place = {"id": str(guild.id), "locale": "en-US", "features": []}
        return {
            **{"guild_id": str(guild.id), "guild_locale": "en-US", "guild": place},
            "member": {**member, "permissions": str(permissions.value)},
        }

    def _sent(
        self,
        kind: int,
        data: Row,
        channel: StoredChannel,
        user_id: int,
        who: Row,
        message: StoredMessage | None = None,
    ) -> Interaction:
        at, guild = self._now(), self._store.guild
        new = self._store.snowflakes.next(at)
        in_guild = channel.recipient_id is None
        token = f"aW50ZXJhY3Rpb246{new}"
        payload = {
            **{"id": str(new), "application_id": str(guild.bot_id), "type": kind, "version": 1},
            **{"token": token, "data": data, "locale": "en-US", "channel_id": str(channel.id)},
            **{"channel": guild.channel(channel), "context": 0 if in_guild else 1},
            "app_permissions": str(channel.allowed().value),
            **{"entitlements": [], "entitlement_sku_ids": []},
            "authorizing_integration_owners": {"0": str(guild.id) if in_guild else "0"},
            **{"attachment_size_limit": _TEN_MIB, **who},
        }
        made = Interaction(new, token, kind, payload, at, channel.id, user_id, message)
        self._interactions.by_token[token] = made
        self.redeliver(made)
        return made

    def _data(self, command: Row, rows: list[Row], *, guild: bool) -> Row:
        ids = [(o["type"], o["value"]) for o in leaves(rows) if o["type"] in SNOWFLAKES]
        resolved = {"resolved": self._resolved(ids)} if ids else {}
        place = {"guild_id": command["guild_id"]} if guild and "guild_id" in command else {}
        named = {"id": command["id"], "name": command["name"], "type": command["type"]}
        return {**named, "options": rows, **place, **resolved}

    def _chosen(self, select: Row, values: list[str]) -> Row:
        least, most = select.get("min_values", 1), select.get("max_values", 1)
        if not least <= len(values) <= most:
            raise NotOffered(f"{select['custom_id']} takes {least} to {most} values")
        if select["type"] != _STRING_SELECT:
            kinds_of = [k for k in _SELECTED[select["type"]] for _ in values]
            return {
                "values": values,
                "resolved": self._resolved(zip(kinds_of, values, strict=False)),
            }
        offered = [option["value"] for option in select["options"]]
        if unknown := set(values) - set(offered):
            raise NotOffered(f"{select['custom_id']} does not offer {sorted(unknown)}")
        return {"values": values}

    def _resolved(self, ids: Iterable[tuple[int, str]]) -> Row:
        """The objects behind ids; 9, the mentionable, is taken for a user."""
        guild = self._store.guild
        found: dict[str, Row] = {}
        for kind, name in ids:
            if kind == _CHANNEL:
                channel = self._store.channels.get(int(name))
                if channel is None or channel.deleted or channel.recipient_id is not None:
                    raise NotOffered(f"no channel {name} in the guild")
                allowed = {"permissions": str(channel.allowed().value)}
                found.setdefault("channels", {})[name] = {**guild.channel(channel), **allowed}
            elif kind == _ROLE:
                found.setdefault("roles", {})[name] = self._known_roles([name])[0]
            else:
                found.setdefault("users", {})[name] = guild.user(int(name))
        return found

    def _known_roles(self, names: Iterable[str]) -> list[Row]:
        there = {role["id"]: role for role in self._store.guild.roles()}
        wanted = list(names)
        if unknown := [name for name in wanted if name not in there]:
            raise NotOffered(f"no role {', '.join(unknown)} in the guild; see add_role")
        return [there[name] for name in wanted]
