"""What to leave out of a message that is too long for a platform, and to say so. Pure.

Dropped from the tail: reasons, then lines, of the first three lines only when nothing else is left;
then what stands around them. The most important line is the last one to go.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from alerts.model import Message, Row, Section
from alerts.words import inert, listed, some

T = TypeVar("T")

_LONGEST = (1_000, 400, 160, 60)
"""A single text is clipped to the first of these; to the others where dropping is not enough."""

_FIRST, _NAMES, _NAME = 3, 8, 16
_DATE = re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4}\b")
_NUMBER = re.compile(r"^\d+\.\s+")


def clipped(text: str, most: int) -> str:
    """At most so many characters; an ellipsis says that there was more."""
    return text if len(text) <= most else text[: max(most - 1, 0)].rstrip() + "…"


def fitted(message: Message, fits: Callable[[Message], bool]) -> Message:
    """As much of it as fits, with a line in the footer about what did not."""
    if fits(message):
        return message
    for most in _LONGEST:
        short = _shortened(message, most)
        cuts = _Cuts.of(short)
        number = bisect_left(range(cuts.all + 1), True, key=lambda n: fits(cuts.made(n)))
        if number <= cuts.all:
            return cuts.made(number)
    return Message(
        title=clipped(message.title, _LONGEST[-1]),
        lead=clipped(message.lead, _LONGEST[-1]),
        stamp=message.stamp,
        brief=message.brief,
        charts=message.charts,
        actions=message.actions,
        menus=message.menus,
    )


@dataclass(frozen=True, slots=True)
class _Cuts:
    """The ways to shorten one message, in the order in which they are taken."""

    message: Message
    rows: tuple[tuple[int, Row], ...]
    """All rows with the number of their section, -1 for those before the sections."""
    order: tuple[tuple[int, bool], ...]
    """The place of a row, and whether all of it goes or only its reasons."""

    @classmethod
    def of(cls, message: Message) -> "_Cuts":
        """All that could go, the least missed first."""
        rows = [(-1, row) for row in message.rows]
        rows += [(n, row) for n, section in enumerate(message.sections) for row in section.rows]
        order: list[tuple[int, bool]] = []
        # What comes first keeps its reasons longer than the tail keeps its lines.
        for places in (range(_FIRST, len(rows)), range(min(_FIRST, len(rows)))):
            order += [(i, False) for i in reversed(places) if rows[i][1].details]
            order += [(i, True) for i in reversed(places)]
        return cls(message, tuple(rows), tuple(order))

    @property
    def all(self) -> int:
        """How many cuts there are."""
        m = self.message
        around = len(m.facts) + len(m.context) + len(m.banners) + len(m.footer)
        return len(self.order) + around

    def made(self, number: int) -> Message:
        """The message after the first so many cuts."""
        if number == 0:
            return self.message
        taken, rest = self.order[:number], max(0, number - len(self.order))
        gone = {i for i, whole in taken if whole}
        bare = {i for i, whole in taken if not whole} - gone
        kept = [
            (n, replace(row, details=()) if i in bare else row)
            for i, (n, row) in enumerate(self.rows)
            if i not in gone
        ]
        facts, left = _less(self.message.facts, rest)
        context, left = _less(self.message.context, left)
        banners, left = _less(self.message.banners, left)
        footer, _ = _less(self.message.footer, left)
        return replace(
            self.message,
            rows=tuple(row for n, row in kept if n < 0),
            sections=_sections(self.message.sections, kept),
            facts=facts,
            context=context,
            banners=banners,
            footer=(self._said(bare, gone, rest), *footer),
        )

    def _said(self, bare: set[int], gone: set[int], rest: int) -> str:
        """What was left out, and where it can be read."""
        said = []
        if bare:
            said.append(f"reasons did not fit: {self._names(bare)}")
        if gone:
            said.append(f"{some(len(gone), 'line')} did not fit: {self._names(gone)}")
        if rest:
            said.append(f"{some(rest, 'remark')} did not fit")
        return f"{'; '.join(said)}{_where(self.message)}"

    def _names(self, places: set[int]) -> str:
        return listed([_name(self.rows[i][1]) for i in sorted(places)], _NAMES)


def _less(items: tuple[T, ...], most: int) -> tuple[tuple[T, ...], int]:
    """Without its last ones, at most so many; and how many more have to go elsewhere."""
    gone = min(most, len(items))
    return items[: len(items) - gone], most - gone


def _sections(sections: Sequence[Section], kept: Sequence[tuple[int, Row]]) -> tuple[Section, ...]:
    rows = [tuple(row for n, row in kept if n == i) for i in range(len(sections))]
    return tuple(Section(s.title, r) for s, r in zip(sections, rows, strict=True) if r)


def _name(row: Row) -> str:
    """The ticker, which is the first word of its line."""
    words = _NUMBER.sub("", inert(row.head)).split()
    return clipped(words[0], _NAME) if words else "?"


def _where(message: Message) -> str:
    """The command that shows all of a session's lines, if a session is named in the title."""
    found = _DATE.search(message.title)
    if found is None:
        return ""
    try:
        session = datetime.strptime(found[0], "%d %b %Y").date()  # noqa: DTZ007 - a date
    except ValueError:
        return ""
    return f"; /anomalies {session} all"


def _shortened(message: Message, most: int) -> Message:
    def cut(text: str) -> str:
        return clipped(text, most)

    def cut_rows(rows: Sequence[Row]) -> tuple[Row, ...]:
        return tuple(Row(cut(row.head), tuple(map(cut, row.details))) for row in rows)

    return replace(
        message,
        title=cut(message.title),
        lead=cut(message.lead),
        context=tuple(map(cut, message.context)),
        banners=tuple(map(cut, message.banners)),
        rows=cut_rows(message.rows),
        sections=tuple(Section(cut(s.title), cut_rows(s.rows)) for s in message.sections),
        facts=tuple((cut(name), cut(value)) for name, value in message.facts),
        footer=tuple(map(cut, message.footer)),
    )
