"""What Slack accepts as an element of a block: what is pressed, chosen or typed."""

import re
from collections.abc import Callable, Collection
from datetime import date
from typing import Any

from slackblocks import _limits as limits

from tests.servers.chat import Row
from tests.servers.slack_parts import BlockProblem, Found, count, entries, flag, keys, string, text

_ELEMENT = {"type", "action_id", "confirm", "focus_on_load"}
_BUTTON = _ELEMENT | {"text", "value", "url", "style", "accessibility_label"}
_SELECT = _ELEMENT | {"options", "option_groups", "initial_option", "placeholder"}
_BOXES = _ELEMENT | {"options", "initial_options", "initial_option"}
_TYPED = _ELEMENT | {"initial_value", "placeholder", "dispatch_action_config"}
_LENGTHS = {"min_length", "max_length"}
_NUMBERS = {"min_value", "max_value", "initial_value"}

ACTIONS = ("button", "static_select", "overflow", "datepicker", "checkboxes", "radio_buttons")
ACCESSORIES = (*ACTIONS, "image")
INPUTS = (
    *("plain_text_input", "number_input", "datepicker"),
    *("static_select", "checkboxes", "radio_buttons", "conversations_select"),
)
_CONVERSATIONS = _ELEMENT | {
    *("initial_conversation", "default_to_current_conversation", "response_url_enabled"),
    *("filter", "placeholder"),
}
_FILTER = {"include", "exclude_external_shared_channels", "exclude_bot_users"}
_INCLUDED = ("im", "mpim", "private", "public")
OVERFLOW_LEAST = 2
"""slack_sdk's; slackblocks is content with one."""


def element_problems(element: Any, at: str, allowed: Collection[str]) -> Found:
    """All that Slack would refuse in an element, in a place where these kinds may be."""
    kind = element.get("type") if isinstance(element, dict) else None
    if not isinstance(kind, str) or kind not in allowed:
        yield BlockProblem(f"{at}/type", f"unsupported type: {kind}")
        return
    if "action_id" in element:
        yield from string(element["action_id"], f"{at}/action_id", limits.ACTION_ID_MAX_LENGTH)
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{at}/confirm")
    yield from _CHECKS[kind](element, at)


def picture(image: Row, at: str) -> Found:
    """An image, as a block or as an element."""
    yield from string(image.get("alt_text"), f"{at}/alt_text", limits.IMAGE_ALT_TEXT_MAX_LENGTH)
    if ("image_url" in image) == ("slack_file" in image):
        yield BlockProblem(at, "must define either `slack_file` or `image_url`")
    elif "image_url" in image:
        most = limits.IMAGE_IMAGE_URL_MAX_LENGTH
        yield from string(image["image_url"], f"{at}/image_url", most)
    elif not isinstance(image["slack_file"], dict) or len(image["slack_file"]) != 1:
        yield BlockProblem(f"{at}/slack_file", "must define either `id` or `url`")


def _confirm(confirm: Any, at: str) -> Found:
    if not isinstance(confirm, dict):
        yield BlockProblem(at, "must be an object")
        return
    yield from keys(confirm, {"title", "text", "confirm", "deny", "style"}, at)
    for name, most in (
        ("title", limits.CONFIRMATION_TITLE_MAX_LENGTH),
        ("text", limits.CONFIRMATION_TEXT_MAX_LENGTH),
        ("confirm", limits.CONFIRMATION_CONFIRM_MAX_LENGTH),
        ("deny", limits.CONFIRMATION_DENY_MAX_LENGTH),
    ):
        yield from text(confirm.get(name), f"{at}/{name}", most, plain=name != "text")


def _button(button: Row, at: str) -> Found:
    yield from keys(button, _BUTTON, at)
    yield from text(button.get("text"), f"{at}/text", limits.BUTTON_TEXT_MAX_LENGTH, plain=True)
    if "value" in button:
        yield from string(button["value"], f"{at}/value", limits.BUTTON_VALUE_MAX_LENGTH, 0)
    if "url" in button:
        yield from string(button["url"], f"{at}/url", limits.BUTTON_URL_MAX_LENGTH)
    if "accessibility_label" in button:
        most = limits.BUTTON_ACCESSIBILITY_LABEL_MAX_LENGTH
        yield from string(button["accessibility_label"], f"{at}/accessibility_label", most)
    if button.get("style") not in (None, "primary", "danger"):
        yield BlockProblem(f"{at}/style", "must be one of: primary, danger")


def _select(menu: Row, at: str) -> Found:
    yield from keys(menu, _SELECT, at)
    yield from _placeholder(menu, at, limits.SELECT_PLACEHOLDER_MAX_LENGTH)
    if ("options" in menu) == ("option_groups" in menu):
        yield BlockProblem(at, "must define either `options` or `option_groups`")
        return
    if "options" in menu:
        yield from _options(menu["options"], f"{at}/options", limits.SELECT_OPTIONS_MAX_ITEMS)
    else:
        yield from _groups(menu["option_groups"], f"{at}/option_groups")
    if "initial_option" in menu and menu["initial_option"] not in _all_options(menu):
        yield BlockProblem(f"{at}/initial_option", "must be one of the options")


def _groups(groups: Any, at: str) -> Found:
    yield from count(groups, at, limits.SELECT_OPTION_GROUPS_MAX_ITEMS)
    for pointer, group in entries(groups, at):
        if not isinstance(group, dict):
            yield BlockProblem(pointer, "must be an object")
            continue
        most = limits.OPTION_GROUP_LABEL_MAX_LENGTH
        yield from text(group.get("label"), f"{pointer}/label", most, plain=True)
        most = limits.OPTION_GROUP_OPTIONS_MAX_ITEMS
        yield from _options(group.get("options"), f"{pointer}/options", most)


