"""The local Slack against the real slack_sdk: what the tests of the alerts' delivery stand on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.clients import Clock, slack_bot
from tests.servers.slack import SCOPES, SlackServer

TOKEN, CHANNEL, KEY = "xoxb-invented", "C0ALERTS", "a1b2c3d4e5f6a1b2c3d4e5f6"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
METADATA = {"event_type": "alert", "event_payload": {"k": KEY}}


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


def text(words: str, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": kind, "text": words}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": text("Why", "plain_text"), "action_id": "why"} | more


def alert_blocks() -> list[dict[str, Any]]:
    return [
        {"type": "header", "text": text("AAPL", "plain_text")},
        {"type": "section", "text": text("*unusual*"), "block_id": "said"},
        {"type": "actions", "elements": [button(value=KEY)]},
    ]


async def test_a_bot_says_who_it_is_and_what_it_may_do() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        me = await client.auth_test()
    assert (me["user_id"], me["team"]) == ("U0BOT", "Desk")
    assert set(me.headers["x-oauth-scopes"].split(",")) == set(SCOPES)


async def test_an_alert_is_posted_and_read_back_with_its_metadata_only_when_asked() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        sent = await client.chat_postMessage(
            channel=CHANNEL, text="alert", blocks=alert_blocks(), metadata=METADATA
        )
        plain = (await client.conversations_history(channel=CHANNEL))["messages"][0]
        full = (await client.conversations_history(channel=CHANNEL, include_all_metadata=True))[
            "messages"
        ][0]
        (stored,) = server.messages(CHANNEL)
    assert (stored.ts, stored.text, stored.blocks) == (sent["ts"], "alert", alert_blocks())
    assert stored.metadata == full["metadata"] == METADATA
    assert "metadata" not in plain
    assert [block["block_id"] for block in plain["blocks"]] == ["b0", "said", "b2"]
    assert abs(datetime.now(UTC).timestamp() - float(sent["ts"])) < 60


async def test_arguments_come_by_query_form_and_json() -> None:
    async with slack_server() as server, aiohttp.ClientSession() as http:
        url = f"{server.api_url}chat.postMessage"
        given = {"token": TOKEN, "channel": CHANNEL, "text": "x", "blocks": '[{"type":"divider"}]'}
        answers = [
            await http.get(url, params=given),
            await http.post(url, params=given),
            await http.post(url, data=given),
            await http.post(url, json=given),
        ]
        assert [(await answer.json())["ok"] for answer in answers] == [True] * 4
        assert [m.blocks for m in server.messages(CHANNEL)] == [[{"type": "divider"}]] * 4


async def test_an_edit_keeps_what_was() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        sent = await client.chat_postMessage(
            channel=CHANNEL, text="first", blocks=alert_blocks(), metadata=METADATA
        )
        await client.chat_update(channel=CHANNEL, ts=sent["ts"], text="second")
        foreign = server.say(CHANNEL, "mine")
        (stored,) = server.messages(CHANNEL)
        update, delete = client.chat_update, client.chat_delete
        assert await refused(update(channel=CHANNEL, ts=foreign, text="x")) == "cant_update_message"
        assert await refused(update(channel=CHANNEL, ts="1.0", text="x")) == "message_not_found"
        assert await refused(delete(channel=CHANNEL, ts=foreign)) == "cant_delete_message"
        read = (await client.conversations_history(channel=CHANNEL))["messages"][1]
        await delete(channel=CHANNEL, ts=sent["ts"])
        left = (await client.conversations_history(channel=CHANNEL))["messages"]
    assert (stored.text, stored.blocks, stored.metadata) == ("second", [], METADATA)
    assert [(old.text, old.blocks) for old in stored.edits] == [("first", alert_blocks())]
    assert read["edited"]["user"] == "U0BOT"
    assert stored.deleted
    assert [message["ts"] for message in left] == [foreign]


async def test_times_are_unique_and_increase_when_the_clock_stands_still() -> None:
    async with slack_server(now=Clock()) as server, slack_bot(server, TOKEN) as client:
        sent = [await client.chat_postMessage(channel=CHANNEL, text="x") for _ in range(3)]
        server.clock_shift = timedelta(hours=-1)
        sent.append(await client.chat_postMessage(channel=CHANNEL, text="x"))
    times = [message["ts"] for message in sent]
    assert sorted(set(times)) == times
    assert times[0] == "1795815000.000000"


async def test_a_history_comes_newest_first_in_pages() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        times = [server.say(CHANNEL, f"line {i}") for i in range(7)]

        async def asked(**wanted: Any) -> list[str]:
            page = await client.conversations_history(channel=CHANNEL, **wanted)
            return [message["ts"] for message in page["messages"]]

        assert await asked() == times[::-1]
        assert await asked(oldest=times[4]) == times[:4:-1]
        assert await asked(oldest=times[4], inclusive=True) == times[:3:-1]
        assert await asked(latest=times[2]) == times[1::-1]
        assert await asked(oldest=str(float(times[6]) + 60)) == []
        server.store.page_cap = 3
        first = await client.conversations_history(channel=CHANNEL, limit=15)
        pages = [[m["ts"] for m in page["messages"]] async for page in first]
        assert pages == [times[:3:-1], times[3:0:-1], times[:1]]
        wrong = client.conversations_history(channel=CHANNEL, cursor="wrong")
        assert await refused(wrong) == "invalid_cursor"


async def test_replies_are_in_their_thread_and_in_no_history() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        parent = (await client.chat_postMessage(channel=CHANNEL, text="digest"))["ts"]
        posts: list[dict[str, Any]] = [{"text": "one"}, {"text": "two", "reply_broadcast": True}]
        replies = [
            (await client.chat_postMessage(channel=CHANNEL, thread_ts=parent, **post))["ts"]
            for post in posts
        ]
        history = (await client.conversations_history(channel=CHANNEL))["messages"]
        thread = (await client.conversations_replies(channel=CHANNEL, ts=parent))["messages"]
        first = await client.conversations_replies(channel=CHANNEL, ts=parent, limit=2)
        paged = [message["ts"] async for page in first for message in page["messages"]]
        lost = client.chat_postMessage(channel=CHANNEL, text="x", thread_ts="1.000000")
        assert await refused(lost) == "cannot_reply_to_message"
        missing = client.conversations_replies(channel=CHANNEL, ts="1.000000")
        assert await refused(missing) == "thread_not_found"
        assert len(server.messages(CHANNEL)) == 3
    assert [message["ts"] for message in history] == [replies[1], parent]
    assert [message["ts"] for message in thread] == paged == [parent, *replies]
    assert (history[1]["reply_count"], thread[1]["thread_ts"]) == (2, parent)


async def test_tokens_are_refused_by_name() -> None:
    async with (
        slack_server() as server,
        slack_bot(server, TOKEN) as client,
        slack_bot(server, "xoxb-other") as other,
    ):
        assert await refused(other.auth_test()) == "invalid_auth"
        server.revoke(TOKEN)
        assert await refused(client.auth_test()) == "token_revoked"
        server.revoke(TOKEN, "account_inactive")
        post = client.chat_postMessage(channel=CHANNEL, text="x")
        assert await refused(post) == "account_inactive"
        assert server.count(200) == len(server.requests) == 3


async def test_missing_scopes_are_named() -> None:
    async with slack_server(scopes=["chat:write", "channels:history"]) as server:
        server.add_channel("G0SECRET", is_private=True)
        async with slack_bot(server, TOKEN) as client:
            await client.conversations_history(channel=CHANNEL)
            with pytest.raises(SlackApiError) as caught:
                await client.conversations_history(channel="G0SECRET")
            assert caught.value.response["needed"] == "groups:history"
            assert caught.value.response["provided"] == "channels:history,chat:write"
            assert await refused(client.files_info(file="F1")) == "missing_scope"
            server.tokens[TOKEN] = frozenset({"groups:history"})
            await client.conversations_history(channel="G0SECRET")
            post = client.chat_postMessage(channel=CHANNEL, text="x")
            assert await refused(post) == "missing_scope"


async def test_channels_are_refused_by_name() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        post, read = client.chat_postMessage, client.conversations_history
        server.add_channel("G0SECRET", is_private=True, is_member=False)
        assert await refused(post(channel="G0SECRET", text="x")) == "channel_not_found"
        channel = server.channel(CHANNEL)
        channel.is_member = False
        assert await refused(post(channel=CHANNEL, text="x")) == "not_in_channel"
        assert await refused(read(channel=CHANNEL)) == "not_in_channel"
        assert not (await client.conversations_info(channel=CHANNEL))["channel"]["is_member"]
        channel.is_member, channel.is_archived = True, True
        assert await refused(post(channel=CHANNEL, text="x")) == "is_archived"
        server.delete_channel(CHANNEL)
        assert await refused(post(channel=CHANNEL, text="x")) == "channel_not_found"


async def upload(client: AsyncWebClient, *, claims: int = len(PNG)) -> str:
    """A file without a channel; its id."""
    begun = await client.files_getUploadURLExternal(filename="chart.png", length=claims)
    async with aiohttp.ClientSession() as http:
        assert await (await http.post(begun["upload_url"], data=PNG)).text() == f"OK - {len(PNG)}"
    file_id = str(begun["file_id"])
    await client.files_completeUploadExternal(files=[{"id": file_id, "title": "AAPL"}])
    return file_id


async def test_a_file_is_of_use_only_when_its_kind_is_known() -> None:
    async with slack_server(unready_polls=2) as server, slack_bot(server, TOKEN) as client:
        file = await upload(client)
        image = {"type": "image", "alt_text": "a line", "slack_file": {"id": file}}
        post = client.chat_postMessage
        with pytest.raises(SlackApiError) as caught:
            await post(channel=CHANNEL, text="x", blocks=[image])
        kinds = [(await client.files_info(file=file))["file"]["mimetype"] for _ in range(3)]
        await post(channel=CHANNEL, text="x", blocks=[image])
        assert server.files[file].data == PNG
        assert len(server.messages(CHANNEL)) == 1
    assert kinds == ["", "", "image/png"]
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] invalid slack file [json-pointer:/blocks/0/slack_file]"
    ]


async def test_a_file_for_a_channel_is_a_message_that_at_times_never_comes() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        upload = client.files_upload_v2
        await upload(channel=CHANNEL, content=PNG, filename="c.png", initial_comment="said")
        server.uploads.shares_files = False
        await upload(channel=CHANNEL, content=PNG, filename="c.png", initial_comment="unsaid")
        (stored,) = server.messages(CHANNEL)
        assert await refused(client.files_info(file="F9")) == "file_not_found"
    assert (stored.text, [file.name for file in stored.files]) == ("said", ["c.png"])


async def test_blocks_are_refused_with_their_places_and_long_texts_by_name() -> None:
    async with slack_server() as server, slack_bot(server, TOKEN) as client:
        post = client.chat_postMessage
        blocks = [{"type": "section", "text": text("x" * 3001)}]
        with pytest.raises(SlackApiError) as caught:
            await post(channel=CHANNEL, text="x", blocks=blocks)
        assert await refused(post(channel=CHANNEL, text="x" * 40_001)) == "msg_too_long"
        empty = client.api_call("chat.postMessage", json={"channel": CHANNEL, "text": " "})
        assert await refused(empty) == "no_text"
        assert server.messages(CHANNEL) == []
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
