"""Every form as a slash command of Discord, and what was filled in as the line it stands for. Pure.

Limits are those of Discord's documentation, interactions/application-commands; the local server of
the tests has them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts.budget import clipped
from alerts.words import inert
from bot.forms import FORMS, Field, Form, Kind

Json = dict[str, Any]

CHOICES, CHOICE = 25, 100
"""So many choices or suggestions, each so long."""

_COMMAND, _SUBCOMMAND, _STRING, _INTEGER, _BOOLEAN, _CHANNEL = 1, 1, 3, 4, 5, 7
_TEXT_CHANNELS = (0, 5)
"""Of a server: text, and announcements."""
_DESCRIPTION = 100
_IN_GUILDS, _WITH_THE_BOT, _ON_SERVERS = 0, 1, 0
_TYPES = {Kind.WHOLE: _INTEGER, Kind.FLAG: _BOOLEAN, Kind.CHANNEL: _CHANNEL}
_LONGEST = {
    **{Kind.TICKER: 24, Kind.TICKERS: 400, Kind.SESSION: 40, Kind.DAY: 40},
    **{Kind.TEXT: 200, Kind.WORDS: 200},
}
_SUGGESTED = (Kind.TICKER, Kind.TICKERS, Kind.SESSION, Kind.DAY)


def payload() -> list[Json]:
    """All commands, as they are registered."""
    return [_command(name, forms) for name, forms in FORMS.items()]


def line(data: Mapping[str, Any]) -> str:
    """What a person would have typed, from an interaction's data."""
    form, options = _filled(data)
    if form is None:
        # Discord still offers what was registered before: the answer says what there is.
        return inert(str(data.get("name", "")))
    return form.line({option["name"]: _value(option) for option in options})


def focused(data: Mapping[str, Any]) -> tuple[Kind, str] | None:
    """What kind of thing is being typed, and what there is of it; None if nothing we know."""
    form, options = _filled(data)
    for option in options:
        if option.get("focused") and form is not None:
            kinds = {field.name: field.kind for field in form.fields}
            kind = kinds.get(option["name"])
            return None if kind is None else (kind, str(option.get("value", "")))
    return None


def choices(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Suggestions as (words, value), without those that Discord would refuse."""
    fit = [
        (clipped(inert(words), CHOICE), value)
        for words, value in found
        if words.strip() and 0 < len(value) <= CHOICE
    ]
    return fit[:CHOICES]


def _value(option: Mapping[str, Any]) -> object:
    value = option.get("value")
    return f"discord:{value}" if option.get("type") == _CHANNEL else value


def _command(name: str, forms: Sequence[Form]) -> Json:
    subs = [
        {
            "type": _SUBCOMMAND,
            "name": form.action,
            "description": clipped(form.about, _DESCRIPTION),
            "options": list(_options(form)),
        }
        for form in forms
        if form.action
    ]
    return {
        "type": _COMMAND,
        "name": name,
        "description": clipped(forms[0].about, _DESCRIPTION),
        "options": subs or list(_options(forms[0])),
        "contexts": [_IN_GUILDS, _WITH_THE_BOT],
        "integration_types": [_ON_SERVERS],
    }


def _options(form: Form) -> Iterator[Json]:
    for field in sorted(form.fields, key=lambda field: not field.required):
        yield {
            "type": _TYPES.get(field.kind, _STRING),
            "name": field.name,
            "description": clipped(field.about, _DESCRIPTION),
            "required": field.required,
            **_bounds(field),
        }


def _bounds(field: Field) -> Json:
    """What Discord's own client checks before anything is sent."""
    bounds: Json = {}
    if field.kind is Kind.WHOLE:
        limits = {"min_value": field.least, "max_value": field.most}
        bounds = {name: limit for name, limit in limits.items() if limit is not None}
    elif field.kind is Kind.CHOICE:
        bounds = {"choices": [{"name": c, "value": c} for c in field.choices[:CHOICES]]}
    elif field.kind is Kind.CHANNEL:
        bounds = {"channel_types": list(_TEXT_CHANNELS)}
    elif field.kind in _LONGEST:
        bounds = {"max_length": _LONGEST[field.kind]}
    if field.kind in _SUGGESTED:
        bounds["autocomplete"] = True
    return bounds


def _filled(data: Mapping[str, Any]) -> tuple[Form | None, Sequence[Mapping[str, Any]]]:
    """Which form it is, and the options that have values."""
    options = data.get("options") or []
    action = ""
    if options and options[0].get("type") == _SUBCOMMAND:
        action, options = options[0]["name"], options[0].get("options") or []
    forms = FORMS.get(str(data.get("name")), ())
    return next((form for form in forms if form.action == action), None), options
