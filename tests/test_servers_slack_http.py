"""The local Slack's signed requests against the real bolt in HTTP mode."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.servers.slack import SlackServer
from tests.servers.slack_apps import bolt_app, by_http
from tests.servers.slack_http import Signing

CHANNEL = "C0ALERTS"


@asynccontextmanager
async def telling() -> AsyncIterator[SlackServer]:
    """An app that answers with its ack."""
    async with SlackServer(token="xoxb-invented") as server:
        server.add_channel(CHANNEL)
        app = bolt_app(server)

        @app.command("/tell")
        async def _tell(ack: Any, command: Any) -> None:
            await ack(command["text"])

        @app.command("/show")
        async def _show(ack: Any, command: Any) -> None:
            await ack(text=command["text"], response_type="in_channel")

        async with by_http(server, app):
            yield server


async def test_an_ack_can_be_the_answer() -> None:
    async with telling() as server:
        told = await server.command("/tell", "only you & me")
        shown = await server.command("/show", "all")
        assert (await told.answered()).how == (await shown.answered()).how == "ack"
    assert (told.status, told.ack) == (200, {"text": "only you & me"})
    assert [e.text for e in told.ephemerals] == ["only you & me"]
    assert [m.text for m in server.messages(CHANNEL)] == ["all"]


@pytest.mark.parametrize(
    ("signing", "status"),
    [
        (Signing(), 200),
        (Signing(secret="wrong"), 401),
        (Signing(age_s=295), 200),
        (Signing(age_s=301), 401),
        (Signing(headers={"X-Slack-Signature": "v0=00"}), 401),
    ],
)
async def test_a_signature_is_good_wrong_or_old(signing: Signing, status: int) -> None:
    async with telling() as server:
        asked = await server.command("/tell", "x", signing=signing)
        assert await asked.settled() is (status == 200)
    assert asked.status == status


async def test_the_address_proves_itself() -> None:
    async with telling() as server:
        assert await server.http.verify_url("abc123") == (200, b'{"challenge": "abc123"}')
        assert (await server.http.check_ssl())[0] == 200
        unknown = await server.command("/unknown")
        assert not await unknown.settled()
    assert (unknown.status, unknown.lost) == (404, "status 404")


async def test_nobody_answers() -> None:
    async with SlackServer(token="xoxb-invented") as server:
        server.http_to("http://127.0.0.1:9/slack/events", "x")
        asked = await server.command("/tell")
        assert not await asked.settled()
    assert "ClientConnectorError" in asked.lost
