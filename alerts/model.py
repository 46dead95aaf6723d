"""What can be said and to whom: reports, messages, destinations, deliveries. Data only."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from core.anomaly import Anomaly
from core.judged import Judged

SAMPLE_STAMP = "SAMPLE: the built-in market, invented numbers"


@dataclass(frozen=True, slots=True)
class Report:
    """What was decided to be said about one session: every word of a digest comes from here."""

    judged: Judged
    pushed: tuple[Anomaly, ...]
    folded: tuple[Anomaly, ...]
    """Repeats of the last sessions, merged into one line."""
    suppressed: tuple[Anomaly, ...]
    """Corporate actions today: listed, not ranked."""
    beyond: tuple[Anomaly, ...]
    """Alertable, but past the cap."""
    suspected: tuple[Anomaly, ...] = ()
    """Possible unreported splits: held back, and listed."""
    top: int = 10
    """The cap: ALERT_TOP."""
    settings: str = "unknown"
    """Letters that change with any setting that decides what is said, as they were then."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: what is first seen, and the reasons under it."""

    head: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of a kind of their own, after the others."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A neutral document; each platform renders it natively."""

    title: str
    lead: str
    """Works alone, as the notification on a phone."""
    context: tuple[str, ...] = ()
    """Where the numbers come from."""
    banners: tuple[str, ...] = ()
    """Only what is out of the ordinary."""
    rows: tuple[Row, ...] = ()
    sections: tuple[Section, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    """Name and value, for cards."""
    footer: tuple[str, ...] = ()
    stamp: str = ""
    """Set on every message made of invented numbers."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go: a platform and its channel."""

    platform: str
    channel: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.channel}"


TERMINAL = Destination("console", "terminal")


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform's name for a message that arrived; needed to edit it."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one destination."""

    key: str
    destination: Destination
    series: str
    session: date
    revision: int
    state: State
    attempts: int
    since: int | None
    """The revision that the destination saw before: then it is a correction, else the digest."""
