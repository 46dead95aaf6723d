"""The people of the local Slack, their groups, and what only one of them sees."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.servers.chat import Row
from tests.servers.slack_messages import Messages, Refused
from tests.servers.slack_store import SOMEONE, TEAM, Ephemeral, StoredChannel, StoredMessage

Arguments = Mapping[str, Any]


class People:
    """Everyone by id, and who is in which group."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {SOMEONE: "alice"}
        self.usergroups: dict[str, list[str]] = {}
        """The members of each group, by the group's id."""

    def name(self, user_id: str) -> str:
        """What they are called; whoever does something is somebody."""
        return self.names.setdefault(user_id, user_id.removeprefix("U0").lower())

    def info(self, arguments: Arguments) -> Row:
        """One person's profile, as little of it as is of use."""
        user_id = str(arguments.get("user"))
        if user_id not in self.names:
            raise Refused("user_not_found")
        name = self.names[user_id]
        zone = {"tz": "America/New_York", "tz_label": "Eastern Standard Time", "tz_offset": -18_000}
        profile = {"real_name": name.title(), "display_name": name}
        user = {"id": user_id, "team_id": TEAM, "name": name, "deleted": False, "is_bot": False}
        return {"user": user | zone | {"profile": profile, "locale": "en-US"}}

    def members(self, arguments: Arguments) -> Row:
        """Who is in a group."""
        group = str(arguments.get("usergroup"))
        if group not in self.usergroups:
            raise Refused("no_such_subteam")
        return {"users": list(self.usergroups[group])}


class Ephemerals:
    """What was shown to one person only, oldest first."""

    def __init__(
        self, now: Callable[[], datetime], accepted: Callable[[str], None], people: People
    ) -> None:
        self.all: list[Ephemeral] = []
        self._now = now
        self._accepted = accepted
        self._people = people

    def post(self, arguments: Arguments, scopes: frozenset[str], messages: Messages) -> Ephemeral:
        """Show it, as chat.postEphemeral does."""
        channel = messages.writable(arguments, scopes)
        user = str(arguments.get("user") or "")
        if user not in self._people.names:
            raise Refused("user_not_in_channel")
        messages.check(arguments, edit=False)
        shown = self.show(channel, user, arguments)
        self._accepted("chat.postEphemeral")
        return shown

    def show(self, channel: StoredChannel, user: str, body: Arguments) -> Ephemeral:
        """Only this person sees it; its ts finds nothing in the channel."""
        ts, thread_ts = channel.next_ts(self._now()), body.get("thread_ts")
        text, blocks = str(body.get("text") or ""), list(body.get("blocks") or [])
        self.all.append(Ephemeral(channel.id, ts, user, text, blocks, thread_ts))
        return self.all[-1]


def replaced(original: StoredMessage | Ephemeral, body: Row, messages: Messages) -> None:
    """Something else stands in its place."""
    if isinstance(original, StoredMessage):
        messages.edit(original, {"text": "", **body})
        return
    original.before.append((original.text, original.blocks))
    original.text, original.blocks = str(body.get("text") or ""), list(body.get("blocks") or [])
