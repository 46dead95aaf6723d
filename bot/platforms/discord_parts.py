"""What a message on Discord has besides its words: ids, files, buttons, menus."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import discord
from discord.ui import Button, Select, View

from alerts.budget import clipped
from alerts.model import Action, File, Letter, Menu, Message, Picture, Receipt
from alerts.words import inert
from bot.answers import do_id
from bot.platforms.discord_checks import is_id
from bot.platforms.discord_text import (
    ALT,
    BUTTON_LABEL,
    PICTURES,
    Rendered,
    file_name,
    rendered,
    stamp_of,
    text_only,
)
from bot.platforms.plain import never_empty
from core.errors import DeliveryRefused, Reason

DELETED = "deleted"
"""The receipt of a message that was delivered and taken away again before its id was known."""

ATTACHMENTS = 10
PICK, KNOWN_BY = "pick", "alert"
"""What a menu's own id begins with; what was chosen is in its value."""

_ROWS, _A_ROW, _OPTIONS, _OPTION, _PLACEHOLDER = 5, 5, 25, 100, 150
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Body:
    """One way to show a message."""

    made: Rendered
    pictures: Sequence[Picture] = ()
    texts: Sequence[File] = ()
    clicks: bool = True
    """With its buttons and menus."""

    @classmethod
    def whole(cls, message: Message, pictures: Sequence[Picture]) -> "Body":
        """As it is meant."""
        shown = pictures[:PICTURES]
        return cls(rendered(message, shown), shown, message.files)

    @classmethod
    def without_files(cls, message: Message) -> "Body":
        """Where Discord takes none."""
        lost = ("its file cannot be attached here",) if message.files else ()
        return cls(rendered(replace(message, banners=(*message.banners, *lost))))

    @classmethod
    def in_words(cls, message: Message) -> "Body":
        """Nothing that could be refused."""
        return cls(text_only(message), clicks=False)

    def files(self) -> list[discord.File]:
        """Its attachments; discord.py closes them: new ones for each try."""
        return files(self.pictures, self.texts)


def channel_id(channel: str) -> int:
    """The channel of a destination."""
    if not is_id(channel):
        raise DeliveryRefused(Reason.CHANNEL_GONE, "a channel of Discord is a number")
    return int(channel)


def message_id(receipt: Receipt) -> int:
    """The message of a receipt, which is the id of its thread too."""
    if receipt.message_id == DELETED:
        raise DeliveryRefused(Reason.MESSAGE_GONE, "it was deleted right after it had arrived")
    return int(receipt.message_id)


def files(pictures: Sequence[Picture], texts: Sequence[File] = ()) -> list[discord.File]:
    """Attachments, pictures with their words."""
    drawn = [
        discord.File(io.BytesIO(p.png), file_name(n), description=clipped(inert(p.alt), ALT))
        for n, p in enumerate(pictures)
    ]
    written = [discord.File(io.BytesIO(t.content.encode()), _safe(t.name)) for t in texts]
    return (drawn + written)[:ATTACHMENTS]


def letter_view(letter: Letter, *, clicks: bool = True) -> View:
    """What can be done about it, and what it is known by; without `clicks`, only that.

    It is known by its menu, else by a button that says by which data its numbers can be made again.
    """
    if clicks and any(menu.options for menu in letter.message.menus):
        return view(letter.message, known_by=custom_id(letter.token))
    button = Button[View](
        style=discord.ButtonStyle.secondary,
        label=stamp_of(letter.message),
        custom_id=custom_id(letter.token),
        disabled=True,
    )
    return view(letter.message if clicks else Message("", ""), button)


def view(message: Message, last: Button[View] | None = None, known_by: str = "") -> View:
    """Menus, then buttons, as far as there is room for them; `last` always has its place.

    `known_by`: the first menu's own id, for who has to find the message again.
    """
    made, tail = View(timeout=None), [] if last is None else [last]
    menus = [menu for menu in message.menus if menu.options]
    wanted = list(_once(message.actions))
    row = 0
    for row, menu in enumerate(menus[: _ROWS - bool(wanted or tail)], 1):
        name = known_by if known_by and row == 1 else f"{PICK}:{row - 1}"
        made.add_item(_select(row - 1, menu, name))
    room = (_ROWS - row) * _A_ROW - len(tail)
    for n, button in enumerate([*map(_button, wanted[:room]), *tail]):
        button.row = row + n // _A_ROW
        made.add_item(button)
    # Else discord.py keeps every one of them, to listen for what is heard elsewhere.
    made.stop()
    return made


def custom_id(token: str) -> str:
    """What carries a letter's key in its message."""
    return f"{KNOWN_BY}:{token}"


def _button(action: Action) -> Button[View]:
    label = never_empty(clipped(inert(action.label).strip(), BUTTON_LABEL))
    return Button(
        style=discord.ButtonStyle.secondary,
        label=label,
        custom_id=do_id(action.key),
        disabled=False,
    )


def _select(number: int, menu: Menu, name: str) -> Select[View]:
    options = [
        discord.SelectOption(
            label=never_empty(clipped(inert(action.label).strip(), _OPTION)),
            value=do_id(action.key),
            description=clipped(inert(action.note).strip(), _OPTION) or None,
        )
        for action in list(_once(menu.options))[:_OPTIONS]
    ]
    shown = clipped(inert(menu.placeholder).strip(), _PLACEHOLDER) or None
    return Select(custom_id=name, placeholder=shown, options=options, row=number)


def _once(actions: Iterable[Action]) -> Iterator[Action]:
    """The same twice is refused with all the rest."""
    seen = set[str]()
    for action in actions:
        if action.key not in seen:
            seen.add(action.key)
            yield action


def _safe(name: str) -> str:
    return clipped(_UNSAFE.sub("-", inert(name)).strip(".-"), 60).rstrip("…") or "file.txt"
