"""Who somebody is on a platform, and whether they may do what only operators may. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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

    @property
    def who(self) -> str:
        """`discord:@123`"""
        return f"{self.platform}:@{self.user}"

    @property
    def where(self) -> str:
        """`discord:456`"""
        return f"{self.platform}:{self.channel}"


@dataclass(frozen=True, slots=True)
class Operators:
    """Ids of people, and of roles or user groups, by platform."""

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def include(self, asker: Asker) -> bool:
        """Named, or by a role; on Discord, where none is named, whoever manages the server."""
        named = self.ids.get(asker.platform, frozenset())
        if not named:
            return asker.manages
        return asker.user in named or not named.isdisjoint(asker.roles)

    def how(self, platform: str) -> str:
        """How one becomes an operator, in a few words."""
        setting = f"{platform.upper()}_OPERATORS"
        if platform == "discord" and not self.ids.get(platform):
            return f"whoever may manage the server is one, or {setting} names them"
        return f"{setting} names them"
