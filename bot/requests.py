"""What somebody asked, and what is answered: the same for every platform. Knows no chat library."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from alerts.budget import clipped
from alerts.model import TERMINAL, Destination, Message
from bot.forms import NOT_A_CHANNEL
from bot.setting_types import PLATFORMS, channel_id
from core.errors import CommandError


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What somebody typed, and who and where they are."""

    name: str
    words: tuple[str, ...]
    who: str
    """A person on a platform: `discord:@123`."""
    where: str
    """A channel on a platform: `discord:456`."""
    operator: bool = False
    """May they change what others are told?"""
    everywhere: bool = True
    """If so, in any channel; else only in the one they ask in."""
    how: str = ""
    """How one becomes an operator there."""
    demands: list[str] = field(default_factory=list, compare=False)
    """Everything it asked for that only operators may, for audit."""
    denied: list[str] = field(default_factory=list, compare=False)
    """What of that was refused."""

    @classmethod
    def parse(
        cls,
        text: str,
        who: str,
        where: str,
        *,
        operator: bool = False,
        everywhere: bool = True,
        how: str = "",
    ) -> "CommandRequest":
        """`/ticker NVDA 60`, with or without the slash."""
        words = text.strip().removeprefix("/").split()
        name = words[0].lower() if words else ""
        return cls(name, tuple(words[1:]), who, where, operator, everywhere, how)

    @classmethod
    def typed(cls, text: str) -> "CommandRequest":
        """At the terminal of the machine itself, whose user may do everything."""
        return cls.parse(text, "console:@terminal", str(TERMINAL), operator=True)

    @property
    def channel(self) -> Destination:
        """Where it was asked."""
        return Destination.parse(self.where)

    @property
    def sees_all(self) -> bool:
        """Is every channel their business?"""
        return self.operator and self.everywhere

    def sees(self, destination: Destination) -> bool:
        """Else the one they ask in is; on Slack, where a bot is of one workspace, all of it is."""
        return (
            self.sees_all
            or destination == self.channel
            or destination.platform == self.channel.platform == "slack"
        )

    def redirected(self) -> "CommandRequest":
        """As if it were asked in the channel that the first word names; as it is if none does.

        Raises CommandError for a name that is no id, and for anybody but an operator, unless it is
        the channel that they are in.
        """
        first = self.words[0] if self.words else ""
        named = first.removeprefix(NOT_A_CHANNEL)
        platform, colon, channel = named.partition(":")
        if named == first and (not colon or platform.lower() not in PLATFORMS):
            return self
        if not channel_id(platform.lower(), channel):
            raise CommandError(
                f"{clipped(named, 40)!r}: a channel is picked from the list that is offered, or"
                " named by its id, such as discord:123456789012345678 or slack:C0123ABCDEF"
            )
        where = f"{platform.lower()}:{channel}"
        if where != self.where:
            self.only_operators("Asking for another channel", everywhere=True)
        return replace(self, words=self.words[1:], where=where)

    def only_operators(self, what: str, *, everywhere: bool = False) -> None:
        """Raises CommandError for anybody else; what was demanded is on record either way.

        `everywhere`: it is not about the channel in which it is asked.
        """
        self.demands.append(what)
        if self.operator and (self.everywhere or not everywhere):
            return
        self.denied.append(what)
        if self.operator:
            raise CommandError(
                f"{what} reaches beyond this server, so it is for operators who are named in"
                " DISCORD_OPERATORS, or who manage the server of DISCORD_GUILD_ID"
            )
        how = f" ({self.how})" if self.how else ""
        raise CommandError(f"{what} is for operators; ask one of them{how}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; private unless somebody shares it. `ok` is False for a refusal in words."""

    message: Message
    private: bool = True
    ok: bool = True


ONLY_HERE = "what concerns other servers is shown to operators"
"""Said under an answer that leaves something out for that reason."""

Handler = Callable[[CommandRequest], Awaitable[Message]]
