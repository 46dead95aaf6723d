"""What a reader sees of a preview: both sides beside each other, names gained and lost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from alerts.message import DISCLAIMER, stamp, where
from alerts.model import Message, Row
from alerts.preview import Lines, Name, Preview
from alerts.words import day, listed, some
from core.bars import Series

_BINS = ((0, 0), (1, 2), (3, 5), (6, 10), (11, 20), (21, 50))
_LAST_IF_EMPTY = 20
_BAR = 6
_OFTEN, _NEWEST = 4, 6
_GAINED = "gained with fewer lines: there is room under the cap, or no earlier line folds them"

_NAMELESS = (
    "no names: the one that is lost between two floors has its price, or its usual volume, between"
    " them, and by the data's licence they are not told here"
)


@dataclass(frozen=True, slots=True)
class Tried:
    """One setting: its word, both values in words, and the line that would make it so."""

    word: str
    now: str
    then: str
    line: str


def preview_card(
    found: Preview,
    tried: Sequence[Tried],
    notes: Sequence[str],
    series: Series,
    *,
    named: bool = True,
) -> Message:
    """Histogram, medians, quiet sessions, names; and that nothing was changed.

    Not `named`: how many are lost and gained, and why not which.
    """
    now, then, count = found.now, found.then, len(found.sessions)
    with_ = ", ".join(f"{t.word} {t.then} instead of {t.now}" for t in tried)
    return Message(
        title=f"Preview · {some(count, 'session')} to {day(found.sessions[-1])}{where(series)}",
        lead=(
            f"With {with_}: {some(then.total, 'line')} instead of {now.total:,} over"
            f" {some(count, 'session')}."
        ),
        banners=tuple(notes),
        rows=tuple(Row(line) for line in _histogram(now, then)),
        facts=(
            ("a session", f"median {_beside(then.median, now.median)}"),
            ("the most", _beside(then.most, now.most)),
            ("without a line", _beside(then.quiet, now.quiet, "session")),
            ("lost", _names(found.lost, named=named)),
            ("gained", _names(found.gained, named=named)),
        ),
        footer=(*(() if named else (_NAMELESS,)), *_footer(found, tried)),
        stamp=stamp(series),
    )


def _beside(then: float, now: float, noun: str = "line") -> str:
    plural = "" if then == 1 else "s"
    return f"{then:g} {noun}{plural}, now {now:g}"


def _histogram(now: Lines, then: Lines) -> list[str]:
    """At most 28 columns: how many sessions had so many lines, on both sides."""
    bins = [b for b in _BINS if b[0] <= _LAST_IF_EMPTY or now.between(*b) or then.between(*b)]
    top = max(side.between(*b) for b in bins for side in (now, then))
    lines = [f"{'lines':<6}{'now':>3} {'':<{_BAR}}{'then':>5}"]
    for least, most in bins:
        label = str(least) if least == most else f"{least}-{most}"
        left, right = now.between(least, most), then.between(least, most)
        line = f"{label:<6}{left:>3} {_bar(left, top):<{_BAR}}{right:>5} {_bar(right, top)}"
        lines.append(line.rstrip())
    return lines


_EIGHTHS = " ▏▎▍▌▋▊▉"


def _bar(value: int, top: int) -> str:
    """A bar to the eighth of a letter; whatever is not zero shows."""
    eighths = -(-value * _BAR * 8 // top)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _names(names: Sequence[Name], *, named: bool) -> str:
    if not names:
        return "none"
    lines = sum(len(name.sessions) for name in names)
    said = [f"{some(len(names), 'name')}, {some(lines, 'line')}"]
    if not named:
        return said[0]
    often = [f"{n.ticker} {len(n.sessions)}×" for n in names[:_OFTEN] if len(n.sessions) > 1]
    if often:
        said.append(f"most often {', '.join(often)}")
    newest = sorted(names, key=lambda n: (-n.sessions[0].toordinal(), n.ticker))
    said.append(f"last {listed([f'{n.ticker} {_short(n.sessions[0])}' for n in newest], _NEWEST)}")
    return "; ".join(said)


def _short(value: date) -> str:
    return f"{value.day} {value:%b}"


def _footer(found: Preview, tried: Sequence[Tried]) -> tuple[str, ...]:
    sides = (
        "both sides were judged again from stored bars; now is the present settings, not what was"
        " said then"
    )
    verb = "makes" if len(tried) == 1 else "make"
    unchanged = (
        f"nothing was changed; {' and '.join(t.line for t in tried)} in the settings {verb} it so"
        " from the next start"
    )
    fewer = found.gained and found.then.total < found.now.total
    return (*([_GAINED] if fewer else []), sides, unchanged, DISCLAIMER)
