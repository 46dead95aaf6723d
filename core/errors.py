"""Every error Tapewatch raises on purpose, outlined here; a leaf says what its catcher does.

TapewatchError
  ConfigError            stop at start-up with the list of everything that is wrong
  SourceError
    NotPublished         too early, or no session: ask again at the next bell
    SourceUnavailable    network, 5xx, 429: ask again soon
    SourceRefused        401/403: stop asking this source, use the next, tell the operator
    BadBars              arrived but unusable: never judged, tell the operator
      HeldBars           readable but implausible: its rows are kept aside
  LeaseLost              another copy of the service works now: write nothing more, end
  BarsAway               the storage of bars cannot be used now: nothing is lost, ask again
  DeliveryError
    DeliveryDeferred     surely not there: try again, after retry_after_s if it is given
    DeliveryAmbiguous    it may have arrived: look before sending again
    DeliveryRefused      another try would be refused too: stop, tell the operator
  CommandError           its text is shown, privately, to whoever asked
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The process that counts trades raises these too, and has no room for polars.
    from polars import DataFrame


class Verdict(StrEnum):
    """What is the matter with a data source: the doctor's closed list."""

    OK = "ok"
    NOT_CONFIGURED = "not configured"
    WRONG_ACCESS_KEY = "wrong access key"
    WRONG_SECRET = "wrong secret"  # noqa: S105 - the name of a fault
    KEY_LOOKS_LIKE_API_KEY = "access key looks like the API key"
    CLOCK_WRONG = "clock wrong"
    PLAN_LACKS_DATA_SET = "plan lacks this data set"
    DATE_OUTSIDE_PLAN = "date outside the plan"
    REFUSAL_UNCLEAR = "refused, not known why"
    NOT_PUBLISHED_YET = "not published yet"
    NOT_A_SESSION = "not a session"
    RATE_LIMITED = "rate limited"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate not accepted"
    VENDOR_FAULT = "vendor fault"
    NO_ACCESS = "no access"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A source that was asked and did not serve."""

    source: str
    verdict: Verdict
    seen: str


class TapewatchError(Exception):
    """The root of everything raised on purpose."""


class ConfigError(TapewatchError):
    """Stop at start-up; `faults` lists everything that is wrong, one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class LeaseLost(TapewatchError):
    """Another copy of the service has the state database."""


class BarsAway(TapewatchError, OSError):
    """What the storage answered, in the text; an OSError, as a full disk is."""

    def __init__(self, seen: str, verdict: Verdict) -> None:
        super().__init__(seen)
        self.verdict = verdict


class SourceError(TapewatchError):
    """A source could not give a session's bars: `verdict` and what was `seen` say why."""

    verdict = Verdict.VENDOR_FAULT

    def __init__(self, seen: str, verdict: Verdict | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        if verdict is not None:
            self.verdict = verdict


class NotPublished(SourceError):
    """Too early, or no session: ask again at the next bell; warn after the deadline."""

    verdict = Verdict.NOT_PUBLISHED_YET


class SourceUnavailable(SourceError):
    """Network, 5xx or 429: ask again soon, after `retry_after_s` seconds if it is given."""

    verdict = Verdict.UNREACHABLE

    def __init__(
        self, seen: str, verdict: Verdict | None = None, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(seen, verdict)
        self.retry_after_s = retry_after_s


class SourceRefused(SourceError):
    """401 or 403: stop asking this source, use the next one, tell the operator."""

    verdict = Verdict.PLAN_LACKS_DATA_SET


class BadBars(SourceError):
    """Arrived but unusable: kept aside, never judged, tell the operator."""


class HeldBars(BadBars):
    """Readable, but fails the gate: `rows` are kept aside for a person to see.

    So are the rows of other series that came along: `also`, by their series.
    """

    also: "tuple[tuple[Any, DataFrame], ...]" = ()

    def __init__(self, seen: str, rows: "DataFrame") -> None:
        super().__init__(seen)
        self.rows = rows


class Reason(StrEnum):
    """What became of one attempt to deliver a message: a closed list, fit for a metric's label."""

    DELIVERED = "delivered"
    FOUND = "found already there"
    # Surely not there; it is tried again.
    RATE_LIMITED = "rate limited"
    UNREACHABLE = "unreachable"
    SAFE_TO_REPEAT = "not there, or harmless to repeat"
    QUIET_HOURS = "quiet hours"
    # It may be there: looked for before it is sent again.
    NO_ANSWER = "no answer"
    CONNECTION_LOST = "connection lost"
    SERVER_ERROR = "server error"
    INTERRUPTED = "stopped while sending"
    LOOK_UP_IMPOSSIBLE = "history cannot be read"
    # Refused: another try would be refused as well.
    CHANNEL_GONE = "no such channel"
    NOT_A_MEMBER = "not a member of the channel"
    NO_PERMISSION = "no permission"
    TOKEN_REFUSED = "token refused"  # noqa: S105 - the name of a fault
    MESSAGE_REJECTED = "message rejected"
    MESSAGE_GONE = "message deleted there"
    OUR_FAULT = "a fault of ours"
    # Ended by us.
    SUPERSEDED = "superseded"
    TOO_OLD = "too old"
    DROPPED = "dropped by an operator"
    RESENT = "sent again by an operator"
    NO_MESSAGE = "its message never arrived"
    NOTHING_TO_SHOW = "nothing to show"
    NOT_DRAWN = "its pictures could not be made or taken"


REFUSALS = (
    *(Reason.CHANNEL_GONE, Reason.NOT_A_MEMBER, Reason.NO_PERMISSION, Reason.TOKEN_REFUSED),
    *(Reason.MESSAGE_REJECTED, Reason.MESSAGE_GONE, Reason.OUR_FAULT),
)
"""After one of these somebody has to do something."""


class DeliveryError(TapewatchError):
    """A message did not surely reach its destination: `reason`, and what was `seen`."""

    def __init__(self, reason: Reason, seen: str = "") -> None:
        super().__init__(f"{reason}: {seen}" if seen else str(reason))
        self.reason, self.seen = reason, seen


class DeliveryDeferred(DeliveryError):
    """Surely not there: try again, after `retry_after_s` seconds if it is given (429)."""

    def __init__(
        self, reason: Reason, seen: str = "", *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason, seen)
        self.retry_after_s = retry_after_s


class DeliveryAmbiguous(DeliveryError):
    """It may have arrived: look before sending again; an operator's business if nobody can look."""


class DeliveryRefused(DeliveryError):
    """Another try would be refused too: stop, tell the operator."""


class CommandError(TapewatchError):
    """Its text is shown, privately, to whoever asked."""
