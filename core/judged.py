"""A session as it was judged, and what it was judged from: all that a text is made of. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from core.anomaly import Anomaly, Market, Rule
from core.bars import Series
from core.errors import Refusal
from core.news import Headlines


@dataclass(frozen=True, slots=True)
class Beside:
    """Where the prices come from, when they are another source's than the volume."""

    source: str
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A ticker in its first session."""

    ticker: str
    dollar_volume_usd: float


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
    new: tuple[Listing, ...] = ()
    """What was listed today."""
    news: Headlines | None = None
    """Of the anomalies; None where nobody can tell."""
    detector: str = "1"
    """core.anomaly.VERSION when it was judged."""
