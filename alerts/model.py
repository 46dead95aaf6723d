"""What can be said and to whom: reports, messages, destinations, deliveries. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from alerts.wants import Wants
from core.anomaly import Anomaly
from core.judged import Judged

SAMPLE_STAMP = "SAMPLE: the built-in market, invented numbers"


class Detail(StrEnum):
    """How much of the vendor's own numbers is told; plans restrict who may see them."""

    FULL = "full"
    DERIVED = "derived"
    """Ranks, multiples, rarities and moves; no price, and no count of shares, trades or dollars."""

    @property
    def raw(self) -> bool:
        """Prices and counts as well?"""
        return self is Detail.FULL


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
    muted: tuple[Anomaly, ...] = ()
    """Would be lines, had nobody muted them."""
    wanted: str = ""
    """What a channel wants to hear, in words; empty if it is everything."""
    notes: tuple[str, ...] = ()
    """What this channel must know besides: mutes that are over."""
    wants: Wants | None = None
    """As they were when it was told first, and so for every later revision; None for everybody."""
    watched: tuple[str, ...] = ()
    """The channel's list, likewise."""


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
    brief: bool = False
    """A chat shows the lead and the banners only, and makes no sound."""
    charts: tuple["ChartOf", ...] = ()
    """Pictures that belong to it; drawn when it is sent."""
    table: "Table | None" = None
    """The rows at a glance, for narrow screens; it has nothing that the rows have not."""
    actions: tuple["Action", ...] = ()
    """Buttons under it."""
    menus: tuple["Menu", ...] = ()
    files: tuple["File", ...] = ()
    """What is too much for a chat, to be opened elsewhere."""


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and a few short words a row; all but the first column are numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Action:
    """A click that types a command: `why NVDA 2026-11-25`, without its slash."""

    label: str
    command: str
    note: str = ""
    """In a menu: what stands below the label."""

    @property
    def key(self) -> str:
        """What a button carries: the command itself stays on our side (alerts.buttons)."""
        return blake2b(self.command.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Menu:
    """A list to choose one action from."""

    placeholder: str
    options: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A text to download."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class ChartOf:
    """Which picture: one ticker up to a session of a series."""

    series: str
    session: date
    ticker: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture."""

    png: bytes
    alt: str
    """The same in words, for those who cannot see it; at most 1,000 characters."""
    name: str = "chart.png"


@dataclass(frozen=True, order=True, slots=True)
class Destination:
    """Where messages go: a platform and its channel."""

    platform: str
    channel: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.channel}"

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """`discord:123`; ValueError if there is no platform or no channel in it."""
        platform, colon, channel = text.partition(":")
        if not (platform and colon and channel):
            raise ValueError(f"{text!r} is no destination")
        return cls(platform, channel)


TERMINAL = Destination("console", "terminal")


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"
    EXPIRED = "expired"


class Kind(StrEnum):
    """What a delivery is to its reader."""

    DIGEST = "digest"
    """The one message of a session."""
    EDIT = "edit"
    """The same message with a later revision's numbers."""
    CORRECTION = "correction"
    """A name entered or left: one line in the digest's thread."""
    DETAILS = "details"
    """Pictures of the first lines, and lines past the cap, in the digest's thread."""
    NOTICE = "notice"
    """One line of its own: a held day; for operators a late day or a delivery in trouble."""
    PING = "ping"
    """The dead-man signal: a session was published."""


ATTACHED = (Kind.EDIT, Kind.CORRECTION, Kind.DETAILS)
"""These need the digest's own message."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform's name for a message that arrived; needed to edit it and to answer in its
    thread."""

    message_id: str
    fallback: str = ""
    """Why it went out as plain text; empty if it did not."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready for one destination."""

    key: str
    """The same key twice is one message."""
    message: Message
    silent: bool = False
    anchor: Receipt | None = None
    """The message in whose thread it belongs."""
    pictures: tuple[Picture, ...] = ()

    @property
    def token(self) -> str:
        """The key in 24 characters, as platforms carry it (Discord's nonce has room for 25)."""
        return blake2b(self.key.encode(), digest_size=12).hexdigest()


CLOCKS_DIFFER = timedelta(minutes=15)
"""A machine's clock and a platform's: so far apart a message is still found."""


@dataclass(frozen=True, slots=True)
class Tried:
    """When an attempt may have been accepted, by this machine's clock."""

    since: datetime
    until: datetime
    last: datetime
    """When the last attempt began: its request may still be on its way."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one destination."""

    id: int
    key: str
    destination: Destination
    series: str
    session: date
    revision: int
    kind: Kind
    state: State
    attempts: int
    doubt: bool
    """An attempt may have arrived, whatever came of it later."""
    since: int | None
    """The revision that its readers saw before, of an edit or a correction."""
    edition: str | None
    """Which lines, by alerts.editions; None if it is about no lines."""
    body: Message | None
    """The message itself, where it is not made of an edition."""
    silent: bool
    created_at: datetime
    first_try_at: datetime | None
    last_try_at: datetime | None
    next_try_at: datetime | None
    """None: waits for its digest, or for an operator."""
    changed_at: datetime
    reason: str | None
    seen: str | None
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Troubled:
    """What is not where it should be: how much, and the first of it."""

    stuck: int
    """Waits for an operator: refused, ambiguous without a look, given up for its age."""
    going: int
    """Goes on by itself."""
    first: tuple[Delivery, ...]
    """The stuck ones before the others, the newest session first."""
    alike: Mapping[int, int]
    """By the delivery's number: so many more of its channel are stuck for the same reason."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a destination needs, and whether it is so."""

    name: str
    ok: bool
    seen: str
    next_step: str = ""
