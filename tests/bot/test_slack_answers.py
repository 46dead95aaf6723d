"""Answers on Slack when not all goes well; pictures and files."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts.model import ChartOf, File, Message, Picture, Table
from bot.answers import Answer, Sharing
from bot.platforms.slack_ways import Place
from tests.bot.slack_desk import ALICE, CHANNEL, Slack, button, desk, read, until
from tests.bot.small_market import stored_market
from tests.servers.faults import Hang, Reset, Status
from tests.servers.slack import refusal, too_many
from tests.shared import Shared

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
LONG = File("tapewatch-2026-03-06.csv", "a,b\n" * 2_000)
SHORT = File("tapewatch-2026-03-06.csv", "a,b\n1,2\n")
REFUSED = Status(400, b'{"ok":false,"error":"invalid_blocks"}', "application/json")


@pytest.fixture
async def slack(shared: Shared, tmp_path: Path) -> AsyncIterator[Slack]:
    """A market of its own for each test."""
    stored = await asyncio.to_thread(stored_market, shared, tmp_path / "data")
    async with desk(stored, draw=drawn) as both:
        yield both


async def drawn(of: ChartOf) -> Picture:
    """Something to see."""
    return Picture(PNG, f"{of.ticker} in a line")


async def give(slack: Slack, answer: Answer, sharing: Sharing | None = None, **place: Any) -> None:
    """As if it had been asked for in the channel, without an address to answer at."""
    assert slack.ear._desk is not None
    answers, there = slack.ear._desk.answers, Place(CHANNEL, ALICE, **place)
    await answers.give(there, answer, await answers.drafted(there, answer), sharing)


def kinds(body: Any) -> list[str]:
    """The kinds of its blocks."""
    return [block["type"] for block in body.get("blocks") or []]


async def test_a_picture_is_in_the_answer_as_soon_as_slack_has_it(slack: Slack) -> None:
    slack.server.uploads.unready_polls = 2
    asked = await slack.server.command("/ticker", "QWOH")
    body = (await asked.answered(10.0)).body
    (image,) = (block for block in body["blocks"] if block["type"] == "image")
    assert image["slack_file"] == {"id": next(iter(slack.server.files))}
    assert slack.server.files[image["slack_file"]["id"]].channels == []
    assert asked.refusals == []


@pytest.mark.parametrize("step", ["files.getUploadURLExternal", "files.upload", "files.info"])
async def test_an_answer_comes_without_a_picture_that_slack_does_not_take(
    slack: Slack, step: str
) -> None:
    slack.server.before.add(Status(403) if step == "files.upload" else refusal("no_way"), on=step)
    asked = await slack.server.command("/ticker", "QWOH")
    body = (await asked.answered(10.0)).body
    assert "image" not in kinds(body)
    assert "its picture cannot be shown here" in read(body)
    assert "QWOH $3.21" in read(body)


async def test_a_layout_that_is_refused_loses_only_what_was_refused(slack: Slack) -> None:
    ways = []
    for times in range(3):
        slack.server.before.add(*[REFUSED] * times, on="response_url")
        asked = await slack.server.command("/anomalies", "today", user_id=f"U{times}")
        ways.append((await asked.answered(10.0)).body)
    assert "table" in kinds(ways[0])
    assert "table" not in kinds(ways[1])
    assert "actions" in kinds(ways[1])
    assert kinds(ways[2]) == []
    assert "QWOH" in read(ways[2])


async def test_an_address_that_is_used_up_is_not_the_only_way(slack: Slack) -> None:
    slack.server.hooks.uses = 0
    asked = await slack.server.command("/ticker", "QWOH text")
    shown = await asked.answered(10.0)
    assert shown.how == "ephemeral"
    assert "QWOH" in read(shown.body)


async def test_what_was_surely_not_heard_is_said_again(slack: Slack) -> None:
    slack.server.before.add(too_many(0.1), on="response_url")
    assert "QWOH" in await slack.ask("/ticker QWOH text")


async def test_nobody_waits_for_an_address_that_is_to_be_left_alone_for_long(slack: Slack) -> None:
    slack.server.before.add(too_many(60), on="response_url")
    asked = await slack.server.command("/ticker", "QWOH text")
    shown = await asked.answered(10.0)
    assert shown.how == "ephemeral"
    assert "QWOH $3.21" in read(shown.body)


@pytest.mark.parametrize("fault", [Status(502), Reset(), Hang()])
async def test_what_one_person_may_have_heard_is_rather_said_twice_than_not_at_all(
    slack: Slack, fault: Any
) -> None:
    slack.server.before.add(fault, on="response_url")
    asked = await slack.server.command("/ticker", "QWOH text")
    assert "QWOH $3.21" in read((await asked.answered(15.0)).body)


async def test_an_answer_is_not_taken_to_where_a_redirect_leads(slack: Slack) -> None:
    elsewhere = f"{slack.server.url}/elsewhere"
    slack.server.before.add(Status(307, headers={"Location": elsewhere}), on="response_url")
    asked = await slack.server.command("/ticker", "QWOH text")
    assert "QWOH $3.21" in read((await asked.answered(15.0)).body)
    assert [r.call.path for r in slack.server.requests if "elsewhere" in r.call.path] == []


@pytest.mark.parametrize("fault", [Status(502), Reset(), Hang()])
async def test_what_all_may_have_heard_is_not_said_twice(slack: Slack, fault: Any) -> None:
    asked = await slack.server.command("/ticker", "QWOH text")
    await asked.answered(10.0)
    slack.server.faults.add(fault, on="response_url")
    sharing = Sharing()
    public = Answer(Message("", "for all"), public=True)
    await give(slack, public, sharing, response_url=asked.response_url)
    assert sharing.may_be_out
    assert [message.text for message in asked.messages] == ["for all"]
    assert "may not have been shared here" in asked.shown[-1].text


async def test_who_is_not_in_the_channel_either_is_answered_in_their_messages(
    slack: Slack,
) -> None:
    slack.server.add_channel(ALICE, is_private=True)
    slack.server.hooks.uses = 0
    slack.server.channel(CHANNEL).is_member = False
    await slack.server.command("/ticker", "QWOH text")
    await until(lambda: slack.server.messages(ALICE), 10.0)
    (seen,) = slack.server.messages(ALICE)
    assert "QWOH $3.21" in read({"blocks": seen.blocks})
    assert "Why" in read({"blocks": seen.blocks})
    assert "Share" not in read({"blocks": seen.blocks})


async def test_an_answer_that_no_way_took_comes_later(
    slack: Slack, caplog: pytest.LogCaptureFixture
) -> None:
    assert slack.ear._desk is not None
    desk = slack.ear._desk
    desk.answers = replace(desk.answers, again_after_s=(0.1,) * 100)
    slack.server.add_channel(ALICE, is_private=True)
    for way in ("response_url", "chat.postEphemeral", "chat.postMessage"):
        slack.server.before.always(too_many(60), on=way)
    asked = await slack.server.command("/ticker", "QWOH text")
    await until(lambda: "an answer waits for Slack" in caplog.text, 10.0)
    assert asked.shown == []
    slack.server.before.clear()
    assert "QWOH $3.21" in read((await asked.answered(10.0)).body)


async def test_what_was_surely_not_shared_can_be_shared_again(slack: Slack) -> None:
    asked = await slack.server.command("/ticker", "QWOH text")
    share = button((await asked.answered(10.0)).body["blocks"], "Share")
    for way in ("response_url", "chat.postMessage"):
        slack.server.before.always(too_many(60), on=way)
    pressed = await slack.server.press(asked.ephemerals[0], share["action_id"])
    assert "cannot be shared here" in read((await pressed.answered(10.0)).body)
    slack.server.before.clear()
    again = await slack.server.press(asked.ephemerals[0], share["action_id"])
    await again.answered(10.0, count=2)
    assert "QWOH $3.21" in read({"blocks": again.messages[0].blocks})


async def test_the_words_do_not_wait_long_for_the_picture(slack: Slack) -> None:
    assert slack.ear._desk is not None
    desk = slack.ear._desk
    desk.answers = replace(desk.answers, picture_within_s=0.3)
    slack.server.uploads.unready_polls = 1_000
    asked = [await slack.server.command("/ticker", "QWOH", user_id=f"U{n}") for n in range(4)]
    for one in asked:
        body = (await one.answered(3.0)).body
        assert "image" not in kinds(body)
        assert "QWOH $3.21" in read(body)
        assert "not ready with its picture" in read(body)
    (file,) = slack.server.files.values()
    file.polls_left = 0
    later = await slack.server.command("/ticker", "QWOH")
    body = (await later.answered(10.0)).body
    (image,) = (block for block in body["blocks"] if block["type"] == "image")
    assert image["slack_file"] == {"id": file.id}


async def test_a_short_file_is_in_the_answer(slack: Slack) -> None:
    await give(slack, Answer(Message("", "Here it is.", files=(SHORT,))))
    (seen,) = slack.server.seen_by(ALICE)
    assert SHORT.content.strip() in read({"blocks": seen.blocks})
    assert slack.server.files == {}


async def test_a_long_file_goes_to_who_asked_and_the_answer_says_where(slack: Slack) -> None:
    slack.server.add_channel(ALICE, is_private=True)
    await give(slack, Answer(Message("", "Here it is.", files=(LONG,))))
    (seen,) = slack.server.seen_by(ALICE)
    assert f"{LONG.name} is in your messages with this app" in read({"blocks": seen.blocks})
    (file,) = slack.server.files.values()
    assert file.channels == [ALICE]
    assert file.data == LONG.content.encode()
    assert slack.server.messages(CHANNEL) == []


async def test_a_long_file_that_cannot_be_sent_is_not_passed_over(slack: Slack) -> None:
    slack.server.before.add(refusal("messages_tab_disabled"), on="chat.postMessage")
    await give(slack, Answer(Message("", "Here it is.", files=(LONG,))))
    (seen,) = slack.server.seen_by(ALICE)
    assert f"{LONG.name} could not be sent: messages_tab_disabled" in read({"blocks": seen.blocks})


async def test_a_shared_file_is_for_all_of_the_channel(slack: Slack) -> None:
    await give(slack, Answer(Message("", "Here it is.", files=(LONG,)), public=True))
    (file,) = slack.server.files.values()
    assert file.channels == [CHANNEL]
    shown = slack.server.messages(CHANNEL)[0]
    assert "is in this channel" in read({"blocks": shown.blocks})


async def test_a_file_is_not_there_if_what_is_shared_is_not(slack: Slack) -> None:
    slack.server.before.add(refusal("restricted_action"), on="chat.postMessage")
    await give(slack, Answer(Message("", "Here it is.", files=(LONG,)), public=True))
    (file,) = slack.server.files.values()
    assert file.channels == []
    assert slack.server.messages(CHANNEL) == []
    (seen,) = slack.server.seen_by(ALICE)
    assert "It cannot be shared here: restricted_action" in seen.text


async def test_a_file_that_does_not_get_there_is_said_to_who_shared_it(slack: Slack) -> None:
    slack.server.before.add(refusal("no_way"), on="files.completeUploadExternal")
    await give(slack, Answer(Message("", "Here it is.", files=(LONG,)), public=True))
    (seen,) = slack.server.seen_by(ALICE)
    assert f"{LONG.name} could not be put beside what is shared: no_way" in seen.text


async def test_what_cannot_be_shared_is_said_to_who_wanted_to(slack: Slack) -> None:
    slack.server.channel(CHANNEL).is_member = False
    asked = await slack.server.command("/ticker", "QWOH text")
    url = (await asked.acknowledged()) or asked.response_url
    await asked.answered(10.0)
    slack.server.before.add(REFUSED, on="response_url", times=2)
    table = Table(("a",), (("1",),))
    await give(slack, Answer(Message("", "x", table=table)), response_url=str(url))
    assert len(asked.shown) == 2
    slack.server.before.add(REFUSED, on="response_url", times=2)
    await give(slack, Answer(Message("", "x"), public=True), response_url=str(url))
    assert "It cannot be shared here" in asked.shown[-1].text
