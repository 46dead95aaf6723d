"""What a later revision of a session changes in what was said about it. Pure.

Numbers are updated without a word; only a name that enters or leaves the pushed list is worth one.
"""

from dataclasses import dataclass

from alerts.message import explain, flagged, stamp, title
from alerts.model import Detail, Message, Report, Row
from alerts.words import clock, day, listed
from core.anomaly import Anomaly

_NAMES = 8


@dataclass(frozen=True, slots=True)
class Changes:
    """The pushed lists of two reports about one session, compared."""

    entered: tuple[Anomaly, ...]
    """In the order of the later one."""
    left: tuple[Anomaly, ...]
    """As they were said in the earlier one."""

    def __bool__(self) -> bool:
        return bool(self.entered or self.left)

    def __str__(self) -> str:
        """+ABCD −WXYZ."""
        signed = [f"+{a.ticker}" for a in self.entered] + [f"−{a.ticker}" for a in self.left]
        return listed(signed, _NAMES)


def changes(before: Report, after: Report) -> Changes:
    """Who entered, who left."""
    was, now = ({a.ticker for a in report.pushed} for report in (before, after))
    return Changes(
        tuple(a for a in after.pushed if a.ticker not in was),
        tuple(a for a in before.pushed if a.ticker not in now),
    )


def correction(before: Report, after: Report, detail: Detail = Detail.FULL) -> Message:
    """The word about a revision; both reports are about the same session of the same series."""
    found, judged = changes(before, after), after.judged
    entered = [Row(f"+ {explain(a, detail)}") for a in found.entered]
    left = [Row(f"− {a.ticker}  was {flagged(a)}; {_now(a, after)}") for a in found.left]
    revisions = f"data revision {judged.revision}, before: {before.judged.revision}"
    return Message(
        title=f"Correction · {title(judged.series)} · {day(judged.session)}",
        lead=f"{day(judged.session)} was republished; on the new data {_summary(found)}.",
        rows=(*entered, *left),
        footer=(
            f"{judged.source} · read {clock(judged.stored_at)} · {revisions}",
            f"/anomalies {judged.session} shows the list with its new numbers",
        ),
        stamp=stamp(judged.series),
    )


def _summary(found: Changes) -> str:
    enters, leaves = ([a.ticker for a in names] for names in (found.entered, found.left))
    said = []
    if enters:
        said.append(f"{listed(enters, _NAMES)} {'enter' if len(enters) > 1 else 'enters'}")
    if leaves:
        said.append(f"{listed(leaves, _NAMES)} {'leave' if len(leaves) > 1 else 'leaves'}")
    return f"{' and '.join(said)} the list" if said else "the list is the same"


def _now(was: Anomaly, after: Report) -> str:
    """What became of a name that left."""
    places = {
        "folded as a repeat now": after.folded,
        "a split was executed that day": after.suppressed,
        "a possible unreported split, held back": after.suspected,
        "past the cap of the list now": after.beyond,
    }
    for said, names in places.items():
        for a in names:
            if a.ticker == was.ticker:
                return f"{flagged(a)} now, {said}"
    return "no longer flagged"
