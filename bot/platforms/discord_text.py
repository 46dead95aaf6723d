"""A message as Discord shows it: the lead as the notification, the rest in an embed. Pure.

Limits are those of Discord's documentation, resources/message ("Embed Limits", "Create Message")
and components/reference; Discord counts characters as Python does.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import discord

from alerts.budget import clipped, fitted
from alerts.model import Message, Picture
from alerts.words import inert
from bot.platforms.discord_table import block
from bot.platforms.plain import all_rows, lines, never_empty, shown, stamped_lead

CONTENT, TITLE, DESCRIPTION, FOOTER, AUTHOR = 2_000, 256, 4_096, 2_048, 256
EMBED_TOTAL, EMBEDS, ALT, BUTTON_LABEL = 6_000, 10, 1_024, 80
PICTURES = 7
"""Each has an embed; the other three are for text."""

_PIECE = 1_000
"""No single text of ours is longer; what is, is not ours."""

_BLUE, _AMBER, _GREY = 0x3B6FD4, 0xD9902F, 0x8A8F98
_MARKUP = str.maketrans({**{sign: f"\\{sign}" for sign in "\\*_~`|[]<>"}, "@": "@\u200b"})
_BULLET = re.compile(r"^(\s*)([#+-])")
_URL = re.compile(r"(?:^|(?<=\s))(https?://[!#-;=?-\[\]_a-z~]+)$")
_REVISION = re.compile(r"\bdata revision \d+\b")
_NAMED = re.compile(r"(?<![\w/:.])(?<!such as )discord:(@?)\u200b?(\d{1,20})(?!\w)")
"""People and channels as Tapewatch writes them; after "such as" stands an example of an id."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a message of Discord is made of, but for its button and its files."""

    content: str
    embeds: tuple[discord.Embed, ...] = ()


def rendered(message: Message, pictures: Sequence[Picture] = ()) -> Rendered:
    """The message within Discord's limits; pictures are referred to by `file_name`."""
    kept = fitted(shown(message), lambda m: _fits(_made(m, pictures)))
    return _made(kept, pictures)


def text_only(message: Message) -> Rendered:
    """The same without any layout, for when Discord refuses it."""

    def made(m: Message) -> Rendered:
        return Rendered(never_empty("\n".join(_within(line) for line in lines(m))))

    return made(fitted(shown(message), lambda m: _fits(made(m))))


def file_name(number: int) -> str:
    """What a picture is called in its message; its own name could be anything."""
    return f"chart{number}.png"


def stamp_of(message: Message) -> str:
    """What the button says: by which data the same numbers can be made again."""
    found = _REVISION.search(" · ".join(message.context))
    return clipped(found[0], BUTTON_LABEL) if found else "Tapewatch"


def escaped(text: str) -> str:
    """Text that Discord shows as it is. A plain address at its end can be followed, nothing else.

    Only what Discord would act on gets a backslash: notifications show backslashes.
    """
    clean = inert(text).rstrip()
    url = _URL.search(clean)
    words = (clean[: url.start()] if url else clean).translate(_MARKUP)
    words = _BULLET.sub(r"\1\\\2", words.replace("://", "\\://"))
    return f"{words}<{url[1].replace('@', '%40')}>" if url else words


def named(text: str) -> str:
    """Escaped text with people and channels by their names: Discord shows them, and tells nobody.

    Only in messages that mention nobody: a stranger's text could have such an id in it as well.
    """
    return _NAMED.sub(lambda found: f"<{found[1] or '#'}{found[2]}>", text)


