"""What one channel is told of a session: the report, cut to what is wanted there. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import time

from alerts.model import Report
from alerts.rank import lines, report
from alerts.words import some
from core.anomaly import TIERS, Anomaly
from core.bars import Scope
from core.instruments import ETF
from core.judged import Judged

Hides = Callable[[Anomaly], bool]
"""Is this line muted?"""


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


def edition(
    judged: Judged,
    wants: Wants,
    top: int,
    told: Collection[str] | None,
    watched: Collection[str] = (),
    hides: Hides = lambda a: False,
    notes: Sequence[str] = (),
) -> Report:
    """What a channel is told: its lines, best first, and how many more a mute keeps back.

    `told`: the tickers that were lines of its digests of the sessions before, as in
    alerts.rank.report. `top`: ALERT_TOP, unless the channel wants another number.
    """
    most = wants.top or top
    heard = _only(judged, lambda a: wants.hears(a, watched))
    muted = tuple(a for a in lines(heard.anomalies, most, told) if hides(a))
    said = report(_only(heard, lambda a: not hides(a)), most, told)
    words = ", ".join(wants.words)
    settings = said.settings
    if words:
        settings = judged.rule.stamp(most, judged.series.key, words, *sorted(watched))
    return replace(said, muted=muted, wanted=words, notes=tuple(notes), settings=settings)


def _only(judged: Judged, wanted: Callable[[Anomaly], bool]) -> Judged:
    return replace(
        judged,
        anomalies=tuple(a for a in judged.anomalies if wanted(a)),
        lingering=tuple(a for a in judged.lingering if wanted(a)),
    )
