"""Which anomalies are said, in which order: order, cap, fold repeats. Pure."""

from collections import Counter

from alerts.model import Report
from core.anomaly import Anomaly
from core.judged import Judged
from core.labels import CORPORATE_ACTION

MAX_PER_LABEL = 5
"""Of one kind; the rest is one command away."""


def report(judged: Judged, top: int) -> Report:
    """At most `top` lines, best first, never filled up; repeats and (possible) splits apart."""
    suppressed = tuple(a for a in judged.anomalies if a.label == CORPORATE_ACTION)
    rest = [a for a in judged.anomalies if a.label != CORPORATE_ACTION]
    suspected = tuple(a for a in rest if a.suspected)
    rest = [a for a in rest if not a.suspected]
    again = [*(a for a in rest if a.continuing), *judged.lingering]
    fresh = [a for a in rest if not a.continuing]
    pushed, per_label = list[Anomaly](), Counter[str]()
    for anomaly in fresh:
        if len(pushed) < top and per_label[anomaly.label] < MAX_PER_LABEL:
            pushed.append(anomaly)
            per_label[anomaly.label] += 1
    return Report(
        judged,
        tuple(pushed),
        tuple(sorted(again, key=lambda a: -a.score)),
        suppressed,
        tuple(a for a in fresh if a not in pushed),
        suspected,
        top,
    )
