"""A session as it was judged, and what it was judged from: all that a text is made of. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from core.anomaly import Anomaly, Market, Rule
from core.bars import Series
from core.errors import Refusal


@dataclass(frozen=True, slots=True)
class Beside:
    """Where the prices come from, when they are another source's than the volume."""

    source: str
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A session as it was judged, and what it was judged from."""

    session: date
    series: Series
    revision: int
    source: str
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]
    stored_at: datetime
    row_count: int
    rule: Rule
    market: Market
    anomalies: tuple[Anomaly, ...]
    closest: Anomaly | None
    """The highest row under the cut, for a quiet day's line."""
    beside: Beside | None = None
    lingering: tuple[Anomaly, ...] = ()
    """Under the cut, but alertable in the sessions before: still elevated."""
    detector: str = "1"
    """core.anomaly.VERSION when it was judged."""
