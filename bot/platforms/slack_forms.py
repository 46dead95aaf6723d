"""A command's form as a window of Slack, and back. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from alerts.budget import clipped
from bot.forms import FORM, FORMS, Field, Form, Kind, optional_form
from bot.platforms.slack_parts import plain
from bot.platforms.slack_words import cleaned, forgiven

View = dict[str, Any]

_TITLE, _LABEL, _METADATA = 24, 75, 3_000


def form_for(line: str) -> Form | None:
    """The form to open for a line that lacks what its command needs, or asks for it by `form`.

    None if it can be answered.
    """
    words = line.lower().split()
    if len(words) == 2 and words[1] == FORM and (asked := optional_form(words[0])):
        return asked
    forms = FORMS.get(words[0] if words else "", ())
    if len(words) == 1 and forms and all(map(_needs_more, forms)):
        return forms[0]
    named = (f for f in forms if words[1:] == [f.action] and _needs_more(f))
    return next(named, None)


def view(form: Form, metadata: Mapping[str, str]) -> View:
    """The window; what is in `metadata` comes back with it."""
    kept = json.dumps(dict(metadata))
    return {
        "type": "modal",
        "callback_id": form.called,
        # Without it the answer has to find its way by the channel alone.
        "private_metadata": kept if len(kept) <= _METADATA else "{}",
        "title": plain(clipped(form.called.capitalize(), _TITLE)),
        "submit": plain("Ask"),
        "close": plain("Cancel"),
        "blocks": [_input(field) for field in form.fields],
    }


def form_of(submitted: View) -> Form | None:
    """Which form a submitted window was made of; None if we have none such any more."""
    called = submitted.get("callback_id")
    forms = (form for forms in FORMS.values() for form in forms)
    return next((f for f in forms if f.called == called), None)


def line_of(form: Form, submitted: View) -> str:
    """What somebody would have typed who filled it in like this."""
    state = (submitted.get("state") or {}).get("values") or {}
    return form.line(
        {field.name: _value(field, state.get(field.name) or {}) for field in form.fields}
    )


def metadata(submitted: View) -> Mapping[str, str]:
    """What was put into the window when it was opened."""
    try:
        kept = json.loads(submitted.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _needs_more(form: Form) -> bool:
    return any(field.required for field in form.fields)


def _input(field: Field) -> View:
    block: View = {
        "type": "input",
        "block_id": field.name,
        "optional": not field.required,
        "label": plain(clipped(field.name.capitalize(), _LABEL)),
        "element": {"action_id": "value", **_element(field)},
    }
    if field.kind is not Kind.FLAG:
        block["hint"] = plain(field.about)
    return block


def _element(field: Field) -> View:
    match field.kind:
        case Kind.SESSION | Kind.DAY:
            return {"type": "datepicker"}
        case Kind.WHOLE:
            limits = {"min_value": field.least, "max_value": field.most}
            said = {name: str(value) for name, value in limits.items() if value is not None}
            return {"type": "number_input", "is_decimal_allowed": False, **said}
        case Kind.CHOICE:
            return {"type": "static_select", "options": _options(field.choices)}
        case Kind.FLAG:
            return {"type": "checkboxes", "options": _options([field.about])}
        case Kind.CHANNEL:
            channels = {"include": ["public", "private"], "exclude_bot_users": True}
            return {"type": "conversations_select", "filter": channels}
        case _:
            return {"type": "plain_text_input", "max_length": 300}


def _options(texts: Sequence[str]) -> list[View]:
    return [{"text": plain(clipped(text, _LABEL)), "value": clipped(text, 150)} for text in texts]


def _value(field: Field, state: Mapping[str, Any]) -> object:
    """What was filled into one field; None if nothing was."""
    told = state.get("value") or {}
    if "selected_options" in told:
        return bool(told["selected_options"])
    if chosen := told.get("selected_option"):
        return str(chosen["value"])
    if picked := told.get("selected_conversation"):
        return f"slack:{picked}"
    text = cleaned(str(told.get("selected_date") or told.get("value") or ""))
    return text if field.kind is Kind.WORDS else forgiven(text)
