"""What a channel wants to hear, as it is set by /subscribe. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import time

from alerts.words import some
from core.anomaly import TIERS, Anomaly
from core.bars import Scope
from core.instruments import ETF


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` by the clocks of `zone`, over midnight if need be."""

    start: time
    end: time
    zone: str

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True)
class Wants:
    """What a channel wants to hear; as it stands: everything, with a sound."""

    scope: Scope = Scope.ALL
    min_tier: str = "usual"
    top: int | None = None
    """None: ALERT_TOP."""
    watchlist: bool = False
    """Only tickers of the channel's own list."""
    etfs: bool = True
    quiet: QuietHours | None = None
    silent: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """What makes its digest shorter than everybody's."""
        said = []
        if self.scope is Scope.OFF_EXCHANGE:
            said.append("off-exchange only")
        if self.min_tier in TIERS:
            said.append(f"{self.min_tier} and up")
        if self.top is not None:
            said.append(f"at most {some(self.top, 'line')}")
        if self.watchlist:
            said.append("watchlist only")
        if not self.etfs:
            said.append("no ETFs")
        return tuple(said)

    def hears(self, anomaly: Anomaly, watched: Collection[str]) -> bool:
        """Is this one for the channel, whose list is `watched`?"""
        off = anomaly.scope is Scope.OFF_EXCHANGE or anomaly.shifted
        return (
            (self.scope is Scope.ALL or off)
            and TIERS.get(anomaly.tier, 0.0) >= TIERS.get(self.min_tier, 0.0)
            and (self.etfs or anomaly.kind != ETF)
            and (not self.watchlist or anomaly.ticker in watched)
        )


EVERYTHING = Wants()