def _made(message: Message, pictures: Sequence[Picture]) -> Rendered:
    # Embeds may be lost on their way: what is said without them is never nothing.
    lead = never_empty(_within(stamped_lead(message)), _within(message.title))
    if message.brief:
        parts = [lead]
        parts += [f"⚠ {_within(banner)}" for banner in message.banners]
        parts += [_within(line) for line in message.footer if line]
        return Rendered("\n".join(parts), tuple(_pictured([], pictures, message)))
    glance = block(message.table) if message.table is not None else ""
    texts = _pages(_paragraphs(message))
    if glance and pictures:
        # On a phone the first screen has all lines at a glance, and the picture of the first.
        texts.insert(0, glance)
    elif glance:
        texts = _pages(iter([glance, *texts]), "\n")
    embeds = [discord.Embed(description=text) for text in texts] or [discord.Embed()]
    # Titles know no mentions.
    embeds[0].title = _within(message.title, TITLE, names=False) or None
    if message.stamp:
        embeds[0].set_author(name=clipped(_flat(message.stamp), AUTHOR))
    if small := _small((*message.footer, *message.context)):
        embeds[-1].set_footer(text=small)
    coloured = _pictured(embeds, pictures, message, 0 if glance else -1)
    return Rendered(lead, tuple(e for e in coloured if len(e) or e.image))


def _pictured(
    embeds: list[discord.Embed], pictures: Sequence[Picture], message: Message, at: int = -1
) -> Iterator[discord.Embed]:
    """The first picture stands below the text `at`, every other in an embed of its own."""
    named = [f"attachment://{file_name(n)}" for n, _ in enumerate(pictures[:PICTURES])]
    if named:
        embeds = embeds or [discord.Embed()]
        embeds[at].set_image(url=named[0])
    colour = _GREY if message.stamp else _AMBER if message.banners else _BLUE
    for embed in (*embeds, *(discord.Embed().set_image(url=name) for name in named[1:])):
        embed.colour = discord.Colour(colour)
        yield embed


def _paragraphs(message: Message) -> Iterator[str]:
    if message.banners:
        yield "\n".join(f"⚠ {_within(banner)}" for banner in message.banners)
    bare: list[str] = []
    for title, row in all_rows(message):
        if title:
            yield from _joined(bare)
            bare = []
            yield f"__{_within(title)}__"
        head = _within(row.head.strip())
        said = [f"**{head}**" if row.details and head else head]
        said += [_within(detail) for detail in row.details]
        if row.details:
            yield from _joined(bare)
            bare = []
            yield "\n".join(said)
        else:
            bare += said
    yield from _joined(bare)
    if message.facts:
        facts = [(_within(name), _within(value)) for name, value in message.facts]
        yield from _joined([f"{name}: **{value}**" if value else name for name, value in facts])


def _joined(lines_: Sequence[str]) -> Iterator[str]:
    yield from ("\n".join(lines_[n : n + 10]) for n in range(0, len(lines_), 10))


def _small(texts: Sequence[str]) -> str:
    """What stands under it, without markup; each has its share of the room if it is scarce."""
    said = [_flat(text) for text in texts if text]
    if sum(map(len, said)) + len(said) > FOOTER:
        said = [clipped(text, FOOTER // len(said) - 1) for text in said]
    return "\n".join(said)


def _flat(text: str) -> str:
    """For places without markup."""
    return inert(text).replace("@", "@\u200b")


def _pages(paragraphs: Iterator[str], between: str = "\n\n") -> list[str]:
    """As few texts as will hold them all."""
    pages: list[str] = []
    for paragraph in paragraphs:
        if pages and len(pages[-1]) + len(between) + len(paragraph) <= DESCRIPTION:
            pages[-1] += f"{between}{paragraph}"
        else:
            pages.append(paragraph)
    return pages


@lru_cache(maxsize=1_024)  # the same texts, while it is tried what fits
def _within(text: str, most: int = _PIECE, *, names: bool = True) -> str:
    """Escaped, and at most so long after that."""
    room = most
    while len(made := escaped(clipped(text, room))) > most:
        room = min(room - 1, room * most // len(made))
    return named(made) if names else made


def _fits(made: Rendered) -> bool:
    embeds = made.embeds
    return (
        len(made.content) <= CONTENT
        and len(embeds) <= EMBEDS
        and sum(map(len, embeds)) <= EMBED_TOTAL
        and all(len(embed.description or "") <= DESCRIPTION for embed in embeds)
    )
