"""A message as Slack shows it: the lead as the notification, the rest in blocks. Pure.

Limits are those of docs.slack.dev/reference/block-kit/blocks and of chat.postMessage; that of the
whole message is in no document (bolt-js#2509: refused somewhere above 13,000 characters).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from alerts.budget import clipped, fitted
from alerts.model import File, Message
from alerts.words import inert
from bot.platforms.plain import all_rows, lines, never_empty, shown, stamped_lead
from bot.platforms.slack_parts import Block, buttons, plain, snippet, table
from bot.platforms.slack_words import linked, spoken

BLOCKS, SECTION, HEADER, CONTEXT, ALT, TEXT = 50, 3_000, 150, 2_000, 2_000, 4_000
WHOLE = 12_000
"""As JSON, with its escapes: a sign that is not ASCII counts six."""

PICTURES = 5
_PIECE = 1_000
_LOOK_ALIKE = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_URL = re.compile(r"(?:^|(?<=\s))(https?://[!#-;=?-\[\]_a-z~]+)$")
_EMOJI = re.compile(r":(?=[+-]|\d*[^\W\d]|1(?:00|234):)(?=[\w+-]+:)")
"""What begins `:tada:` or `:8ball:`; a time such as 16:30:05 does not."""

Say = Callable[[str], str]
"""How a text is made one of Slack's."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that Slack has already: its id there, and what it shows in words."""

    file_id: str
    alt: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a message of Slack is made of."""

    text: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """How a message is to be shown, and to whom."""

    private: bool = False
    """To one person only: then a mention notifies nobody."""
    people: Mapping[str, str] = field(default_factory=dict)
    """What people are called, where they are not mentioned."""
    share: str = ""
    """The id of its Share button; empty for none."""
    files: tuple[File, ...] = ()
    """Short ones, shown in the message."""
    table: bool = True


DIGEST = Look()


def rendered(message: Message, pictures: Sequence[Shown] = (), look: Look = DIGEST) -> Rendered:
    """The message within Slack's limits."""
    said = _said(message, look)
    after = [*map(snippet, look.files), *buttons(message, look.share)]

    def made(m: Message) -> Rendered:
        return _made(m, pictures, after, partial(_within, private=look.private))

    if said.table and look.table and _fits(whole := made(said)):
        return whole
    # The table has nothing that the lines have not: it goes before any of them.
    return made(fitted(replace(said, table=None), lambda m: _fits(made(m))))


def text_only(message: Message, look: Look = DIGEST) -> Rendered:
    """The same without any layout, for when Slack refuses it."""

    def made(m: Message) -> Rendered:
        texts = (_within(line, private=look.private) for line in lines(m))
        return Rendered(never_empty("\n".join(texts)))

    return made(fitted(_said(message, look), lambda m: len(made(m).text) <= TEXT))


def _said(message: Message, look: Look) -> Message:
    return spoken(shown(message), None if look.private else look.people)


def escaped(text: str, *, private: bool = False) -> str:
    """Text that Slack shows as it is. A plain address at its end can be followed, nothing else.

    Slack has no sign that takes the meaning from another one: `*`, `~` and the like give way to
    signs that look the same. `private`: a mention notifies nobody, so people are mentioned.
    """
    clean = inert(text).rstrip()
    url = _URL.search(clean)
    words = _entities(clean[: url.start()] if url else clean)
    words = _UNDERSCORE.sub("ˍ", words.translate(_LOOK_ALIKE))
    # At the start of a line even the entity makes a quotation.
    words = re.sub(r"^(\s*)&gt;", "\\1\u200b&gt;", words)
    words = _EMOJI.sub(":\u200b", linked(words, people=private))
    return f"{words}<{_entities(url[1])}>" if url else words


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _made(
    message: Message, pictures: Sequence[Shown], after: Sequence[Block], say: Say
) -> Rendered:
    blocks: list[Block] = []
    if message.stamp:
        blocks.append(_context([f"*{say(message.stamp)}*"]))
    # Without its invisible signs a title may be nothing, and Slack takes no empty one.
    title = clipped(inert(message.title).strip(), HEADER)
    if title and not message.brief:
        blocks.append({"type": "header", "text": plain(title)})
    if message.brief or not message.rows or not message.context:
        # Otherwise the first lines say the same again.
        blocks.append(_section(never_empty(say(message.lead))))
    if message.banners:
        said = (f"⚠ {say(banner)}" for banner in message.banners)
        blocks += map(_section, _packed(said, "\n"))
    drawn = [
        {"type": "image", "slack_file": {"id": p.file_id}, "alt_text": _alt(p.alt)}
        for p in pictures[:PICTURES]
    ]
    if message.table and message.table.columns:
        # On a phone the first screen has all lines at a glance, and the picture of the first.
        blocks += [table(message.table), *drawn]
        drawn = []
    blocks += _rows(message, say)
    if message.facts:
        facts = ((say(name), say(value).strip()) for name, value in message.facts)
        said = (_fact(name, value) if value else name for name, value in facts if name or value)
        blocks += map(_section, _packed(said, "\n"))
    blocks += drawn
    for small in (message.footer, message.context):
        texts = [say(line) for line in small if inert(line).strip()]
        blocks += [_context([text]) for text in _packed(iter(texts), "\n", CONTEXT)]
    blocks += after
    text = never_empty(say(stamped_lead(message)), say(message.title))
    return Rendered(text, tuple(blocks))


def _fact(name: str, value: str) -> str:
    # Its last colon and ours would have a letter between them, which is an emoji's name.
    unlike_an_emoji = "\u200b" if ":" in name else ""
    return f"{name}{unlike_an_emoji}: *{value}*"


def _rows(message: Message, say: Say) -> Iterator[Block]:
    """A section for each line that has reasons; those that have none stand together."""
    bare: list[str] = []
    for title, row in all_rows(message):
        if title or row.details:
            yield from map(_section, _packed(iter(bare), "\n"))
            bare = []
        if title and say(title):
            yield _section(f"*{say(title)}*")
        head = say(row.head.strip())
        if row.details and head:
            said = [f"*{head}*", *map(say, row.details)]
            yield from map(_section, _packed(iter(said), "\n"))
        else:
            bare += [text for text in (head, *map(say, row.details)) if text]
    yield from map(_section, _packed(iter(bare), "\n"))


def _packed(texts: Iterator[str], between: str, most: int = SECTION) -> list[str]:
    """As few texts as will hold them all."""
    packed: list[str] = []
    for text in texts:
        if packed and len(packed[-1]) + len(between) + len(text) <= most:
            packed[-1] += f"{between}{text}"
        else:
            packed.append(text)
    return packed


def _section(text: str) -> Block:
    return {"type": "section", "text": _markup(text), "expand": True}


def _context(texts: Sequence[str]) -> Block:
    return {"type": "context", "elements": [_markup(text) for text in texts]}


def _markup(text: str) -> Block:
    # `verbatim`: nothing becomes a link or a mention by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _alt(text: str) -> str:
    return clipped(inert(text).strip(), ALT) or "chart"


@lru_cache(maxsize=1_024)  # the same texts, while it is tried what fits
def _within(text: str, *, private: bool, most: int = _PIECE) -> str:
    """Escaped, and at most so long after that."""
    room = most
    while len(made := escaped(clipped(text, room), private=private)) > most:
        room = min(room - 1, room * most // len(made))
    return made


def _fits(made: Rendered) -> bool:
    return (
        len(made.text) <= TEXT
        and len(made.blocks) <= BLOCKS
        and len(json.dumps(made.blocks)) <= WHOLE
    )
