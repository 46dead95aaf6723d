"""What people do at the local Slack, against the real bolt: buttons, menus, modals, mentions."""

from datetime import timedelta
from typing import Any

import pytest

from tests.servers.clients import Clock
from tests.servers.slack import SlackServer
from tests.servers.slack_form import Impossible
from tests.servers.slack_listener import (
    CHANNEL,
    FILLED,
    TOKEN,
    client_of,
    listening,
    option,
    plain,
    posted,
    refused,
    watch_view,
)
from tests.servers.slack_store import Ephemeral

BOTH = pytest.mark.parametrize("mode", ["socket", "http"])


@BOTH
async def test_a_button_of_a_message_is_pressed(mode: str) -> None:
    async with listening(mode) as (server, listener):
        message = await posted(server)
        asked = await server.press(message, "why", value="MSFT", user_id="U0BOB")
        assert await asked.acknowledged() == {}
        shown = await asked.answered()
        [body] = listener.bodies
        assert isinstance(shown.thing, Ephemeral)
        again = await server.press(shown.thing, "why", value="AAPL")
        await again.answered()
    assert body["actions"][0]["value"] == "MSFT"
    assert body["actions"][0]["block_id"] == "b1"
    assert body["message"]["ts"] == body["container"]["message_ts"] == message.ts
    assert (body["container"]["is_ephemeral"], body["user"]["id"]) == (False, "U0BOB")
    assert [e.text for e in server.seen_by("U0BOB")] == ["pressed", "pressed"]
    ephemeral = listener.bodies[1]
    assert ephemeral["container"]["is_ephemeral"]
    assert "message" not in ephemeral


async def test_menus_tell_what_was_chosen_and_nothing_else_can_be() -> None:
    async with listening() as (server, listener):
        message = await posted(server)
        await (await server.press(message, "more", value="b")).answered()
        await (await server.press(message, "rung", value="2")).answered()
        for wrong in (("more", "c"), ("why", "GOOG"), ("gone", None)):
            with pytest.raises(Impossible):
                await server.press(message, wrong[0], value=wrong[1])
        message.deleted = True
        with pytest.raises(Impossible):
            await server.press(message, "why")
    more, rung = listener.bodies
    assert more["actions"][0]["selected_option"] == option("b")
    assert rung["state"]["values"]["row"]["rung"]["selected_option"] == option("2")


@BOTH
async def test_a_modal_is_opened_filled_in_and_submitted(mode: str) -> None:
    async with listening(mode) as (server, listener):
        asked = await server.command("/watch")
        shown = await asked.answered()
        assert shown.how == "view"
        [view] = asked.views
        sent = await server.submit(view, FILLED)
        assert await sent.acknowledged() == {}
    assert not view.is_open
    [body] = listener.bodies
    values = body["view"]["state"]["values"]
    assert (body["view"]["callback_id"], body["view"]["private_metadata"]) == ("watch", "kept")
    assert values["symbol"]["symbol"] == {"type": "plain_text_input", "value": "MSFT"}
    assert values["since"]["since"]["selected_date"] == "2026-11-02"
    assert values["days"]["days"]["value"] == "30"
    assert values["kinds"]["kinds"]["selected_options"] == []
    assert values["rung"]["rung"]["selected_option"] == option("2")


async def test_a_submission_can_be_sent_back_changed_or_followed_by_another() -> None:
    async with listening() as (server, listener):
        await (await server.command("/watch")).answered()
        [view] = server.views
        listener.conclusion = {"response_action": "errors", "errors": {"symbol": "unknown"}}
        await (await server.submit(view, FILLED)).acknowledged()
        assert (view.is_open, view.errors) == (True, {"symbol": "unknown"})
        listener.conclusion = {"response_action": "errors", "errors": {"nowhere": "?"}}
        wrong = await server.submit(view, FILLED)
        await wrong.acknowledged()
        assert [r["error"] for r in wrong.refusals] == ["invalid_errors"]
        changed = watch_view() | {"title": plain("Changed")}
        listener.conclusion = {"response_action": "update", "view": changed}
        await (await server.submit(view, FILLED)).answered()
        assert (view.is_open, view.body["title"]["text"]) == (True, "Changed")
        listener.conclusion = {"response_action": "push", "view": watch_view()}
        await (await server.submit(view, FILLED)).answered()
        assert server.views[-1].previous_id == view.id
        listener.conclusion = {"response_action": "clear"}
        await (await server.submit(server.views[-1], FILLED)).acknowledged()
        assert server.views == []


