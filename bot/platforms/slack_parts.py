"""What a message of Slack has besides text: tables, buttons, menus, short files. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from alerts.budget import clipped
from alerts.model import Action, File, Menu, Message, Table
from alerts.words import inert
from bot.answers import do_id
from bot.platforms.plain import never_empty

Block = dict[str, Any]

BUTTON, PLACEHOLDER, OPTION, ELEMENTS, OPTIONS = 75, 150, 75, 25, 100
TABLE_ROWS, TABLE_COLUMNS, _CELL = 100, 20, 60
SHORT = 2_500
"""A file that has no more characters is shown in the message itself."""

PICK = "pick:"
"""What a menu's id begins with; its options carry what a button would."""


def plain(text: str) -> Block:
    """Text in which nothing has a meaning."""
    return {"type": "plain_text", "text": text, "emoji": False}


def table(of: Table) -> Block:
    """Words to the left, columns of numbers to the right."""
    rows = [of.columns, *of.rows][:TABLE_ROWS]
    width = min(TABLE_COLUMNS, max(map(len, rows)))
    filled = [[*row, *[""] * (width - len(row))][:width] for row in rows]
    numeric = [all(any(map(str.isdigit, row[n])) for row in filled[1:]) for n in range(width)]
    return {
        "type": "table",
        "column_settings": [{"align": "right" if right else "left"} for right in numeric],
        "rows": [[_cell(text) for text in row] for row in filled],
    }


def buttons(message: Message, share: str) -> Iterator[Block]:
    """Its menus, then its buttons and the one that shares it, if `share` is the id of one."""
    menus = [_menu(n, menu) for n, menu in enumerate(message.menus) if menu.options]
    for n, few in enumerate(_packs(menus)):
        yield {"type": "actions", "block_id": f"menus{n}", "elements": few}
    unique = {action.key: action for action in message.actions}
    made = [_button(action.label, do_id(key)) for key, action in unique.items()]
    made += [_button("Share", share)] if share else []
    for n, few in enumerate(_packs(made)):
        yield {"type": "actions", "block_id": f"actions{n}", "elements": few}


def snippet(file: File) -> Block:
    """A short file, to be read and copied."""
    text = {"type": "text", "text": "\n".join(map(inert, file.content.splitlines()))}
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [text]}],
    }


def is_short(file: File) -> bool:
    """Can it be shown in a message?"""
    return len(file.content) <= SHORT and bool(file.content.strip())


def _cell(text: str) -> Block:
    # Slack has refused cells with nothing in them.
    return {"type": "raw_text", "text": clipped(never_empty(inert(text)), _CELL)}


def _menu(number: int, menu: Menu) -> Block:
    unique = {action.key: action for action in menu.options[:OPTIONS]}
    return {
        "type": "static_select",
        "action_id": f"{PICK}{number}",
        "placeholder": plain(_label(menu.placeholder, PLACEHOLDER)),
        "options": [_option(action) for action in unique.values()],
    }


def _option(action: Action) -> Block:
    option: Block = {"text": plain(_label(action.label, OPTION)), "value": do_id(action.key)}
    if inert(action.note).strip():
        option["description"] = plain(_label(action.note, OPTION))
    return option


def _button(label: str, action_id: str) -> Block:
    return {"type": "button", "text": plain(_label(label, BUTTON)), "action_id": action_id}


def _label(text: str, most: int) -> str:
    return clipped(never_empty(inert(text).strip()), most)


def _packs(elements: Sequence[Block]) -> Iterator[list[Block]]:
    for first in range(0, len(elements), ELEMENTS):
        yield list(elements[first : first + ELEMENTS])
