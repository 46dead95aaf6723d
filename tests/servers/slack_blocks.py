"""What Slack accepts in one block."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from slackblocks import _limits as limits

from tests.servers.chat import Row

_ELEMENT = {"type", "action_id", "confirm", "focus_on_load"}
_KEYS = {
    "section": {"text", "fields", "accessory", "expand"},
    "header": {"text"},
    "divider": set[str](),
    "context": {"elements"},
    "actions": {"elements"},
    "image": {"alt_text", "image_url", "slack_file", "title"},
    "table": {"rows", "column_settings"},
    "markdown": {"text"},
}
_UNCHECKED = {"rich_text", "video", "file", "input", "data_table", "data_visualization"}
_BUTTON = _ELEMENT | {"text", "value", "url", "style", "accessibility_label"}
_SELECT = _ELEMENT | {"options", "option_groups", "initial_option", "placeholder"}
_CELLS = ("raw_text", "raw_number", "rich_text")


@dataclass(frozen=True, slots=True)
class BlockProblem:
    """What is wrong, and a JSON pointer to where."""

    pointer: str
    text: str


Found = Iterator[BlockProblem]


def block_problems(block: Row, at: str) -> Found:
    """All that Slack would refuse in a block; of some kinds it is only known that they exist."""
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _UNCHECKED | set(_KEYS):
        yield BlockProblem(f"{at}/type", f"unsupported type: {kind}")
        return
    if kind in _UNCHECKED:
        return
    yield from _keys(block, _KEYS[kind] | {"type", "block_id"}, at)
    if "block_id" in block:
        yield from _string(block["block_id"], f"{at}/block_id", limits.BLOCK_ID_MAX_LENGTH, 0)
    yield from _CHECKS.get(kind, _nothing)(block, at)


def _nothing(block: Row, at: str) -> Found:
    yield from ()


def _section(block: Row, at: str) -> Found:
    if "text" not in block and "fields" not in block:
        yield BlockProblem(at, "missing required field: text")
    if "text" in block:
        yield from _text(block["text"], f"{at}/text", limits.SECTION_TEXT_MAX_LENGTH)
    if "fields" in block:
        place, most = f"{at}/fields", limits.SECTION_FIELDS_MAX_ITEMS
        for pointer, field in _list(block["fields"], place):
            yield from _text(field, pointer, limits.SECTION_FIELDS_ITEM_MAX_LENGTH)
        yield from _count(block["fields"], place, most)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}/accessory")


def _header(block: Row, at: str) -> Found:
    yield from _text(block.get("text"), f"{at}/text", limits.HEADER_TEXT_MAX_LENGTH, plain=True)


def _context(block: Row, at: str) -> Found:
    yield from _count(block.get("elements"), f"{at}/elements", limits.CONTEXT_ELEMENTS_MAX_ITEMS)
    for pointer, element in _list(block.get("elements"), f"{at}/elements"):
        if isinstance(element, dict) and element.get("type") == "image":
            yield from _picture(element, pointer)
        else:
            yield from _text(element, pointer, limits.TEXT_MAX_LENGTH)


def _actions(block: Row, at: str) -> Found:
    yield from _count(block.get("elements"), f"{at}/elements", limits.ACTIONS_ELEMENTS_MAX_ITEMS)
    ids: set[str] = set()
    for pointer, element in _list(block.get("elements"), f"{at}/elements"):
        yield from _element(element, pointer)
        name = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(name, str):
            if name in ids:
                yield BlockProblem(f"{pointer}/action_id", f"action_id already exists: {name}")
            ids.add(name)


def _image(block: Row, at: str) -> Found:
    yield from _picture(block, at)
    if "title" in block:
        yield from _text(block["title"], f"{at}/title", limits.IMAGE_TITLE_MAX_LENGTH, plain=True)


def _table(block: Row, at: str) -> Found:
    yield from _count(block.get("rows"), f"{at}/rows", limits.TABLE_ROWS_MAX_ITEMS)
    settings = block.get("column_settings", [None])
    yield from _count(settings, f"{at}/column_settings", limits.TABLE_COLUMN_SETTINGS_MAX_ITEMS)
    for pointer, row in _list(block.get("rows"), f"{at}/rows"):
        yield from _count(row, pointer, limits.TABLE_COLUMNS_MAX_ITEMS)
        for place, cell in _list(row, pointer):
            if not isinstance(cell, dict) or cell.get("type") not in _CELLS:
                yield BlockProblem(place, f"must be one of: {', '.join(_CELLS)}")
            elif cell["type"] == "raw_text":
                # Empty cells have been refused at times, so nobody should send them.
                yield from _string(cell.get("text"), f"{place}/text", limits.TEXT_MAX_LENGTH)


def _markdown(block: Row, at: str) -> Found:
    yield from _string(block.get("text"), f"{at}/text", limits.MARKDOWN_TEXT_MAX_LENGTH)


_CHECKS: dict[str, Callable[[Row, str], Found]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "table": _table,
    "markdown": _markdown,
}


def _picture(image: Row, at: str) -> Found:
    """An image, as a block or as an element."""
    yield from _string(image.get("alt_text"), f"{at}/alt_text", limits.IMAGE_ALT_TEXT_MAX_LENGTH)
    if ("image_url" in image) == ("slack_file" in image):
        yield BlockProblem(at, "must define either `slack_file` or `image_url`")
    elif "image_url" in image:
        most = limits.IMAGE_IMAGE_URL_MAX_LENGTH
        yield from _string(image["image_url"], f"{at}/image_url", most)
    elif not isinstance(image["slack_file"], dict) or len(image["slack_file"]) != 1:
        yield BlockProblem(f"{at}/slack_file", "must define either `id` or `url`")


def _element(element: Any, at: str) -> Found:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind == "image":
        yield from _picture(element, at)
        return
    if kind not in ("button", "static_select", "overflow"):
        yield BlockProblem(f"{at}/type", f"unsupported type: {kind}")
        return
    if "action_id" in element:
        yield from _string(element["action_id"], f"{at}/action_id", limits.ACTION_ID_MAX_LENGTH)
    yield from _button(element, at) if kind == "button" else _menu(element, at)


def _button(button: Row, at: str) -> Found:
    yield from _keys(button, _BUTTON, at)
    yield from _text(button.get("text"), f"{at}/text", limits.BUTTON_TEXT_MAX_LENGTH, plain=True)
    if "value" in button:
        yield from _string(button["value"], f"{at}/value", limits.BUTTON_VALUE_MAX_LENGTH, 0)
    if "url" in button:
        yield from _string(button["url"], f"{at}/url", limits.BUTTON_URL_MAX_LENGTH)
    if button.get("style") not in (None, "primary", "danger"):
        yield BlockProblem(f"{at}/style", "must be one of: primary, danger")


def _menu(menu: Row, at: str) -> Found:
    yield from _keys(menu, _SELECT, at)
    overflow = menu["type"] == "overflow"
    most = limits.OVERFLOW_OPTIONS_MAX_ITEMS if overflow else limits.SELECT_OPTIONS_MAX_ITEMS
    if "option_groups" not in menu:
        yield from _count(menu.get("options"), f"{at}/options", most)
    if "placeholder" in menu:
        longest = limits.SELECT_PLACEHOLDER_MAX_LENGTH
        yield from _text(menu["placeholder"], f"{at}/placeholder", longest, plain=True)
    for pointer, option in _list(menu.get("options"), f"{at}/options"):
        if not isinstance(option, dict):
            yield BlockProblem(pointer, "must be an object")
            continue
        yield from _text(option.get("text"), f"{pointer}/text", limits.OPTION_TEXT_MAX_LENGTH)
        yield from _string(option.get("value"), f"{pointer}/value", limits.OPTION_VALUE_MAX_LENGTH)


def _text(text: Any, at: str, most: int, *, plain: bool = False) -> Found:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield BlockProblem(at, f"must be an object of type {' or '.join(kinds)}")
        return
    yield from _keys(text, {"type", "text", "emoji", "verbatim"}, at)
    yield from _string(text.get("text"), f"{at}/text", most)


def _string(text: Any, at: str, most: int, least: int = 1) -> Found:
    if not isinstance(text, str):
        yield BlockProblem(at, "must be a string")
    elif len(text) > most:
        yield BlockProblem(at, f"must be less than {most + 1} characters")
    elif len(text) < least:
        yield BlockProblem(at, f"must be more than {least - 1} characters")


def _list(entries: Any, at: str) -> Iterator[tuple[str, Any]]:
    for i, entry in enumerate(entries if isinstance(entries, list) else ()):
        yield f"{at}/{i}", entry


def _count(entries: Any, at: str, most: int) -> Found:
    if not isinstance(entries, list) or not entries:
        yield BlockProblem(at, "no less than 1 items allowed")
    elif len(entries) > most:
        yield BlockProblem(at, f"no more than {most} items allowed")


def _keys(owner: Row, known: set[str], at: str) -> Found:
    for name in sorted(set(owner) - known):
        yield BlockProblem(at, f"invalid additional property: {name}")
