"""Who somebody is on a platform, and whether they may do what only operators may. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Asker:
    """A person in a channel of a platform, as the platform itself tells us."""

    platform: str
    user: str
    """The platform's id of a person; names can be chosen by anybody."""
    channel: str
    roles: frozenset[str] = frozenset()
    """Discord: ids of their roles. Slack: ids of the user groups that are asked about."""
    manages: bool = False
    """Discord: may they manage the server?"""
    server: str = ""
    """Discord: which one."""
    doubt: str = ""
    """Why they may be more than their roles tell, in words; empty if all are known."""

    @property
    def who(self) -> str:
        """`discord:@123`"""
        return f"{self.platform}:@{self.user}"

    @property
    def where(self) -> str:
        """`discord:456`"""
        return f"{self.platform}:{self.channel}"


class Power(IntEnum):
    """How far somebody's word reaches."""

    NONE = 0
    HERE = 1
    """The channel they ask in."""
    EVERYWHERE = 2
    """Any channel, and the service itself."""


@dataclass(frozen=True, slots=True)
class Operators:
    """Ids of people, and of roles or user groups, by platform."""

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    home: str | None = None
    """The Discord server whose managers are operators where nobody is named."""

    def power(self, asker: Asker) -> Power:
        """Everywhere: named themselves or by a role. Where nobody is named, whoever manages the
        server is one: of the home server everywhere, of any other only where they ask."""
        named = self.ids.get(asker.platform, frozenset())
        if named:
            is_named = asker.user in named or not named.isdisjoint(asker.roles)
            return Power.EVERYWHERE if is_named else Power.NONE
        if not asker.manages:
            return Power.NONE
        return Power.EVERYWHERE if asker.server == self.home else Power.HERE

    def how(self, asker: Asker) -> str:
        """How one becomes an operator, in a few words; and what may stand in the way."""
        setting = f"{asker.platform.upper()}_OPERATORS"
        if asker.platform == "discord" and not self.ids.get(asker.platform):
            return f"whoever may manage the server is one, or {setting} names them"
        return f"{setting} names them{f'; {asker.doubt}' if asker.doubt else ''}"
