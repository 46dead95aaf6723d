"""What Discord accepts as components: action rows of buttons, or of one select."""

from collections.abc import Iterator

from tests.servers import discord_forms as forms
from tests.servers.chat import Row
from tests.servers.discord_forms import Path, Problem

_BUTTON = {"type", "id", "style", "label", "emoji", "custom_id", "url", "disabled"}
_SELECT = {
    *("type", "id", "custom_id", "placeholder", "min_values", "max_values", "options"),
    *("disabled", "required", "channel_types", "default_values"),
}
_OPTION = {"label", "value", "description", "emoji", "default"}
_ROW_TYPE, _BUTTON_TYPE, _STRING_SELECT, _SELECTS = 1, 2, 3, {3, 5, 6, 7, 8}
_LINK_STYLE = 5


def component_problems(payload: Row) -> Iterator[Problem]:
    """All that Discord would refuse in the components of a message."""
    yield from forms.size(payload, (), "components", 5)
    ids: set[str] = set()
    for path, row in forms.items(payload, (), "components"):
        yield from forms.keys(row, path, {"type", "id", "components"})
        if row.get("type") != _ROW_TYPE:
            yield forms.choice((*path, "type"), "1")
            continue
        yield from _row(row, path)
        for at, part in forms.items(row, path, "components"):
            name = part.get("custom_id")
            if name is not None and name in ids:
                text = "Component custom id cannot be duplicated"
                yield Problem((*at, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", text)
            ids.add(str(name))


def _row(row: Row, path: Path) -> Iterator[Problem]:
    parts = list(forms.items(row, path, "components"))
    selects = sum(part.get("type") in _SELECTS for _, part in parts)
    if not 1 <= len(parts) <= (1 if selects else 5):
        text = f"Must be between 1 and {1 if selects else 5} in length."
        yield Problem((*path, "components"), "BASE_TYPE_BAD_LENGTH", text)
    for at, part in parts:
        if part.get("type") == _BUTTON_TYPE:
            yield from _button(part, at)
        elif part.get("type") in _SELECTS:
            yield from _select(part, at)
        else:
            yield forms.choice((*at, "type"), "2, 3, 5, 6, 7, 8")


def _button(button: Row, path: Path) -> Iterator[Problem]:
    yield from forms.keys(button, path, _BUTTON)
    yield from forms.text(button, path, "label", 80)
    if not button.get("label") and not button.get("emoji"):
        yield forms.required((*path, "label"))
    if button.get("style") == _LINK_STYLE:
        yield from forms.text(button, path, "url", 512, least=1)
        if "custom_id" in button:
            text = "A custom id and url cannot both be specified"
            yield Problem((*path, "custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_URL", text)
        return
    if button.get("style") not in (1, 2, 3, 4):
        yield forms.choice((*path, "style"), "1, 2, 3, 4, 5")
    yield from forms.text(button, path, "custom_id", 100, least=1)


def _select(select: Row, path: Path) -> Iterator[Problem]:
    yield from forms.keys(select, path, _SELECT)
    yield from forms.text(select, path, "custom_id", 100, least=1)
    yield from forms.text(select, path, "placeholder", 150)
    yield from forms.size(select, path, "options", 25)
    options = list(forms.items(select, path, "options"))
    if (select.get("type") == _STRING_SELECT) != bool(options):
        yield forms.required((*path, "options"))
    values: set[str] = set()
    for at, option in options:
        yield from forms.keys(option, at, _OPTION)
        yield from forms.text(option, at, "label", 100, least=1)
        yield from forms.text(option, at, "value", 100, least=1)
        yield from forms.text(option, at, "description", 100)
        if option.get("value") in values:
            text = "The specified option value is already used"
            yield Problem((*at, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", text)
        values.add(str(option.get("value")))
