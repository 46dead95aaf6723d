"""What one channel is told of a session: the report, cut to what is wanted there. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from alerts.model import Report
from alerts.rank import lines, report
from alerts.wants import Wants
from core.anomaly import Anomaly
from core.judged import Judged

Hides = Callable[[Anomaly], bool]
"""Is this line muted?"""


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
    return replace(
        said,
        muted=muted,
        wanted=words,
        notes=tuple(notes),
        settings=settings,
        wants=wants,
        watched=tuple(sorted(watched)),
    )


def _only(judged: Judged, wanted: Callable[[Anomaly], bool]) -> Judged:
    return replace(
        judged,
        anomalies=tuple(a for a in judged.anomalies if wanted(a)),
        lingering=tuple(a for a in judged.lingering if wanted(a)),
    )
