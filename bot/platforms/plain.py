"""A message as lines of plain text, for a platform that refuses its layout; and what is brief."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from alerts.model import Message, Row, Section


def lines(message: Message) -> Iterator[str]:
    """Every word of it, line by line."""
    if message.stamp:
        yield message.stamp
    if message.title and not message.brief:
        yield message.title
    yield message.lead
    yield from (f"⚠ {banner}" for banner in message.banners)
    for section in (Section("", message.rows), *message.sections):
        if section.title and section.rows:
            yield section.title
        for row in section.rows:
            yield row.head
            yield from row.details
    yield from (f"{name}: {value}" for name, value in message.facts)
    yield from message.footer
    yield from message.context


_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")


def never_empty(*texts: str) -> str:
    """The first in which there is anything to see; else a sign that nothing was said."""
    seen = (t for t in texts if any(unicodedata.category(sign) not in _UNSEEN for sign in t))
    return next(seen, "…")


def shown(message: Message) -> Message:
    """What of it a chat shows: of a brief one the lead, the banners and the stamp."""
    if not message.brief:
        return message
    return replace(message, rows=(), sections=(), facts=(), context=(), footer=(), table=None)


def all_rows(message: Message) -> Iterator[tuple[str, Row]]:
    """Every row, with the title of its section before the first of each."""
    for section in (Section("", message.rows), *message.sections):
        for n, row in enumerate(section.rows):
            yield (section.title if n == 0 else "", row)


def stamped_lead(message: Message) -> str:
    """The lead as a phone shows it, which may see nothing else: invented numbers say so first."""
    return f"{message.stamp.partition(':')[0]} · {message.lead}" if message.stamp else message.lead
