"""The local Slack's response_url, ephemeral messages, people, and the hooks of all of them."""

from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from tests.servers.clients import Clock
from tests.servers.faults import Reset, Status
from tests.servers.slack import SCOPES, SlackServer
from tests.servers.slack_asked import Asked
from tests.servers.slack_listener import (
    ALICE,
    CHANNEL,
    TOKEN,
    alert_blocks,
    client_of,
    listening,
    posted,
    refused,
    watch_view,
)


async def respond(asked: Asked, body: Any) -> tuple[int, dict[str, Any]]:
    """One answer by the response_url, without a token."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(asked.response_url, json=body) as response,
    ):
        return response.status, await response.json()


async def test_a_response_url_is_good_for_five_answers_in_half_an_hour() -> None:
    clock = Clock()
    async with SlackServer(token=TOKEN, now=clock) as server:
        server.add_channel(CHANNEL, is_member=False)
        asked, other = await server.command("/watch"), await server.command("/watch")
        for body in ("x", {"text": ""}, {"text": "x", "colour": "red"}, {"response_type": "x"}):
            assert (await respond(asked, body))[0] == 400
        told = [await respond(asked, {"text": str(i)}) for i in range(4)]
        told.append(await respond(asked, {"text": "all", "response_type": "in_channel"}))
        assert {status for status, _ in told} == {200}
        assert await respond(asked, {"text": "x"}) == (404, {"ok": False, "error": "expired_url"})
        clock.at += timedelta(minutes=31)
        assert (await respond(other, {"text": "x"}))[0] == 404
        seen = [s.status for s in server.requests if s.operation == "response_url"]
    assert [e.text for e in asked.ephemerals] == ["0", "1", "2", "3"]
    assert [m.text for m in server.messages(CHANNEL)] == ["all"]
    assert asked.messages == server.messages(CHANNEL)
    assert seen == [400] * 4 + [200] * 5 + [404] * 2
    assert len(asked.refusals) == 5


async def test_an_answer_can_take_the_place_of_what_was_pressed_or_remove_it() -> None:
    async with SlackServer(token=TOKEN) as server:
        server.add_channel(CHANNEL)
        message = await posted(server)
        asked = await server.press(message, "why", value="AAPL")
        await respond(asked, {"text": "new", "replace_original": True})
        assert (message.text, message.blocks, len(message.edits)) == ("new", [], 1)
        await respond(asked, {"text": "only you", "blocks": alert_blocks()})
        [ephemeral] = asked.ephemerals
        inner = await server.press(ephemeral, "why", value="AAPL")
        await respond(inner, {"text": "changed", "replace_original": "true"})
        assert (ephemeral.text, ephemeral.blocks) == ("changed", [])
        await respond(inner, {"delete_original": True})
        assert server.seen_by(ALICE) == []
        assert await respond(asked, {"delete_original": True}) == (200, {"ok": True})
        assert message.deleted


async def test_an_ephemeral_message_is_in_no_history() -> None:
    async with listening() as (server, _):
        client = client_of(server)
        asked = await server.command("/watch")
        await client.chat_postEphemeral(channel=CHANNEL, user=ALICE, text="psst")
        await asked.answered(count=2)
        assert "psst" in [e.text for e in asked.ephemerals]
        history = await client.conversations_history(channel=CHANNEL)
        assert history["messages"] == []
        nobody = await refused(client.chat_postEphemeral(channel=CHANNEL, user="U9", text="x"))
        long = await refused(
            client.chat_postEphemeral(channel=CHANNEL, user=ALICE, text="x" * 40_001)
        )
    assert (nobody["error"], long["error"]) == ("user_not_in_channel", "msg_too_long")


async def test_people_and_groups_need_scopes_of_their_own() -> None:
    without = {*SCOPES} - {"usergroups:read", "users:read"}
    async with SlackServer(token=TOKEN) as server:
        client = client_of(server)
        server.people.usergroups["S0DESK"] = [ALICE]
        members = await client.usergroups_users_list(usergroup="S0DESK")
        user = await client.users_info(user=ALICE)
        unknown = await refused(client.usergroups_users_list(usergroup="S0GONE"))
        server.tokens[TOKEN] = frozenset(without)
        missing = await refused(client.usergroups_users_list(usergroup="S0DESK"))
    assert (members["users"], user["user"]["name"]) == ([ALICE], "alice")
    assert unknown["error"] == "no_such_subteam"
    assert (missing["error"], missing["needed"]) == ("missing_scope", "usergroups:read")


async def test_hooks_and_faults_know_the_new_operations() -> None:
    async with SlackServer(token=TOKEN) as server:
        server.add_channel(CHANNEL)
        requested: list[str] = []
        accepted: list[str] = []
        server.on_request, server.on_accept = requested.append, accepted.append
        server.before.add(Status(503), on="response_url")
        server.faults.add(Reset(), on="views.open")
        asked = await server.command("/watch")
        async with (
            aiohttp.ClientSession() as session,
            session.post(asked.response_url, json={"text": "x"}) as response,
        ):
            assert response.status == 503
        assert asked.shown == []
        with pytest.raises(aiohttp.ClientError):
            await client_of(server).views_open(trigger_id=asked.trigger_id, view=watch_view())
        await respond(asked, {"text": "x"})
    assert requested == ["response_url", "views.open", "response_url"]
    assert accepted == ["views.open", "response_url"]
    assert [shown.how for shown in asked.shown] == ["view", "response_url"]
