"""What Discord accepts as a modal, and what a person may fill in there."""

from collections.abc import Iterator, Mapping

from tests.servers import discord_forms as forms
from tests.servers.chat import Row
from tests.servers.discord_commands import NotOffered
from tests.servers.discord_forms import Path, Problem

_ROW, _INPUT, _LABEL = 1, 4, 18
_KEYS = {
    *("type", "id", "custom_id", "style", "label", "value", "placeholder"),
    *("required", "min_length", "max_length"),
}


def modal_problems(data: Row, path: Path) -> Iterator[Problem]:
    """All that Discord would refuse in a modal of text inputs."""
    yield from forms.keys(data, path, {"custom_id", "title", "components", "flags"})
    yield from forms.text(data, path, "custom_id", 100, least=1)
    yield from forms.text(data, path, "title", 45, least=1)
    yield from forms.size(data, path, "components", 5)
    if not data.get("components"):
        yield forms.required((*path, "components"))
    ids: set[str] = set()
    for at, part in forms.items(data, path, "components"):
        if part.get("type") not in (_ROW, _LABEL):
            yield forms.choice((*at, "type"), "1, 18")
            continue
        if part["type"] == _LABEL:
            yield from forms.text(part, at, "label", 45, least=1)
            yield from forms.text(part, at, "description", 100)
        entry = _input(part)
        if entry is None:
            yield forms.required((*at, "components"))
            continue
        yield from _text_input(entry, at, labelled=part["type"] == _LABEL)
        if entry.get("custom_id") in ids:
            why = "Component custom id cannot be duplicated"
            yield Problem((*at, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", why)
        ids.add(str(entry.get("custom_id")))


def submitted(modal: Row, values: Mapping[str, str]) -> Row:
    """The `data` of its submission; NotOffered for what Discord's client would not send."""
    entries = [(part["type"], _input(part) or {}) for part in modal["components"]]
    known = {entry["custom_id"] for _, entry in entries}
    if unknown := set(values) - known:
        raise NotOffered(f"the modal has no input {', '.join(sorted(unknown))}")
    parts = []
    for kind, entry in entries:
        name = entry["custom_id"]
        value = values.get(name, entry.get("value") or "")
        most = entry.get("max_length") or 4000
        least = (entry.get("min_length") or 1) if entry.get("required", True) else 0
        if not least <= len(value) <= most:
            raise NotOffered(f"{name}: {value!r} is not of {least} to {most} signs")
        row = {"type": _INPUT, "custom_id": name, "value": value}
        one = {"component": row} if kind == _LABEL else {"components": [row]}
        parts.append({"type": kind, **one})
    return {"custom_id": modal["custom_id"], "components": parts}


def _input(part: Row) -> Row | None:
    """The one text input in a row or under a label."""
    inner = part.get("components") or []
    one = part.get("component") if part["type"] == _LABEL else inner[0] if len(inner) == 1 else None
    return one if isinstance(one, dict) and one.get("type") == _INPUT else None


def _text_input(entry: Row, path: Path, *, labelled: bool) -> Iterator[Problem]:
    yield from forms.keys(entry, path, _KEYS)
    yield from forms.text(entry, path, "custom_id", 100, least=1)
    yield from forms.text(entry, path, "label", 45, least=0 if labelled else 1)
    yield from forms.text(entry, path, "placeholder", 100)
    yield from forms.text(entry, path, "value", 4000)
    if entry.get("style") not in (1, 2):
        yield forms.choice((*path, "style"), "1, 2")
    for name, least in (("min_length", 0), ("max_length", 1)):
        length = entry.get(name)
        if length is not None and not least <= length <= 4000:
            why = f"int value should be between {least} and 4000."
            yield Problem((*path, name), "NUMBER_TYPE_MAX", why)
