"""What a letter on Discord has besides its words: ids, files, the button it is known by."""

import io
from collections.abc import Sequence

import discord

from alerts.budget import clipped
from alerts.model import Letter, Picture, Receipt
from alerts.words import inert
from bot.platforms.discord_checks import is_id
from bot.platforms.discord_text import ALT, file_name, stamp_of
from core.errors import DeliveryRefused, Reason

DELETED = "deleted"
"""The receipt of a message that was delivered and taken away again before its id was known."""


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


def files(pictures: Sequence[Picture]) -> list[discord.File]:
    """Pictures as attachments, with their words. discord.py closes them: new ones for each try."""
    return [
        discord.File(io.BytesIO(p.png), file_name(n), description=clipped(inert(p.alt), ALT))
        for n, p in enumerate(pictures)
    ]


def button(letter: Letter) -> discord.ui.View:
    """What a letter is known by; it says by which data its numbers can be made again."""
    view = discord.ui.View(timeout=None)
    view.add_item(
        discord.ui.Button(
            style=discord.ButtonStyle.secondary,
            label=stamp_of(letter.message),
            custom_id=custom_id(letter.token),
            disabled=True,
        )
    )
    # Else discord.py keeps every one of them, to listen for what never comes.
    view.stop()
    return view


def custom_id(token: str) -> str:
    """What carries a letter's key in its message."""
    return f"alert:{token}"
