"""What Slack accepts in one block."""

from collections.abc import Callable
from typing import Any

from slackblocks import _limits as limits

from tests.servers.chat import Row
from tests.servers.slack_elements import ACCESSORIES, ACTIONS, INPUTS, element_problems, picture
from tests.servers.slack_parts import BlockProblem, Found, count, entries, flag, keys, string, text

_KEYS = {
    "section": {"text", "fields", "accessory", "expand"},
    "header": {"text"},
    "divider": set[str](),
    "context": {"elements"},
    "actions": {"elements"},
    "image": {"alt_text", "image_url", "slack_file", "title"},
    "input": {"label", "element", "hint", "optional", "dispatch_action"},
    "table": {"rows", "column_settings"},
    "rich_text": {"elements"},
    "markdown": {"text"},
}
_UNCHECKED = {"video", "file", "data_table", "data_visualization"}
_CELLS = ("raw_text", "raw_number", "rich_text")
_RICH = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
_INLINE = (
    *("text", "link", "emoji", "user", "channel", "usergroup", "broadcast", "color", "date"),
    "team",
)


def block_problems(block: Row, at: str) -> Found:
    """All that Slack would refuse in a block; of some kinds it is only known that they exist."""
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _UNCHECKED | set(_KEYS):
        yield BlockProblem(f"{at}/type", f"unsupported type: {kind}")
        return
    if kind in _UNCHECKED:
        return
    yield from keys(block, _KEYS[kind] | {"type", "block_id"}, at)
    if "block_id" in block:
        yield from string(block["block_id"], f"{at}/block_id", limits.BLOCK_ID_MAX_LENGTH, 0)
    yield from _CHECKS.get(kind, _nothing)(block, at)


def _nothing(block: Row, at: str) -> Found:
    yield from ()


def _section(block: Row, at: str) -> Found:
    if "text" not in block and "fields" not in block:
        yield BlockProblem(at, "missing required field: text")
    if "text" in block:
        yield from text(block["text"], f"{at}/text", limits.SECTION_TEXT_MAX_LENGTH)
    if "fields" in block:
        place, most = f"{at}/fields", limits.SECTION_FIELDS_MAX_ITEMS
        for pointer, field in entries(block["fields"], place):
            yield from text(field, pointer, limits.SECTION_FIELDS_ITEM_MAX_LENGTH)
        yield from count(block["fields"], place, most)
    if "accessory" in block:
        yield from element_problems(block["accessory"], f"{at}/accessory", ACCESSORIES)


def _header(block: Row, at: str) -> Found:
    yield from text(block.get("text"), f"{at}/text", limits.HEADER_TEXT_MAX_LENGTH, plain=True)


def _context(block: Row, at: str) -> Found:
    yield from count(block.get("elements"), f"{at}/elements", limits.CONTEXT_ELEMENTS_MAX_ITEMS)
    for pointer, element in entries(block.get("elements"), f"{at}/elements"):
        if isinstance(element, dict) and element.get("type") == "image":
            yield from picture(element, pointer)
        else:
            yield from text(element, pointer, limits.TEXT_MAX_LENGTH)


def _actions(block: Row, at: str) -> Found:
    yield from count(block.get("elements"), f"{at}/elements", limits.ACTIONS_ELEMENTS_MAX_ITEMS)
    ids: set[str] = set()
    for pointer, element in entries(block.get("elements"), f"{at}/elements"):
        yield from element_problems(element, pointer, ACTIONS)
        name = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(name, str):
            if name in ids:
                yield BlockProblem(f"{pointer}/action_id", f"action_id already exists: {name}")
            ids.add(name)


def _image(block: Row, at: str) -> Found:
    yield from picture(block, at)
    if "title" in block:
        yield from text(block["title"], f"{at}/title", limits.IMAGE_TITLE_MAX_LENGTH, plain=True)


def _input(block: Row, at: str) -> Found:
    yield from text(block.get("label"), f"{at}/label", limits.INPUT_LABEL_MAX_LENGTH, plain=True)
    if block.get("hint") is not None:
        yield from text(block["hint"], f"{at}/hint", limits.INPUT_HINT_MAX_LENGTH, plain=True)
    yield from flag(block, "optional", at)
    yield from flag(block, "dispatch_action", at)
    yield from element_problems(block.get("element"), f"{at}/element", INPUTS)


def _table(block: Row, at: str) -> Found:
    yield from count(block.get("rows"), f"{at}/rows", limits.TABLE_ROWS_MAX_ITEMS)
    settings = block.get("column_settings", [None])
    yield from count(settings, f"{at}/column_settings", limits.TABLE_COLUMN_SETTINGS_MAX_ITEMS)
    for pointer, row in entries(block.get("rows"), f"{at}/rows"):
        yield from count(row, pointer, limits.TABLE_COLUMNS_MAX_ITEMS)
        for place, cell in entries(row, pointer):
            yield from _cell(cell, place)


def _cell(cell: Any, at: str) -> Found:
    if not isinstance(cell, dict) or cell.get("type") not in _CELLS:
        yield BlockProblem(at, f"must be one of: {', '.join(_CELLS)}")
    elif cell["type"] == "raw_text":
        # Empty cells have been refused at times, so nobody should send them.
        yield from string(cell.get("text"), f"{at}/text", limits.TEXT_MAX_LENGTH)
    elif cell["type"] == "rich_text":
        yield from _rich_text(cell, at)


def _rich_text(block: Row, at: str) -> Found:
    parts = block.get("elements")
    if not isinstance(parts, list) or not parts:
        yield BlockProblem(f"{at}/elements", "no less than 1 items allowed")
    for pointer, part in entries(parts, f"{at}/elements"):
        if not isinstance(part, dict) or part.get("type") not in _RICH:
            yield BlockProblem(pointer, f"must be one of: {', '.join(_RICH)}")
            continue
        inner = _RICH[:1] if part["type"] == "rich_text_list" else _INLINE
        for place, piece in entries(part.get("elements"), f"{pointer}/elements"):
            kind = piece.get("type") if isinstance(piece, dict) else None
            if kind not in inner:
                yield BlockProblem(place, f"must be one of: {', '.join(inner)}")
            elif kind == "text":
                yield from string(piece.get("text"), f"{place}/text", limits.TEXT_MAX_LENGTH)


def _markdown(block: Row, at: str) -> Found:
    yield from string(block.get("text"), f"{at}/text", limits.MARKDOWN_TEXT_MAX_LENGTH)


_CHECKS: dict[str, Callable[[Row, str], Found]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "input": _input,
    "table": _table,
    "rich_text": _rich_text,
    "markdown": _markdown,
}
