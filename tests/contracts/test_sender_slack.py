"""What only Slack's sender promises: looks by metadata, pictures uploaded once, scopes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from alerts.model import Destination, Receipt
from bot.platforms.pacing import Pacing
from bot.platforms.slack import SlackSender
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)
from tests.contracts.senders import CHART, TOKEN, Platform, letter, over_slack, requests
from tests.servers import faults
from tests.servers.faults import Delay, Fault, Status
from tests.servers.slack import PER_CHANNEL, SCOPES, too_many

CHANNEL = "C0ALERTS"


@pytest.fixture
async def there() -> AsyncIterator[Platform]:
    async with over_slack() as platform:
        yield platform


async def fails(awaitable: Any, kind: type[DeliveryError], reason: Reason) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await awaitable
    assert (type(caught.value), caught.value.reason) == (kind, reason), caught.value
    return caught.value


def says(error: str) -> Fault:
    body = {"ok": False, "error": error}
    return Status(200, json.dumps(body).encode(), "application/json; charset=utf-8")


def without(platform: Platform, *scopes: str) -> None:
    platform.server.tokens[TOKEN] = frozenset(SCOPES) - set(scopes)


async def test_a_letter_unfurls_nothing_and_carries_its_key(there: Platform) -> None:
    await there.sender.send(there.to, letter(lead="<!channel> look"))

    body = json.loads(there.server.requests[-1].call.body)
    assert (body["unfurl_links"], body["unfurl_media"], body["parse"]) == (False, False, "none")
    assert body["metadata"] == {
        "event_type": "tapewatch_delivery",
        "event_payload": {"k": letter().token},
    }
    assert len(body["client_msg_id"]) == 36
    assert "<!channel>" not in json.dumps(body)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ("not_in_channel", DeliveryRefused, Reason.NOT_A_MEMBER),
        ("is_archived", DeliveryRefused, Reason.CHANNEL_GONE),
        ("channel_not_found", DeliveryRefused, Reason.CHANNEL_GONE),
        ("restricted_action", DeliveryRefused, Reason.NO_PERMISSION),
        ("missing_scope", DeliveryRefused, Reason.NO_PERMISSION),
        ("account_inactive", DeliveryRefused, Reason.TOKEN_REFUSED),
        ("internal_error", DeliveryAmbiguous, Reason.SERVER_ERROR),
        ("duplicate_message_not_found", DeliveryAmbiguous, Reason.SERVER_ERROR),
        ("ratelimited", DeliveryDeferred, Reason.RATE_LIMITED),
        ("something new", DeliveryRefused, Reason.MESSAGE_REJECTED),
    ],
)
async def test_each_refusal_has_its_reason(
    there: Platform, error: str, kind: type[DeliveryError], reason: Reason
) -> None:
    there.server.before.always(says(error), on="chat.postMessage")

    caught = await fails(there.sender.send(there.to, letter()), kind, reason)

    assert error in caught.seen


@pytest.mark.parametrize(
    "error", ["msg_too_long", "msg_blocks_too_long", "invalid_attachments", "invalid_blocks_format"]
)
async def test_each_complaint_about_the_layout_leads_to_text(there: Platform, error: str) -> None:
    there.server.before.add(says(error), on="chat.postMessage")

    receipt = await there.sender.send(there.to, letter())

    assert receipt.fallback == error
    assert there.server.messages(CHANNEL)[0].blocks == []


async def test_a_look_without_the_scope_proves_nothing(there: Platform) -> None:
    tried = there.tried()
    digest = await there.sender.send(there.to, letter())
    without(there, "channels:history")
    there.later(600)
    for wanted in (letter(), letter("details", anchor=digest)):
        look = there.sender.find(there.to, wanted, tried)
        error = await fails(look, DeliveryAmbiguous, Reason.LOOK_UP_IMPOSSIBLE)
        assert "channels:history" in error.seen


async def test_a_look_into_a_channel_that_was_left_proves_nothing(there: Platform) -> None:
    tried = there.tried()
    await there.sender.send(there.to, letter())
    for private in (False, True):
        channel = there.server.channel(CHANNEL)
        channel.is_member, channel.is_private = False, private
        look = there.sender.find(there.to, letter(), tried)
        await fails(look, DeliveryAmbiguous, Reason.LOOK_UP_IMPOSSIBLE)


async def test_a_message_is_found_page_by_page(there: Platform) -> None:
    tried = there.tried()
    sent = await there.sender.send(there.to, letter())
    for n in range(9):
        there.server.say(CHANNEL, f"talk {n}")
    there.server.store.page_cap = 2

    assert await there.sender.find(there.to, letter(), tried) == sent
    assert requests(there, "conversations.history") == 5
    before = requests(there)
    assert isinstance(there.sender, SlackSender)
    impatient = SlackSender(
        there.sender.client, there.sender.session, now=there.clock, pacing=Pacing(1), most_pages=2
    )
    look = impatient.find(there.to, letter(), tried)
    await fails(look, DeliveryAmbiguous, Reason.LOOK_UP_IMPOSSIBLE)
    assert requests(there) == before + 2


async def test_what_is_carried_out_late_is_waited_for() -> None:
    async with over_slack(answer_within_s=0.1) as there:
        there.server.before.add(Delay(0.25), on="chat.postMessage")
        tried = there.tried()
        send = there.sender.send(there.to, letter())
        await fails(send, DeliveryAmbiguous, Reason.NO_ANSWER)
        look = there.sender.find(there.to, letter(), tried)
        error = await fails(look, DeliveryDeferred, Reason.NO_ANSWER)
        assert isinstance(error, DeliveryDeferred)
        assert error.retry_after_s == 30
        await asyncio.sleep(0.3)
        there.later(30)

        receipt = await there.sender.find(there.to, letter(), tried)

        assert receipt is not None
        assert len(there.said()) == 1


async def test_what_never_came_is_sent_after_the_wait() -> None:
    async with over_slack(answer_within_s=0.1) as there:
        there.server.before.add(faults.Hang(), on="chat.postMessage")
        tried = there.tried()
        send = there.sender.send(there.to, letter())
        await fails(send, DeliveryAmbiguous, Reason.NO_ANSWER)
        there.later(30)

        await there.settle(letter(), tried)

        assert len(there.said()) == 1


async def test_what_may_still_be_on_its_way_is_waited_for_after_a_restart_too() -> None:
    async with over_slack() as there:
        tried = there.tried()
        there.later(10)
        error = await fails(
            there.sender.find(there.to, letter(), tried), DeliveryDeferred, Reason.NO_ANSWER
        )
        assert isinstance(error, DeliveryDeferred)
        assert error.retry_after_s == 20
        there.later(20)
        assert await there.sender.find(there.to, letter(), tried) is None


@pytest.mark.parametrize("operation", ["conversations.history", "files.info"])
async def test_a_limit_of_another_method_is_that_letters_alone(
    there: Platform, operation: str
) -> None:
    there.server.before.add(too_many(40), on=operation)
    if operation == "files.info":
        call: Any = there.sender.send(there.to, letter("mine", pictures=(CHART,)))
    else:
        call = there.sender.find(there.to, letter("mine"), there.tried())

    error = await fails(call, DeliveryDeferred, Reason.RATE_LIMITED)

    assert isinstance(error, DeliveryDeferred)
    assert error.retry_after_s == 40
    await there.sender.send(there.to, letter())
    assert len(there.said()) == 1


async def test_a_look_that_was_stopped_goes_on_where_it_was(there: Platform) -> None:
    tried = there.tried()
    sent = await there.sender.send(there.to, letter())
    for n in range(9):
        there.server.say(CHANNEL, f"talk {n}")
    there.server.store.page_cap = 2
    there.later(60)
    for attempt in range(4):
        # One page at a time, as with one request a minute.
        there.server.before.add(Fault(), on="conversations.history")
        there.server.before.add(too_many(60), on="conversations.history")
        look = there.sender.find(there.to, letter(), tried)
        await fails(look, DeliveryDeferred, Reason.RATE_LIMITED)
        assert requests(there, "conversations.history") == 2 * (attempt + 1)
    there.server.before.add(Fault(), too_many(60), on="conversations.history")

    assert await there.sender.find(there.to, letter(), tried) == sent


async def test_a_look_that_began_too_early_begins_anew(there: Platform) -> None:
    tried = there.tried()
    there.server.store.page_cap = 1
    for n in range(3):
        there.server.say(CHANNEL, f"talk {n}")
    there.server.before.add(Fault(), on="conversations.history")
    there.server.before.add(too_many(60), on="conversations.history")
    await fails(there.sender.find(there.to, letter(), tried), DeliveryDeferred, Reason.RATE_LIMITED)
    # It was on its way, and is newer than the pages that were read.
    sent = await there.sender.send(there.to, letter())
    there.later(60)

    assert await there.sender.find(there.to, letter(), tried) == sent


async def test_a_picture_is_uploaded_once_for_many_channels(there: Platform) -> None:
    there.server.uploads.unready_polls = 2
    others = [f"C0OTHER{n}" for n in range(5)]
    for name in others:
        there.server.add_channel(name)
    with_chart = letter(pictures=(CHART,))

    places = [there.to, *(Destination("slack", name) for name in others)]
    await asyncio.gather(*(there.sender.send(to, with_chart) for to in places))

    assert requests(there, "files.upload") == 1
    assert requests(there, "chat.postMessage") == 6
    assert len(there.server.files) == 1


async def test_who_was_frozen_while_a_picture_was_uploaded_posts_nothing(there: Platform) -> None:
    """Another copy of the service may have posted it meanwhile."""
    assert isinstance(there.sender, SlackSender)
    pacing = Pacing(1, sure=lambda: not requests(there, "files.upload"))
    frozen = SlackSender(
        there.sender.client, there.sender.session, now=there.clock, pacing=pacing, poll_every_s=0.01
    )
    sending = frozen.send(there.to, letter(pictures=(CHART,)))
    await fails(sending, DeliveryDeferred, Reason.SAFE_TO_REPEAT)
    assert requests(there, "files.upload") == 1
    assert there.said() == []


async def test_a_picture_that_is_never_ready_is_left_out(there: Platform) -> None:
    there.server.uploads.unready_polls = 1000

    receipt = await there.sender.send(there.to, letter(pictures=(CHART,)))

    assert "picture" in receipt.fallback
    (said,) = there.said()
    assert said.pictures == ()
    assert "trades 4.8×" in said.whole


async def test_a_picture_that_is_never_ready_is_waited_for_once_in_a_while(
    there: Platform,
) -> None:
    there.server.uploads.unready_polls = 1000
    for key in "abc":
        receipt = await there.sender.send(there.to, letter(key, pictures=(CHART,)))
        assert "picture" in receipt.fallback
    assert requests(there, "files.upload") == 1
    there.server.uploads.unready_polls = 0
    there.later(301)

    receipt = await there.sender.send(there.to, letter("d", pictures=(CHART,)))

    assert receipt.fallback == ""
    assert requests(there, "files.upload") == 2


@pytest.mark.parametrize("scope", ["files:write", "files:read"])
async def test_without_the_scope_a_letter_comes_without_its_picture(
    there: Platform, scope: str
) -> None:
    without(there, scope)

    receipt = await there.sender.send(there.to, letter(pictures=(CHART,)))

    assert scope in receipt.fallback
    assert len(there.said()) == 1


async def test_a_picture_that_slack_lost_is_left_out_and_uploaded_anew_next_time(
    there: Platform,
) -> None:
    await there.sender.send(there.to, letter(pictures=(CHART,)))
    there.server.files.clear()

    lost = await there.sender.send(there.to, letter("b", pictures=(CHART,)))
    again = await there.sender.send(there.to, letter("c", pictures=(CHART,)))

    assert "slack file" in lost.fallback
    assert there.server.messages(CHANNEL)[1].blocks
    assert again.fallback == ""
    assert requests(there, "files.upload") == 2


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("files.upload", faults.html(503)),
        ("files.upload", faults.Reset()),
        ("files.completeUploadExternal", faults.html(503)),
        ("files.info", says("internal_error")),
    ],
)
async def test_an_upload_that_fails_for_now_is_tried_again_with_nothing_posted(
    there: Platform, operation: str, fault: Fault
) -> None:
    there.server.before.add(fault, on=operation)

    with pytest.raises(DeliveryDeferred):
        await there.sender.send(there.to, letter(pictures=(CHART,)))

    assert there.said() == []
    assert (await there.sender.send(there.to, letter(pictures=(CHART,)))).fallback == ""


async def test_a_reply_to_a_deleted_digest_is_refused(there: Platform) -> None:
    digest = await there.sender.send(there.to, letter())
    there.server.messages(CHANNEL)[0].deleted = True
    details = letter("details", anchor=digest)

    tried = there.tried()
    there.later(30)
    assert await there.sender.find(there.to, details, tried) is None
    await fails(there.sender.send(there.to, details), DeliveryRefused, Reason.MESSAGE_GONE)


async def test_an_edit_keeps_the_key_of_the_first_message(there: Platform) -> None:
    tried = there.tried()
    sent = await there.sender.send(there.to, letter())
    await there.sender.edit(there.to, sent, letter("edit", "new"))

    assert await there.sender.find(there.to, letter(), tried) == Receipt(sent.message_id)


@pytest.mark.parametrize(
    ("private", "missing"),
    [(False, "channels:history"), (True, "groups:history"), (False, "files:write")],
)
async def test_a_missing_scope_is_named_with_what_to_do(
    there: Platform, private: bool, missing: str
) -> None:
    there.server.channel(CHANNEL).is_private = private
    without(there, missing)

    (check,) = [check for check in await there.sender.examine(there.to) if not check.ok]

    assert check.name == missing
    assert check.next_step


@pytest.mark.parametrize(
    ("flags", "failing"),
    [({"is_archived": True}, "channel"), ({"is_member": False}, "membership")],
)
async def test_a_channel_that_takes_nothing_is_named_with_what_to_do(
    there: Platform, flags: dict[str, bool], failing: str
) -> None:
    for name, value in flags.items():
        setattr(there.server.channel(CHANNEL), name, value)

    (check,) = [check for check in await there.sender.examine(there.to) if not check.ok]

    assert check.name == failing
    assert check.next_step


async def test_a_full_house_stays_below_slacks_limits(there: Platform) -> None:
    assert isinstance(there.sender, SlackSender)
    there.server.channel_limit, there.server.channel_burst = PER_CHANNEL, 1
    sender = SlackSender(there.sender.client, there.sender.session, now=there.clock)
    others = [Destination("slack", f"C0OTHER{n}") for n in range(6)]
    for to in others:
        there.server.add_channel(to.channel)

    async def lane(to: Destination) -> None:
        for n in range(2):
            async with sender.turn(to):
                await sender.send(to, letter(f"{to} {n}"))

    await asyncio.gather(*map(lane, others))

    assert there.server.rate_limited == 0
    assert requests(there, "chat.postMessage") == 12


async def test_a_channels_name_is_no_id(there: Platform) -> None:
    checks = await there.sender.examine(Destination("slack", "#alerts"))

    assert [(check.name, check.ok) for check in checks] == [("token", True), ("channel", False)]
    assert "ID" in checks[-1].next_step