def _conversations(menu: Row, at: str) -> Found:
    yield from keys(menu, _CONVERSATIONS, at)
    yield from _placeholder(menu, at, limits.SELECT_PLACEHOLDER_MAX_LENGTH)
    chosen = menu.get("filter", {"exclude_bot_users": False})
    if not isinstance(chosen, dict) or not chosen:
        yield BlockProblem(f"{at}/filter", "must define at least one filter")
        return
    yield from keys(chosen, _FILTER, f"{at}/filter")
    included = chosen.get("include", ["public"])
    if not included or not set(included) <= set(_INCLUDED):
        yield BlockProblem(f"{at}/filter/include", f"must be some of: {', '.join(_INCLUDED)}")


def _overflow(menu: Row, at: str) -> Found:
    yield from keys(menu, {"type", "action_id", "confirm", "options"}, at)
    options, most = menu.get("options"), limits.OVERFLOW_OPTIONS_MAX_ITEMS
    yield from _options(options, f"{at}/options", most, OVERFLOW_LEAST)


def _boxes(boxes: Row, at: str) -> Found:
    single = boxes["type"] == "radio_buttons"
    yield from keys(boxes, _BOXES - {"initial_options" if single else "initial_option"}, at)
    most = limits.CHECKBOXES_OPTIONS_MAX_ITEMS
    yield from _options(boxes.get("options"), f"{at}/options", most, plain=False)
    chosen = [boxes["initial_option"]] if "initial_option" in boxes else None
    for option in chosen or boxes.get("initial_options", []):
        if option not in boxes.get("options", []):
            yield BlockProblem(f"{at}/initial_options", "must be among the options")


def _options(options: Any, at: str, most: int, least: int = 1, *, plain: bool = True) -> Found:
    yield from count(options, at, most, least)
    for pointer, option in entries(options, at):
        if not isinstance(option, dict):
            yield BlockProblem(pointer, "must be an object")
            continue
        yield from keys(option, {"text", "value", "description", "url"}, pointer)
        longest = limits.OPTION_TEXT_MAX_LENGTH
        yield from text(option.get("text"), f"{pointer}/text", longest, plain=plain)
        yield from string(option.get("value"), f"{pointer}/value", limits.OPTION_VALUE_MAX_LENGTH)
        if "description" in option:
            longest = limits.OPTION_DESCRIPTION_MAX_LENGTH
            yield from text(option["description"], f"{pointer}/description", longest, plain=plain)


def _all_options(menu: Row) -> list[Any]:
    groups = menu.get("option_groups", [])
    return [*menu.get("options", []), *(o for group in groups for o in group.get("options", []))]


def _plain_text(field: Row, at: str) -> Found:
    yield from keys(field, _TYPED | _LENGTHS | {"multiline"}, at)
    yield from _placeholder(field, at, limits.PLAIN_TEXT_INPUT_PLACEHOLDER_MAX_LENGTH)
    yield from flag(field, "multiline", at)
    longest = limits.PLAIN_TEXT_INPUT_MAX_LENGTH_MAX
    for name in sorted(_LENGTHS & set(field)):
        if not isinstance(field[name], int) or not name.startswith("min") <= field[name] <= longest:
            yield BlockProblem(f"{at}/{name}", f"must be a number up to {longest}")
    if "initial_value" in field:
        yield from string(field["initial_value"], f"{at}/initial_value", longest, 0)


def _number(field: Row, at: str) -> Found:
    yield from keys(field, _TYPED | _NUMBERS | {"is_decimal_allowed"}, at)
    yield from _placeholder(field, at, limits.NUMBER_INPUT_PLACEHOLDER_MAX_LENGTH)
    if not isinstance(field.get("is_decimal_allowed"), bool):
        yield BlockProblem(f"{at}/is_decimal_allowed", "must be a boolean")
    pattern = r"-?\d+(\.\d+)?" if field.get("is_decimal_allowed") else r"-?\d+"
    for name in sorted(_NUMBERS & set(field)):
        # All of them are strings, which is easily got wrong.
        if not isinstance(field[name], str) or not re.fullmatch(pattern, field[name]):
            yield BlockProblem(f"{at}/{name}", "must be a number, as a string")


def _datepicker(field: Row, at: str) -> Found:
    yield from keys(field, _ELEMENT | {"initial_date", "placeholder"}, at)
    yield from _placeholder(field, at, limits.DATE_PICKER_PLACEHOLDER_MAX_LENGTH)
    if "initial_date" in field:
        try:
            date.fromisoformat(field["initial_date"])
        except (TypeError, ValueError):
            yield BlockProblem(f"{at}/initial_date", "must be a date as YYYY-MM-DD")


def _placeholder(field: Row, at: str, most: int) -> Found:
    if "placeholder" in field:
        yield from text(field["placeholder"], f"{at}/placeholder", most, plain=True)


_CHECKS: dict[str, Callable[[Row, str], Found]] = {
    "image": picture,
    "button": _button,
    "static_select": _select,
    "conversations_select": _conversations,
    "overflow": _overflow,
    "datepicker": _datepicker,
    "checkboxes": _boxes,
    "radio_buttons": _boxes,
    "plain_text_input": _plain_text,
    "number_input": _number,
}
