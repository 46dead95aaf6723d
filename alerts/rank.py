"""Which anomalies are said, in which order: order, cap, fold repeats. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence

from alerts.model import Report
from core.anomaly import Anomaly
from core.instruments import ETF
from core.judged import Judged
from core.labels import CORPORATE_ACTION, OFF_EXCHANGE_SHIFT

OTHER_LABELS = 3
"""So many lines of the cap are kept for other labels than the most frequent one."""

MAX_ETFS = 3
"""Funds of one market move together: they have a section of their own, and a small one."""

MAX_SHIFTS = 3
"""Of names that only their off-exchange share flags."""


def report(judged: Judged, top: int, told: Collection[str] | None = None) -> Report:
    """At most `top` lines, best first, never filled up; repeats and (possible) splits apart.

    `told`: the tickers that were lines of the digests of the sessions before; only these are
    folded. None: nobody knows, and every repeat is.
    """
    suppressed = tuple(a for a in judged.anomalies if a.label == CORPORATE_ACTION)
    rest = [a for a in judged.anomalies if a.label != CORPORATE_ACTION]
    suspected = tuple(a for a in rest if a.suspected)
    rest = [a for a in rest if not a.suspected]
    again = [*(a for a in rest if _is_repeat(a, told)), *judged.lingering]
    pushed = lines(judged.anomalies, top, told)
    return Report(
        judged,
        pushed,
        tuple(sorted(again, key=lambda a: -a.score)),
        suppressed,
        tuple(a for a in rest if not _is_repeat(a, told) and a not in pushed),
        suspected,
        top,
        judged.rule.stamp(top, judged.series.key),
    )


def lines(
    anomalies: Sequence[Anomaly], top: int, told: Collection[str] | None = None
) -> tuple[Anomaly, ...]:
    """Those of a session that are lines of its digest, best first."""
    pushed, count = list[Anomaly](), Counter[str]()
    for anomaly in anomalies:
        if _is_repeat(anomaly, told) or anomaly.suspected or anomaly.label == CORPORATE_ACTION:
            continue
        of = {anomaly.label, ETF} if anomaly.kind == ETF else {anomaly.label}
        if len(pushed) < top and all(count[kind] < _most(kind, top) for kind in of):
            pushed.append(anomaly)
            count.update(of)
    return tuple(pushed)


def _is_repeat(anomaly: Anomaly, told: Collection[str] | None) -> bool:
    return anomaly.continuing and (told is None or anomaly.ticker in told)


def _most(kind: str, top: int) -> int:
    least = {ETF: MAX_ETFS, OFF_EXCHANGE_SHIFT: MAX_SHIFTS}
    return least.get(kind, max(top - OTHER_LABELS, OTHER_LABELS))
