"""Which anomalies are said, in which order: order, cap, fold repeats. Pure."""

from collections import Counter
from collections.abc import Sequence

from alerts.model import Report
from core.anomaly import Anomaly
from core.instruments import ETF
from core.judged import Judged
from core.labels import CORPORATE_ACTION, OFF_EXCHANGE_SHIFT

MAX_PER_LABEL = 5
"""Of one kind; the rest is one command away."""

MAX_ETFS = 3
"""Funds of one market move together: they have a section of their own, and a small one."""

MAX_SHIFTS = 3
"""Of names that only their off-exchange share flags."""


def report(judged: Judged, top: int) -> Report:
    """At most `top` lines, best first, never filled up; repeats and (possible) splits apart."""
    suppressed = tuple(a for a in judged.anomalies if a.label == CORPORATE_ACTION)
    rest = [a for a in judged.anomalies if a.label != CORPORATE_ACTION]
    suspected = tuple(a for a in rest if a.suspected)
    rest = [a for a in rest if not a.suspected]
    again = [*(a for a in rest if a.continuing), *judged.lingering]
    pushed = lines(judged.anomalies, top)
    return Report(
        judged,
        pushed,
        tuple(sorted(again, key=lambda a: -a.score)),
        suppressed,
        tuple(a for a in rest if not a.continuing and a not in pushed),
        suspected,
        top,
    )


def lines(anomalies: Sequence[Anomaly], top: int) -> tuple[Anomaly, ...]:
    """Those of a session that are lines of its digest, best first."""
    pushed, count = list[Anomaly](), Counter[str]()
    for anomaly in anomalies:
        if anomaly.continuing or anomaly.suspected or anomaly.label == CORPORATE_ACTION:
            continue
        of = ETF if anomaly.kind == ETF else anomaly.label
        if len(pushed) < top and count[of] < _MOST.get(of, MAX_PER_LABEL):
            pushed.append(anomaly)
            count[of] += 1
    return tuple(pushed)


_MOST = {ETF: MAX_ETFS, OFF_EXCHANGE_SHIFT: MAX_SHIFTS}
