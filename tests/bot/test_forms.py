"""Every command as a form: the same commands everywhere, and what a form types is understood."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from bot.commands import Commands
from bot.forms import FORMS, Field, Form, Kind
from core.calendar import sessions_ending
from tests.bot.small_market import STORED, ask, at
from tests.market import NEWEST

ALL = [form for forms in FORMS.values() for form in forms]
NOT_UNDERSTOOD = re.compile(
    r"not understood|one word too many|there is /|is nothing to subscribe|Which |cannot"
    "|these settings read"
)


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[App]:
    async with at(folder) as opened:
        yield opened


def filled(field: Field, name: str) -> object:
    """A value that a person could give."""
    texts = {
        "until": str(sessions_ending(NEWEST, 1)[0].date.replace(year=2027)),
        "because": "they  know  why",
        "quiet": "22:00-07:00",
        "zone": "Europe/Berlin",
        "min": "4.5",
        "floor": "5M",
        "price": "5",
        "series": "sample",
    }
    return {
        Kind.TICKER: name,
        Kind.TICKERS: f"{name} {name}",
        Kind.SESSION: str(STORED[-1]),
        Kind.DAY: str(STORED[-1]),
        Kind.WHOLE: field.least or 2,
        Kind.CHOICE: field.choices[0] if field.choices else "",
        Kind.FLAG: True,
        Kind.CHANNEL: "discord:123456789012345678",
        Kind.TEXT: texts.get(field.name, ""),
        Kind.WORDS: texts.get(field.name, ""),
    }[field.kind]


def test_every_command_has_its_forms_in_the_same_order() -> None:
    assert list(FORMS) == list(Commands.USAGE)


@pytest.mark.parametrize("form", ALL, ids=lambda form: f"{form.command} {form.action}".strip())
def test_a_form_is_one_that_discord_takes(form: Form) -> None:
    name = re.compile(r"^[-_a-z0-9]{1,32}$")
    assert name.match(form.command)
    assert not form.action or name.match(form.action)
    assert 1 <= len(form.about) <= 100
    assert len(form.fields) <= 25
    required = [field.required for field in form.fields]
    assert required == sorted(required, reverse=True), "what is required comes first"
    for field in form.fields:
        assert name.match(field.name)
        assert 1 <= len(field.about) <= 100
        assert len(field.choices) <= 25
        assert bool(field.choices) == (field.kind is Kind.CHOICE)


@pytest.mark.parametrize("name", FORMS)
def test_actions_tell_the_forms_of_a_command_apart(name: str) -> None:
    actions = [form.action for form in FORMS[name]]
    assert len(set(actions)) == len(actions)
    assert len(actions) == 1 or all(actions)


@pytest.mark.parametrize("form", ALL, ids=lambda form: f"{form.command} {form.action}".strip())
async def test_what_each_field_types_is_understood(app: App, form: Form) -> None:
    report = await app.commands.digests.report(STORED[-1])
    ticker = (report.pushed or report.folded or report.beyond)[0].ticker
    needed = {field.name: filled(field, ticker) for field in form.fields if field.required}
    for extra in (None, *(field for field in form.fields if not field.required)):
        values = needed if extra is None else needed | {extra.name: filled(extra, ticker)}
        if extra is not None and extra.name == "zone":
            values["quiet"] = "22:00-07:00"
        line = form.line(values)
        lead = (await ask(app, line)).message.lead
        assert not NOT_UNDERSTOOD.search(lead), f"{line}: {lead}"


def test_a_line_is_what_a_person_would_have_typed() -> None:
    (mute,) = (form for form in FORMS["mute"] if form.action == "ticker")
    values = {"symbol": "NVDA", "sessions": 5, "double": True, "mine": False, "because": " a\nb "}
    assert mute.line(values) == "mute $NVDA 5 until:double because a b"
    (summary,) = (form for form in FORMS["feedback"] if form.action == "summary")
    assert summary.line({}) == "feedback"
    where = {"symbol": "NVDA", "channel": "slack:C0123ABCDEF"}
    assert mute.line(where) == "mute slack:C0123ABCDEF $NVDA"
    (plan,) = (form for form in FORMS["backfill"] if form.action == "plan")
    span = {"first": "2026-06-01", "last": "2026-11-25", "policy": "all", "oldest_first": True}
    chosen = span | {"announce": True, "series": "off_exchange"}
    assert plan.line(chosen) == (
        "backfill plan 2026-06-01 2026-11-25 all oldest-first announce series:off_exchange"
    )
    (added,) = (form for form in FORMS["watch"] if form.action == "add")
    there = {"symbols": "NVDA AMD", "here": True, "channel": "discord:123456789012345678"}
    assert added.line(there) == "watch discord:123456789012345678 add $NVDA $AMD here"
    (listed,) = (form for form in FORMS["watch"] if form.action == "list")
    assert listed.line({"here": True}) == "watch list here"


def form_of(name: str, action: str) -> Form:
    return next(form for form in FORMS[name] if form.action == action)


OTHERS = (
    *("here", "add QWOH", "mine because", "mine", "text", "csv", "silent", "label:news-like", "5"),
    *("announce", "oldest-first", "top:5", "QWOH,here", "discord:456", "until:double"),
)
"""What is another word somewhere."""


@pytest.mark.parametrize("form", ALL, ids=lambda form: f"{form.command} {form.action}".strip())
def test_what_is_filled_in_becomes_no_other_word(form: Form) -> None:
    for field in form.fields:
        if field.kind in (Kind.FLAG, Kind.CHOICE, Kind.WHOLE):
            continue
        before = form.line({field.name: "X"}).split()
        for value in OTHERS:
            words = form.line({field.name: value}).split()
            if field.kind is Kind.WORDS:
                assert words == [*before[:-1], *value.split()]
            elif field.kind is Kind.TICKERS:
                assert words[: len(before) - 1] == before[:-1]
                assert all(word.startswith("$") for word in words[len(before) - 1 :])
            else:
                assert len(words) == len(before), "it is one word"
                (changed,) = (w for w, b in zip(words, before, strict=True) if w != b)
                is_placed = field.kind is Kind.DAY
                assert is_placed or changed not in value.split() or changed == "discord:456"
        assert form.line({field.name: " "}) == form.line({})


@pytest.mark.parametrize(
    "typed", ["XKAD because", "add XKAD", "#alerts", "<#900000000000000011>", "alerts", "label:x"]
)
async def test_a_channel_that_is_none_is_named_and_nothing_else_is_done(
    app: App, typed: str
) -> None:
    for name, action, rest in (("mute", "ticker", {"symbol": "QWOH"}), ("watch", "list", {})):
        reply = await ask(app, form_of(name, action).line({**rest, "channel": typed}))
        assert not reply.ok
        assert reply.message.lead.startswith(f"{typed.replace(' ', '_')!r}: a channel is picked")
    assert not await app.db.rows("SELECT * FROM mutes")
    assert not await app.db.rows("SELECT * FROM watchlists")


@pytest.mark.parametrize(
    ("name", "action", "values", "said"),
    [
        ("mute", "ticker", {"symbol": "label:news-like"}, "'$label:news-like': did you mean"),
        ("mute", "ticker", {"symbol": "QWOH mine"}, "QWOH_mine is not a ticker"),
        ("ticker", "", {"symbol": "QWOH 5 text"}, "QWOH_5_text is not a ticker"),
        ("ticker", "", {"symbol": "QWOH", "session": "5"}, "'5' is no date"),
        ("ticker", "", {"symbol": "QWOH", "session": "text"}, "'text' is no date"),
        ("anomalies", "", {"session": "csv"}, "'csv' is no date"),
        ("watch", "add", {"symbols": "here"}, "here is not a ticker"),
        ("watch", "add", {"symbols": "QWOH,here"}, "QWOH added"),
    ],
)
async def test_a_value_is_read_as_what_its_field_is_for(
    app: App, name: str, action: str, values: dict[str, object], said: str
) -> None:
    assert said in (await ask(app, form_of(name, action).line(values))).message.lead
    assert not await app.db.rows("SELECT * FROM watchlists WHERE owner = 'discord:456'")
