"""Slack's connection: refused, away, cut, half open, switched off; and what is said of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.app import App
from bot.door import Door, DoorClosed
from bot.links import LinkRefused, LinkState
from bot.platforms.slack_ear import SlackEar
from bot.platforms.slack_link import LinkLost, Timing
from tests.bot.slack_desk import SECRET, TOKEN, Slack, local_slack, made, serving, until, up
from tests.bot.small_market import at
from tests.servers.faults import Fault, Reset, Status
from tests.servers.slack import APP_TOKEN, refusal
from tests.servers.slack_socket import Reason

QUICK = Timing(ping_s=0.5, look_s=0.02, down_s=1.5, answer_s=2.0)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """A bot without a market: it answers all the same."""
    async with at(tmp_path / "data") as opened_app:
        yield opened_app


@asynccontextmanager
async def talking(app: App, mode: str = "socket") -> AsyncIterator[Slack]:
    """A server and an ear that is quick to notice."""
    async with local_slack() as server, serving(server, app, mode, timing=QUICK) as slack:
        yield slack


def lives(slack: Slack) -> int:
    """How often all was built anew: each begins with the question who we are."""
    return sum(request.operation == "auth.test" for request in slack.server.requests)


async def refused(ear: SlackEar) -> str:
    """Why it is not tried again."""
    with pytest.raises(LinkRefused) as caught:
        await ear.serve()
    return str(caught.value)


async def lost(ear: SlackEar) -> str:
    """Why it is tried again."""
    with pytest.raises(LinkLost) as caught:
        await ear.serve()
    await ear.drain(0)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["socket", "http"])
@pytest.mark.parametrize("error", ["token_revoked", "account_inactive"])
async def test_a_bot_token_that_is_refused_is_not_tried_again(
    app: App, mode: str, error: str
) -> None:
    async with local_slack() as server:
        server.revoke(TOKEN, error)
        said = await refused(made(server, app.reception, mode, timing=QUICK))
        assert error in said
        assert "SLACK_BOT_TOKEN" in said
        assert "api.slack.com/apps" in said
        assert TOKEN not in said


@pytest.mark.parametrize(
    ("token", "error"),
    [("xapp-unknown", "invalid_auth"), (TOKEN, "not_allowed_token_type")],
)
async def test_an_app_token_that_is_refused_is_reported_and_does_not_hang(
    app: App, token: str, error: str
) -> None:
    async with local_slack() as server:
        ear = made(server, app.reception, app_token=token, timing=QUICK)
        said = await refused(ear)
        assert f"SLACK_APP_TOKEN: {error}" in said
        assert "connections:write" in said
        assert token not in said


async def test_an_app_token_without_its_scope_says_which(app: App) -> None:
    async with local_slack() as server:
        server.app_tokens[APP_TOKEN] = frozenset()
        said = await refused(made(server, app.reception, timing=QUICK))
        assert "missing_scope" in said
        assert "connections:write" in said


async def test_the_supervisor_says_it_once_and_lets_go(app: App) -> None:
    async with local_slack() as server, serving(server, app, timing=QUICK) as slack:
        server.revoke(TOKEN)
        server.app_tokens.clear()
        server.sockets.drop()
        await until(lambda: slack.ear.link.state == LinkState.REFUSED, 15.0)
        assert slack.task.done()


@pytest.mark.parametrize("operation", ["auth.test", "apps.connections.open", "link"])
@pytest.mark.parametrize("fault", [Status(503), Reset(), refusal("internal_error")])
async def test_what_fails_at_the_start_is_tried_again(
    app: App, operation: str, fault: Fault
) -> None:
    async with local_slack() as server:
        server.before.add(fault, on=operation)
        async with serving(server, app, timing=QUICK) as slack:
            assert "Sources" in await slack.ask("/source")


async def test_a_port_that_nobody_listens_on_is_tried_again(app: App) -> None:
    async with local_slack() as server:
        ear = made(server, app.reception, api_url="http://127.0.0.1:9/api/", timing=QUICK)
        assert "did not let us in" in await lost(ear)


async def test_an_expired_ticket_is_exchanged_for_a_new_one(app: App) -> None:
    async with talking(app) as slack:
        opens = slack.server.sockets.opens
        slack.server.before.add(Status(408), on="link", times=3)
        slack.server.sockets.drop()
        await until(lambda: slack.ear.link.state == LinkState.DOWN)
        await slack.server.sockets.connected(10.0)
        assert "Sources" in await slack.ask("/source")
        assert slack.server.sockets.opens >= opens + 2


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_connection_that_slack_renews_is_renewed(app: App, reason: Reason) -> None:
    async with talking(app) as slack:
        await slack.server.sockets.disconnect(reason)
        await until(lambda: slack.server.sockets.connections == 2)
        await slack.server.sockets.connected()
        assert "Sources" in await slack.ask("/source")
        assert slack.ear.link.state == LinkState.UP


async def test_too_many_connections_are_waited_out(app: App) -> None:
    async with local_slack() as server:
        server.sockets.most = 0
        ear = made(server, app.reception, timing=QUICK)
        assert "does it run elsewhere" in await lost(ear)
        assert server.sockets.opens < 50
        server.sockets.most = 10
        async with serving(server, app, timing=QUICK) as slack:
            assert "Sources" in await slack.ask("/source")


async def test_socket_mode_that_is_switched_off_needs_a_person(app: App) -> None:
    async with talking(app) as slack:
        await slack.server.sockets.disconnect("link_disabled")
        await until(lambda: slack.ear.link.state == LinkState.REFUSED)
        assert "switch Socket Mode on" in slack.ear.link.seen


async def test_a_half_open_connection_is_noticed_and_replaced(app: App) -> None:
    async with talking(app) as slack:
        began = asyncio.get_running_loop().time()
        slack.server.sockets.silence()
        await until(lambda: slack.ear.link.state == LinkState.DOWN, 5.0)
        await until(lambda: slack.ear.link.state == LinkState.UP, 5.0)
        # It takes two and a half pings; of the usual 5 s that is well below 30 s.
        assert asyncio.get_running_loop().time() - began < 5 * QUICK.ping_s
        assert "Sources" in await slack.ask("/source")


async def test_a_connection_that_is_cut_comes_back(app: App) -> None:
    async with talking(app) as slack:
        slack.server.sockets.drop()
        await until(lambda: slack.ear.link.state == LinkState.DOWN)
        await up(slack.ear)
        assert "Sources" in await slack.ask("/source")


async def test_after_being_down_for_too_long_all_is_built_anew(app: App) -> None:
    async with talking(app) as slack:
        slack.server.before.add(Status(503), on="apps.connections.open", times=6)
        slack.server.sockets.drop()
        await until(lambda: lives(slack) == 2, 15.0)
        await up(slack.ear, 15.0)
        assert "Sources" in await slack.ask("/source")


async def test_a_port_that_is_taken_is_named(app: App) -> None:
    async with talking(app, "http") as slack:
        door = Door(slack.door.bound)
        with pytest.raises(DoorClosed):
            await door.serve()
        other = made(slack.server, app.reception, "http", door=door, timing=QUICK)
        assert f"PORT={door.port}" in await lost(other)


async def test_no_log_has_a_token_or_a_ticket(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with talking(app) as slack:
        await slack.ask("/source secret-words")
        slack.server.before.add(Status(401), on="link", times=2)
        slack.server.sockets.drop()
        await until(lambda: slack.ear.link.state == LinkState.DOWN)
        await up(slack.ear, 10.0)
    ours = [r for r in caplog.records if not r.name.startswith(("aiosqlite", "asyncio"))]
    text = "\n".join(str(vars(record)) for record in ours)
    for secret in (TOKEN, APP_TOKEN, SECRET, "ticket=", "secret-words"):
        assert secret not in text
