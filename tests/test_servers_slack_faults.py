"""Limits, faults and hooks of the local Slack against the real slack_sdk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncRateLimitErrorRetryHandler,
    async_default_handlers,
)
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator

from tests.servers import faults
from tests.servers.chat import Rate
from tests.servers.clients import slack_bot
from tests.servers.slack import SlackServer, too_many

TOKEN, CHANNEL, KEY = "xoxb-invented", "C0ALERTS", "a1b2c3d4e5f6a1b2c3d4e5f6"


@asynccontextmanager
async def slack_server(**settings: Any) -> AsyncIterator[SlackServer]:
    """One channel, and no limit unless it is asked for."""
    unlimited = {"channel_limit": None, "workspace_limit": None}
    async with SlackServer(**({"token": TOKEN} | unlimited | settings)) as server:
        server.add_channel(CHANNEL)
        yield server


async def refused(awaitable: Any) -> str:
    """The error of what is refused."""
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return str(caught.value.response["error"])


async def test_rates_are_told_in_whole_seconds_and_the_sdk_can_wait_for_them() -> None:
    async with slack_server(channel_limit=Rate(1, 0.2), channel_burst=2) as server:
        server.add_channel("C0OTHER")
        waits = AsyncRateLimitErrorRetryHandler(max_retry_count=1)
        async with (
            slack_bot(server, TOKEN) as client,
            slack_bot(server, TOKEN, retry_handlers=[waits]) as patient,
        ):
            post = client.chat_postMessage
            for _ in range(2):
                await post(channel=CHANNEL, text="x")
            with pytest.raises(SlackApiError) as caught:
                await post(channel=CHANNEL, text="x")
            await post(channel="C0OTHER", text="x")
            server.workspace_limit = Rate(1, 60.0)
            await post(channel="C0OTHER", text="x")
            server.add_channel("C0THIRD")
            assert await refused(post(channel="C0THIRD", text="x")) == "ratelimited"
            server.workspace_limit = None
            server.before.add(too_many(0), on="chat.postMessage")
            await patient.chat_postMessage(channel="C0THIRD", text="x")
            server.method_limits["conversations.history"] = Rate(1, 60.0)
            await client.conversations_history(channel=CHANNEL)
            assert await refused(client.conversations_history(channel=CHANNEL)) == "ratelimited"
            assert server.rate_limited == 4
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"


async def test_a_client_msg_id_counts_only_when_that_is_switched_on() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:

        async def post() -> str:
            sent = await client.chat_postMessage(channel=CHANNEL, text="x", client_msg_id=KEY)
            return str(sent["ts"])

        first, second = await post(), await post()
        server.store.dedupes_client_msg_ids = True
        assert first != second
        assert await post() == first
        await client.chat_delete(channel=CHANNEL, ts=first)
        assert await refused(post()) == "duplicate_message_not_found"
        assert len(server.messages(CHANNEL)) == 2


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (faults.Reset(), aiohttp.ClientError),
        (faults.html(502), SlackApiError),
        (faults.html(503), SlackApiError),
        (
            faults.Status(500, b'{"ok":false,"error":"fatal_error"}', "application/json"),
            SlackApiError,
        ),
        (faults.Hang(), TimeoutError),
    ],
)
@pytest.mark.parametrize("stored", [0, 1])
async def test_a_fault_before_acceptance_stores_nothing_and_one_after_it_does(
    fault: faults.Fault, raised: type[Exception], stored: int
) -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        (server.faults if stored else server.before).add(fault, on="chat.postMessage")
        await client.conversations_history(channel=CHANNEL)
        with pytest.raises(raised):
            await asyncio.wait_for(client.chat_postMessage(channel=CHANNEL, text="x"), 0.1)
        assert len(server.messages(CHANNEL)) == stored
        await client.chat_postMessage(channel=CHANNEL, text="x")
        assert len(server.messages(CHANNEL)) == stored + 1


async def test_the_sdk_posts_twice_when_it_is_left_to_its_own_retries() -> None:
    soon = FixedValueRetryIntervalCalculator(0.01)
    retries = [type(usual)(interval_calculator=soon) for usual in async_default_handlers()]
    async with (
        slack_server() as server,
        slack_bot(server, TOKEN, retry_handlers=retries) as client,
    ):
        server.faults.add(faults.Reset(), on="chat.postMessage")
        await client.chat_postMessage(channel=CHANNEL, text="x")
        assert len(server.messages(CHANNEL)) == 2


async def test_a_request_may_be_carried_out_when_its_client_has_gone() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        server.before.add(faults.Delay(0.1), on="chat.postMessage")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chat_postMessage(channel=CHANNEL, text="x"), 0.05)
        assert server.messages(CHANNEL) == []
        await asyncio.sleep(0.1)
        assert len(server.messages(CHANNEL)) == 1


async def test_hooks_tell_of_requests_and_of_what_was_stored() -> None:
    told: list[tuple[str, int]] = []
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        server.on_request = lambda name: told.append(
            (f"asked {name}", len(server.messages(CHANNEL)))
        )
        server.on_accept = lambda name: told.append((name, len(server.messages(CHANNEL))))
        sent = await client.chat_postMessage(channel=CHANNEL, text="x")
        await client.conversations_history(channel=CHANNEL)
        await client.chat_update(channel=CHANNEL, ts=sent["ts"], text="y")
        await client.chat_delete(channel=CHANNEL, ts=sent["ts"])
    assert told == [
        ("asked chat.postMessage", 0),
        ("chat.postMessage", 1),
        ("asked conversations.history", 1),
        ("asked chat.update", 1),
        ("chat.update", 1),
        ("asked chat.delete", 1),
        ("chat.delete", 1),
    ]
