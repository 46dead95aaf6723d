"""What somebody is shown who asked, on any platform; and what its buttons carry. Data only."""

from dataclasses import dataclass

from alerts.model import Message, Picture

DO, SHARE = "do", "share"
"""What a button's id begins with: `do:KEY`, `share:KEY`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A message for one who asked, ready to be shown on any platform."""

    message: Message
    pictures: tuple[Picture, ...] = ()
    share: str = ""
    """The key of its Share button; empty if it has none."""
    public: bool = False
    """For everybody in the channel."""
    shares: str = ""
    """The key of the private answer that it shares."""


@dataclass(slots=True)
class Sharing:
    """What is known of a public answer while it is given."""

    may_be_out: bool = False
    """False while surely nobody sees it: then it may be shared again."""


def share_id(answer: Answer) -> str:
    """What the Share button carries."""
    return f"{SHARE}:{answer.share}"


def do_id(key: str) -> str:
    """What a button carries that types a command."""
    return f"{DO}:{key}"
