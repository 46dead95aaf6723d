"""What readers said of lines, and the one setting that would have done most about the noise. Pure.

A proposal rests on the lines as they were when they were marked; it changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, count, takewhile
from math import inf

from alerts.words import listed, some
from core.anomaly import Anomaly, Rule

LEAST_NOISE, LEAST_READERS, LEAST_SESSIONS = 5, 2, 3
"""A proposal needs so many noise marks, by so many readers or over so many sessions."""
LEAST_USEFUL = 3
"""And so many useful ones: without them every setting looks free."""
LEAST_REMOVED = 1 / 3
"""What does less about the noise is no proposal."""
MOST_LOST = 1 / 10
"""Of the useful marks, and only if nothing can be had for none of them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One reader's word on one line, with the line as it was."""

    who: str
    session: date
    useful: bool
    anomaly: Anomaly


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting, and what it would have done to the marked lines."""

    word: str
    """As /preview calls it: min, floor or price."""
    value: float
    removed: int
    noise: int
    lost: int
    useful: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said so far."""

    useful: int
    noise: int
    readers: int
    sessions: int
    noise_labels: str
    """The kinds of line that were called noise, the most frequent first."""


@dataclass(frozen=True, slots=True)
class _Knob:
    """A number of a line that has to reach a setting, and the values worth proposing for it."""

    word: str
    of: Callable[[Anomaly], float]
    present: Callable[[Rule], float]
    steps: Callable[[], Iterator[float]]
    most: float


def _quarters() -> Iterator[float]:
    return (n / 4 for n in count(1))


def _round_numbers() -> Iterator[float]:
    """0.01, 0.015, 0.02, ...: few, for evidence is thin."""
    return chain.from_iterable(
        (round(mantissa * 10.0**power, 6) for mantissa in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5))
        for power in count(-2)
    )


def _z(anomaly: Anomaly) -> float:
    """What the alert on the share flags as well stays, whatever the cut."""
    return inf if anomaly.shifted else anomaly.z


# The narrower reason first: of two that do the same the first is proposed. Not the cap of lines: it
# leaves out whatever is last on a busy day, not what is noise.
_KNOBS = (
    _Knob("price", lambda a: a.close, lambda r: r.min_close_usd, _round_numbers, 1000.0),
    _Knob("floor", lambda a: a.adv_usd, lambda r: r.min_adv_usd, _round_numbers, 1e10),
    _Knob("min", _z, lambda r: r.min_z, _quarters, 12.0),
)


def tally(marks: Sequence[Mark]) -> Tally:
    """The counts of all marks."""
    noise = [mark for mark in marks if not mark.useful]
    labels = Counter(mark.anomaly.label for mark in noise).most_common()
    return Tally(
        useful=len(marks) - len(noise),
        noise=len(noise),
        readers=len({mark.who for mark in marks}),
        sessions=len({mark.session for mark in marks}),
        noise_labels=listed([f"{label} {number}" for label, number in labels], 4),
    )


def standing(marks: Sequence[Mark], rule: Rule) -> list[Mark]:
    """Marks of lines that the present settings would let through still."""
    return [
        mark
        for mark in marks
        if all(knob.of(mark.anomaly) >= knob.present(rule) for knob in _KNOBS)
    ]


def missing(marks: Sequence[Mark]) -> str:
    """What a proposal still needs; empty if there is enough."""
    noise = [mark for mark in marks if not mark.useful]
    useful = len(marks) - len(noise)
    readers, sessions = len({m.who for m in noise}), len({m.session for m in noise})
    needs = []
    if len(noise) < LEAST_NOISE:
        needs.append(f"{some(LEAST_NOISE, 'noise mark')} (there {_are(len(noise))})")
    if useful < LEAST_USEFUL:
        needs.append(f"{some(LEAST_USEFUL, 'useful mark')} (there {_are(useful)})")
    if readers < LEAST_READERS and sessions < LEAST_SESSIONS:
        needs.append(
            f"noise marks by {LEAST_READERS} readers or over {LEAST_SESSIONS} sessions (so far"
            f" {some(readers, 'reader')}, {some(sessions, 'session')})"
        )
    return " and ".join(filter(None, (", ".join(needs[:-1]), *needs[-1:])))


def _are(number: int) -> str:
    return f"is {number}" if number == 1 else f"are {number}"


def propose(marks: Sequence[Mark], rule: Rule) -> Proposal | None:
    """The setting that leaves out most noise and no useful line.

    If none for free does enough, one that loses at most MOST_LOST of the useful ones; None if no
    single setting does.
    """
    noise = [mark.anomaly for mark in marks if not mark.useful]
    useful = [mark.anomaly for mark in marks if mark.useful]
    found = [p for knob in _KNOBS for p in _tried(knob, noise, useful, rule)]
    for most in (0.0, MOST_LOST * len(useful)):
        worth = [p for p in found if p.lost <= most and p.removed >= LEAST_REMOVED * len(noise)]
        if worth:
            # The first of equals is the mildest value of the narrowest knob.
            return max(worth, key=lambda p: (p.removed, -p.lost))
    return None


def _tried(
    knob: _Knob, noise: Sequence[Anomaly], useful: Sequence[Anomaly], rule: Rule
) -> list[Proposal]:
    """Every value of one setting that would have removed something, mildest first."""
    values = takewhile(lambda value: value <= knob.most, knob.steps())
    tried = [
        Proposal(
            knob.word,
            value,
            removed=sum(knob.of(a) < value for a in noise),
            noise=len(noise),
            lost=sum(knob.of(a) < value for a in useful),
            useful=len(useful),
        )
        for value in values
        if value > knob.present(rule)
    ]
    return [one for one in tried if one.removed]
