"""What Slack's own client does with blocks: finds what is pressed, and fills in what is typed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.servers.chat import Row


class Impossible(AssertionError):
    """Nobody could do this with what is to be seen."""


def pressed(
    blocks: Sequence[Row], action_id: str, value: str | None, block_id: str | None
) -> tuple[Row, Row]:
    """The block and the element with this id; a value or the block's id tells it from others."""
    for block in blocks:
        if block_id is not None and block["block_id"] != block_id:
            continue
        for element in elements(block):
            if element.get("action_id") == action_id and _offers(element, value):
                return block, element
    there = [e.get("action_id") for block in blocks for e in elements(block)]
    raise Impossible(f"no {action_id!r} with the value {value!r} among {there}")


def action(block: Row, element: Row, value: object, at: str) -> Row:
    """What is told of what was done with an element."""
    told = {"type": element["type"], "action_id": element["action_id"], "action_ts": at}
    told["block_id"] = block["block_id"]
    if element["type"] != "button":
        return told | filled(element, value)
    told["text"] = {"emoji": True, **element["text"]}
    return told | {name: element[name] for name in ("value", "style", "url") if name in element}


def state(blocks: Sequence[Row], values: Mapping[str, object], *, submit: bool = False) -> Row:
    """What is filled in, by block and by element; `values` go by action_id or else block_id.

    Slack's client refuses to submit a form that lacks something; so does this.
    """
    unused, told = set(values), Row()
    for block in blocks:
        for element in elements(block):
            name = element.get("action_id", "")
            if element["type"] in ("button", "overflow", "image"):
                continue
            key = name if name in values else block["block_id"]
            unused.discard(key)
            entry = filled(element, values.get(key))
            told.setdefault(block["block_id"], {})[name] = entry
            needed = submit and block["type"] == "input" and not block.get("optional")
            if needed and not any(v for k, v in entry.items() if k != "type"):
                raise Impossible(f"{key!r} must be filled in")
    if unused:
        raise Impossible(f"there is nothing to fill in for {sorted(unused)}")
    return told


def filled(element: Row, value: object) -> Row:
    """One element as it is told when it has this value, or without one what it began with."""
    kind = element["type"]
    if kind in ("plain_text_input", "number_input"):
        text = element.get("initial_value") if value is None else str(value)
        _typed(element, text)
        return {"type": kind, "value": text}
    if kind == "datepicker":
        return {"type": kind, "selected_date": value or element.get("initial_date")}
    if kind == "conversations_select":
        _picked(value)
        return {"type": kind, "selected_conversation": value or element.get("initial_conversation")}
    if kind == "checkboxes":
        chosen = element.get("initial_options", []) if value is None else _several(element, value)
        return {"type": kind, "selected_options": chosen}
    if kind in ("static_select", "radio_buttons", "overflow"):
        chosen = element.get("initial_option") if value is None else _option(element, value)
        return {"type": kind, "selected_option": chosen}
    raise Impossible(f"nobody knows how to fill in {kind}")


def elements(block: Row) -> Iterator[Row]:
    """All that can be pressed or filled in, in one block."""
    if block["type"] == "actions":
        yield from block["elements"]
    elif block["type"] == "section" and "accessory" in block:
        yield block["accessory"]
    elif block["type"] == "input":
        yield block["element"]


def _offers(element: Row, value: str | None) -> bool:
    if value is None:
        return True
    if element["type"] == "button":
        return bool(element.get("value") == value)
    return "options" not in element or any(o["value"] == value for o in _options(element))


def _options(element: Row) -> list[Row]:
    groups = element.get("option_groups", [])
    return [*element.get("options", []), *(o for group in groups for o in group["options"])]


def _option(element: Row, value: object) -> Row:
    for option in _options(element):
        if option["value"] == value:
            return option
    raise Impossible(f"{value!r} is no option of {element.get('action_id')!r}")


def _picked(value: object) -> None:
    """Nobody can type there: a channel of the list has an id."""
    if value is not None and not re.fullmatch("[CG][A-Z0-9]+", str(value)):
        raise Impossible(f"{value!r} is no channel to pick")


def _several(element: Row, values: Any) -> list[Row]:
    return [_option(element, value) for value in values]


def _typed(element: Row, text: str | None) -> None:
    """The client's own checks of what is typed."""
    if not text:
        return
    if element["type"] == "plain_text_input":
        if not element.get("min_length", 0) <= len(text) <= element.get("max_length", 3000):
            raise Impossible(f"{text!r} is too short or too long")
        return
    number = float(text)
    least, most = element.get("min_value", number), element.get("max_value", number)
    decimal = "." in text and not element["is_decimal_allowed"]
    if decimal or not float(least) <= number <= float(most):
        raise Impossible(f"{text!r} is not such a number")