@pytest.mark.parametrize(
    "values",
    [
        {"days": 30, "rung": "2"},
        FILLED | {"symbol": "TOOLONG"},
        FILLED | {"days": 61},
        FILLED | {"days": "1.5"},
        FILLED | {"rung": "3"},
        FILLED | {"colour": "red"},
    ],
)
async def test_the_client_itself_refuses_to_submit_what_is_not_filled_in(values: Any) -> None:
    async with listening() as (server, _):
        await (await server.command("/watch")).answered()
        with pytest.raises(Impossible):
            await server.submit(server.views[-1], values)


async def test_a_trigger_opens_one_modal_and_soon() -> None:
    clock = Clock()
    async with SlackServer(token=TOKEN, now=clock) as server:
        client = client_of(server)
        server.add_channel(CHANNEL)
        asked = [await server.command("/watch") for _ in range(2)]
        wrong = watch_view() | {"title": plain("x" * 25)}
        first = await refused(client.views_open(trigger_id=asked[0].trigger_id, view=wrong))
        assert first["error"] == "invalid_arguments"
        assert "/view/title" in first["response_metadata"]["messages"][0]
        answer = await client.views_open(trigger_id=asked[0].trigger_id, view=watch_view())
        again = await refused(client.views_open(trigger_id=asked[0].trigger_id, view=watch_view()))
        clock.at += timedelta(seconds=4)
        late = await refused(client.views_open(trigger_id=asked[1].trigger_id, view=watch_view()))
        never = await refused(client.views_open(trigger_id="1.2", view=watch_view()))
        assert (again["error"], late["error"], never["error"]) == (
            *("exchanged_trigger_id", "expired_trigger_id"),
            "invalid_trigger_id",
        )
        view_id, mark = answer["view"]["id"], answer["view"]["hash"]
        await client.views_update(view_id=view_id, hash=mark, view=watch_view())
        conflict = await refused(client.views_update(view_id=view_id, hash=mark, view=watch_view()))
        assert conflict["error"] == "hash_conflict"
        assert [view.id for view in asked[0].views] == [view_id]


@BOTH
async def test_a_mention_is_answered_in_its_thread_and_may_come_twice(mode: str) -> None:
    async with listening(mode) as (server, listener):
        asked = await server.mention("scorecard")
        await asked.acknowledged()
        shown = await asked.answered()
        again = await server.redeliver(asked)
        await again.answered()
    assert shown.how == "message"
    assert [m.text for m in server.messages(CHANNEL)] == ["yes?", "yes?"]
    assert {m.thread_ts for m in server.messages(CHANNEL)} == {asked.thread_ts}
    first, second = listener.bodies
    assert first["event"]["text"] == "<@U0BOT> scorecard"
    assert first["event_id"] == second["event_id"] == again.event_id
    assert asked.envelope_id != again.envelope_id


async def test_an_ack_that_comes_too_late_shows_nothing() -> None:
    async with listening() as (server, listener):
        server.ack_within_s = 0.0
        await (await server.command("/watch")).answered()
        listener.conclusion = {"response_action": "clear"}
        sent = await server.submit(server.views[-1], FILLED)
        await sent.acknowledged()
        assert [r["error"] for r in sent.refusals] == ["too_late"]
        assert len(server.views) == 1
