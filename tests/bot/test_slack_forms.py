"""Forms on Slack: which command opens one, what is in it, and what comes of it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.views import View

from bot.forms import FORMS, Form, Kind
from bot.platforms.slack_forms import form_for, form_of, line_of, metadata, view
from tests.bot.slack_desk import BOB, MODES, desk, read
from tests.bot.small_market import stored_market
from tests.servers.slack_form import state
from tests.servers.slack_store import named
from tests.servers.slack_views import view_problems
from tests.shared import Shared

ALL = [form for forms in FORMS.values() for form in forms]
BACK = {"channel": "C1", "name": "alice", "url": "https://hooks.slack.com/commands/T/1/x"}


@pytest.fixture
def stored(shared: Shared, tmp_path: Path) -> Path:
    """A market of its own for each test."""
    return stored_market(shared, tmp_path / "data")


def submitted(form: Form, values: Mapping[str, object]) -> dict[str, Any]:
    """The window as Slack sends it when it is filled in."""
    made = view(form, BACK)
    return made | {"state": {"values": state(named(made["blocks"]), values, submit=True)}}


@pytest.mark.parametrize("form", ALL, ids=lambda f: f"{f.command} {f.action}")
def test_every_form_is_a_window_that_slack_takes(form: Form) -> None:
    if not form.fields:
        return
    made = view(form, BACK)
    assert view_problems(made) == []
    View(**made).validate_json()
    assert form_of(made) == form
    assert metadata(made) == BACK


def test_forms_have_names_of_their_own() -> None:
    names = [f"{form.command} {form.action}".strip() for form in ALL]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("form", ALL, ids=lambda f: f"{f.command} {f.action}")
def test_what_is_filled_in_is_the_line_that_the_form_would_make(form: Form) -> None:
    shown: dict[str, object] = {}
    meant: dict[str, object] = {}
    for field in form.fields:
        match field.kind:
            case Kind.FLAG:
                meant[field.name] = True
                options = view(form, {})["blocks"][form.fields.index(field)]["element"]["options"]
                shown[field.name] = [options[0]["value"]]
            case Kind.CHOICE:
                shown[field.name] = meant[field.name] = field.choices[0]
            case Kind.SESSION | Kind.DAY:
                shown[field.name] = meant[field.name] = "2026-03-06"
            case Kind.WHOLE:
                shown[field.name] = meant[field.name] = str(field.least)
            case Kind.CHANNEL:
                shown[field.name], meant[field.name] = "C0123ABCDEF", "slack:C0123ABCDEF"
            case _:
                shown[field.name] = meant[field.name] = "QWOH"
    assert line_of(form, submitted(form, shown)) == form.line(meant)


def test_what_is_filled_in_is_read_as_forgivingly_as_what_is_typed() -> None:
    (add,) = (form for form in ALL if form.action == "add")
    assert line_of(add, submitted(add, {"symbols": "NVDA, $amd."})) == "watch add $NVDA $amd"
    mute = FORMS["mute"][0]
    filled = submitted(mute, {"symbol": "nvda.", "because": "it is, well, late."})
    assert line_of(mute, filled) == "mute $nvda because it is, well, late."
    filled = submitted(mute, {"symbol": "nvda, mine", "channel": "C0123ABCDEF"})
    assert line_of(mute, filled) == "mute slack:C0123ABCDEF $nvda_mine"


def test_nothing_filled_in_is_nothing_typed() -> None:
    (form,) = FORMS["anomalies"]
    assert line_of(form, submitted(form, {})) == "anomalies"


@pytest.mark.parametrize(
    ("line", "opened"),
    [
        ("ticker", "ticker "),
        ("why", "why "),
        ("mute", "mute ticker"),
        ("mute label", "mute label"),
        ("watch add", "watch add"),
        ("watch ADD", "watch add"),
        ("outbox resend", "outbox resend"),
        ("backfill run", "backfill run"),
        *((f"{name} Form", f"{name} ") for name in ("subscribe", "preview", "anomalies")),
        *((f"{line} form", None) for line in ("ticker", "why", "watch add", "preview min:5")),
        *((line, None) for line in ("watch", "mutes", "feedback", "outbox", "help", "anomalies")),
        *((line, None) for line in ("ticker NVDA", "watch add NVDA", "watch list", "nonsense", "")),
    ],
)
def test_a_form_opens_only_where_something_is_missing(line: str, opened: str | None) -> None:
    form = form_for(line)
    assert (form and f"{form.command} {form.action}") == opened


def test_what_comes_back_broken_is_not_trusted() -> None:
    assert metadata({"private_metadata": "no json"}) == {}
    assert metadata({"private_metadata": "[1]"}) == {}
    assert form_of({"callback_id": "gone"}) is None
    assert len(str(view(FORMS["ticker"][0], {"url": "x" * 4_000})["private_metadata"])) == 2


@pytest.mark.parametrize("mode", MODES)
async def test_a_command_without_its_ticker_opens_a_form_and_answers_where_it_was_typed(
    stored: Path, mode: str
) -> None:
    async with desk(stored, mode) as slack:
        asked = await slack.server.command("/ticker")
        shown = await asked.answered()
        assert asked.answer_took_s < 0.5
        assert shown.how == "view"
        (opened,) = asked.views
        sent = await slack.server.submit(opened, {"symbol": " $qwoh ", "show": "text"})
        assert await sent.acknowledged() == {}
        assert not opened.is_open
        answer = await asked.answered(10.0, count=2)
        assert "QWOH $3.21" in read(answer.body)
        assert answer.body["response_type"] == "ephemeral"
        again = await slack.server.redeliver(sent)
        await again.acknowledged()
        await slack.ask("/source", user_id=BOB)
        assert len(asked.shown) == 2


async def test_a_form_that_is_asked_for_opens_and_what_is_filled_in_counts(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/preview", "form")
        await asked.answered()
        (opened,) = asked.views
        assert await slack.server.submit(opened, {"min": "5"})
        assert "min" in read((await asked.answered(20.0, count=2)).body)
        slack.server.modals.trigger_lifetime = timedelta(seconds=-1)
        said = await slack.ask("/scorecard form", user_id=BOB)
        assert "A form opens only for the command /scorecard form" in said


@pytest.mark.parametrize(
    "typed", ["/subscribe form", "/unsubscribe form", "/outbox resend", "/backfill run"]
)
async def test_a_window_that_is_for_operators_opens_for_nobody_else(
    stored: Path, typed: str
) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command(*typed.split(" ", 1))
        name = typed.removesuffix(" form")
        assert f"{name} is for operators; ask one" in read((await asked.answered()).body)
        assert asked.views == []
        (row,) = await slack.app.db.rows("SELECT command, allowed FROM audit")
        assert (row["allowed"], row["command"]) == (0, name)


def test_what_only_operators_may_fill_in_is_what_the_commands_say() -> None:
    found = [form.called for form in ALL if form.for_operators]
    outbox = ("outbox resend", "outbox look", "outbox drop")
    assert found == ["subscribe", "unsubscribe", *outbox, "backfill run"]


async def test_whoever_opens_too_many_windows_is_told_to_wait(stored: Path) -> None:
    async with desk(stored) as slack:
        slack.app.reception.per_person.burst = 1
        asked = await slack.server.command("/ticker")
        await asked.answered()
        assert len(asked.views) == 1
        again = await slack.server.command("/ticker")
        assert "That is a lot at once from you" in read((await again.answered()).body)
        assert again.views == []


async def test_a_trigger_that_is_too_old_gives_the_usage_instead(stored: Path) -> None:
    async with desk(stored) as slack:
        slack.server.modals.trigger_lifetime = timedelta(seconds=-1)
        assert "/ticker SYM" in await slack.ask("/ticker")
        assert "/tw-mute" in await slack.ask("/tw-mute")


async def test_the_same_command_twice_opens_one_form_and_says_nothing_else(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/ticker")
        await asked.answered()
        again = await slack.server.redeliver(asked)
        await again.acknowledged()
        await slack.ask("/source", user_id=BOB)
        assert (len(asked.shown), again.shown) == (1, [])


async def test_a_form_of_another_version_is_answered_kindly(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/ticker")
        await asked.answered()
        (opened,) = asked.views
        opened.body["callback_id"] = "gone"
        sent = await slack.server.submit(opened, {"symbol": "QWOH"})
        await sent.acknowledged()
        assert "/tw-help" in read((await asked.answered(5.0, count=2)).body)
