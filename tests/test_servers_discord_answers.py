"""Answers to interactions on the wire: when, how often, and in which form the local Discord takes
them. No library here, which would keep some of these mistakes from being made.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers.chat import Rate, Row
from tests.servers.clients import Clock
from tests.servers.discord import DiscordServer
from tests.servers.discord_interaction import Interaction
from tests.servers.faults import Status

TOKEN, CHANNEL = "invented.discord.token", 900000000000000011
OPTION = {"type": 3, "name": "symbol", "description": "ticker", "autocomplete": True}
COMMAND = {"name": "chart", "description": "Show", "options": [OPTION]}
BUTTON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "x"}]}
MODAL_ROW = {
    "type": 1,
    "components": [{"type": 4, "custom_id": "t", "style": 1, "label": "T"}],
}
MODAL = {"custom_id": "m", "title": "T", "components": [MODAL_ROW]}


class Wire:
    """A bot that says whatever it is told to."""

    def __init__(self, server: DiscordServer, session: aiohttp.ClientSession) -> None:
        self.server, self.clock, self._session = server, Clock(), session

    async def ask(self, verb: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        """The status, and the code of a refusal or else the body."""
        url = self.server.api_url + path
        async with self._session.request(verb, url, json=body, **more) as answer:
            told: Any = await answer.json() if answer.status != 204 else None
            return answer.status, told["code"] if answer.status >= 400 else told

    async def callback(self, it: Interaction, kind: int, data: Row | None = None) -> Any:
        """With a body in the answer."""
        path = f"/interactions/{it.id}/{it.token}/callback?with_response=1"
        return await self.ask("POST", path, {"type": kind, **({"data": data} if data else {})})

    async def original(self, it: Interaction, verb: str = "GET", body: object = None) -> Any:
        """Read it, change it, delete it."""
        path = f"/webhooks/{self.server.guild.bot_id}/{it.token}/messages/@original"
        return await self.ask(verb, path, body)

    async def follow_up(self, it: Interaction, body: Row) -> Any:
        """Another message."""
        return await self.ask("POST", f"/webhooks/{self.server.guild.bot_id}/{it.token}", body)


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    """A server with one command, and a clock that stands still."""
    clock = Clock()
    async with DiscordServer(token=TOKEN, now=clock) as server, aiohttp.ClientSession() as session:
        server.add_channel(CHANNEL)
        bot = Wire(server, session)
        bot.clock = clock
        auth = {"Authorization": f"Bot {TOKEN}"}
        path = f"/applications/{server.guild.bot_id}/commands"
        assert (await bot.ask("PUT", path, [COMMAND], headers=auth))[0] == 200
        yield bot


async def test_a_callback_is_taken_once() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        status, body = await bot.callback(it, 4, {"content": "hi", "flags": 64})
        assert await bot.callback(it, 5) == (400, 40060)
    assert (status, body["resource"]["type"]) == (200, 4)
    assert body["interaction"] == {
        **{"id": str(it.id), "type": 2, "response_message_id": str(it.original.id)},
        **{"response_message_loading": False, "response_message_ephemeral": True},
    }
    assert body["resource"]["message"]["content"] == "hi"
    assert it.refused == [40060]


async def test_a_client_that_wants_no_body_gets_none() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        path = f"/interactions/{it.id}/{it.token}/callback"
        assert await bot.ask("POST", path, {"type": 5}) == (204, None)


@pytest.mark.parametrize(("seconds", "expected"), [(3, 200), (3.1, 404)])
async def test_a_callback_has_three_seconds(seconds: float, expected: int) -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        bot.clock.at += timedelta(seconds=seconds)
        status, code = await bot.callback(it, 5)
        assert status == expected
        if status == 404:
            assert code == 10062
            assert await bot.follow_up(it, {"content": "late"}) == (404, 10015)


async def test_the_token_is_worth_fifteen_minutes() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        await bot.callback(it, 5)
        bot.clock.at += timedelta(minutes=15)
        assert (await bot.original(it, "PATCH", {"content": "in time"}))[0] == 200
        bot.clock.at += timedelta(seconds=1)
        assert await bot.original(it, "PATCH", {"content": "late"}) == (401, 50027)
        assert await bot.follow_up(it, {"content": "late"}) == (401, 50027)
        assert it.original.content == "in time"


async def test_nothing_can_be_said_before_the_callback_nor_to_strangers() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        assert await bot.original(it) == (404, 10015)
        assert await bot.original(it, "PATCH", {"content": "x"}) == (404, 10015)
        assert await bot.follow_up(it, {"content": "x"}) == (404, 10015)
        own = f"/webhooks/{bot.server.guild.bot_id}/unknown"
        assert await bot.ask("POST", own, {"content": "x"}) == (401, 50027)
        assert await bot.ask("POST", f"/webhooks/1/{it.token}", {"content": "x"}) == (404, 10015)
        path = f"/interactions/1/{it.token}/callback"
        assert await bot.ask("POST", path, {"type": 5}) == (404, 10062)


async def test_messages_of_an_interaction_are_read_changed_and_deleted() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        assert (await bot.callback(it, 5))[1]["resource"]["message"]["flags"] == 128
        assert (await bot.original(it, "PATCH", {"content": "one"}))[1]["flags"] == 0
        status, more = await bot.follow_up(it, {"content": "two", "flags": 64})
        assert (status, more["flags"], more["message_reference"]["message_id"]) == (
            *(200, 64),
            str(it.original.id),
        )
        path = f"/webhooks/{bot.server.guild.bot_id}/{it.token}/messages/{more['id']}"
        assert (await bot.ask("PATCH", path, {"content": "three"}))[1]["content"] == "three"
        assert await bot.ask("DELETE", path) == (204, None)
        assert await bot.ask("GET", path) == (404, 10008)
        assert (await bot.original(it))[1]["content"] == "one"
        assert await bot.original(it, "DELETE") == (204, None)
        assert await bot.original(it, "PATCH", {"content": "x"}) == (404, 10008)
    assert [m.content for m in it.followups] == ["three"]
    assert it.original.deleted


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        (4, {"content": "x" * 2001}, 50035),
        (4, {"content": "x", "nonce": "1"}, 50035),
        (4, {"content": "x", "flags": 1 << 15}, 50035),
        (4, {"components": [BUTTON, BUTTON]}, 50035),
        (4, {"embeds": [{"description": "x" * 4097}]}, 50035),
        (4, {"attachments": [{"id": 0, "filename": "x"}]}, 50035),
        (4, {"flags": 64}, 50006),
        (5, {"content": "x"}, 50035),
        (5, {"flags": 4}, 50035),
        (6, None, 50035),
        (7, {"content": "x"}, 50035),
        (8, {"choices": []}, 50035),
        (9, MODAL | {"title": "x" * 46}, 50035),
        (9, MODAL | {"components": []}, 50035),
        (9, MODAL | {"components": [MODAL_ROW, MODAL_ROW]}, 50035),
        (9, MODAL | {"components": [{"type": 1, "components": [BUTTON]}]}, 50035),
        (1, None, 50035),
    ],
)
async def test_a_form_that_is_refused_is_no_callback(kind: int, data: Any, code: int) -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        assert await bot.callback(it, kind, data) == (400, code)
        assert it.refused == [code]
        assert (await bot.callback(it, 9, MODAL))[0] == 200
        assert it.modal == MODAL


@pytest.mark.parametrize(
    ("choices", "status"),
    [
        ([{"name": "A", "value": "A"}] * 25, 200),
        ([{"name": "A", "value": "A"}] * 26, 400),
        ([{"name": "x" * 101, "value": "A"}], 400),
        ([{"name": "A", "value": "x" * 101}], 400),
        ([{"name": "", "value": "A"}], 400),
        ([{"name": "A", "value": 1}], 400),
        (None, 400),
    ],
)
async def test_what_autocomplete_may_offer(choices: Any, status: int) -> None:
    async with wire() as bot:
        it = await bot.server.autocomplete("chart", "symbol", "a")
        assert (await bot.callback(it, 4, {"content": "x"}))[0] == 400
        assert (await bot.callback(it, 8, {"choices": choices}))[0] == status
        if status == 200:
            assert await bot.follow_up(it, {"content": "x"}) == (404, 10015)


async def test_a_message_is_changed_by_its_own_button() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart")
        await bot.callback(it, 4, {"content": "x", "components": [BUTTON], "flags": 64})
        pressed = await bot.server.interact_component(it.original, "x")
        status, body = await bot.callback(pressed, 7, {"content": "y", "components": []})
        assert (status, body["resource"]["message"]["content"]) == (200, "y")
        assert (await bot.follow_up(pressed, {"content": "z"}))[0] == 200
    assert pressed.payload["message"]["flags"] == 64
    assert pressed.original is it.original
    assert (it.original.components, it.original.flags) == ([], 64)


async def test_hooks_and_faults_work_and_rates_do_not_apply() -> None:
    async with wire() as bot:
        heard: list[str] = []
        bot.server.on_accept = heard.append
        bot.server.global_limit = Rate(0, 60)
        bot.server.before.add(Status(503), on="interactions.callback")
        bot.server.faults.add(Status(502), on="webhooks.edit")
        it = await bot.server.interact_command("chart")
        path = f"/interactions/{it.id}/{it.token}/callback"
        async with aiohttp.ClientSession() as session:
            async with session.post(bot.server.api_url + path, json={"type": 5}) as answer:
                assert (answer.status, it.callback) == (503, None)
            await bot.callback(it, 5)
            url = f"{bot.server.api_url}/webhooks/{bot.server.guild.bot_id}/{it.token}"
            edit = session.patch(f"{url}/messages/@original", json={"content": "x"})
            async with edit as answer:
                assert (answer.status, it.original.content) == (502, "x")
    assert heard == ["interactions.callback", "webhooks.edit"]


async def test_permissions_of_a_member_are_told() -> None:
    async with wire() as bot:
        it = await bot.server.interact_command("chart", permissions=discord.Permissions(8))
        assert it.payload["member"]["permissions"] == "8"
        assert it.payload["channel"]["name"] == "alerts"
