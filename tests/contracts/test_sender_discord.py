"""What only Discord's sender promises: nonces, threads, permissions, the library's own retries."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import discord
import pytest

from alerts.model import Action, Destination, File, Letter, Menu, Message, Receipt, Table
from bot.platforms.discord import DiscordSender
from bot.platforms.discord_parts import DELETED
from bot.platforms.pacing import Pacing
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)
from tests.contracts.senders import CHART, TOKEN, Platform, letter, over_discord, requests
from tests.servers import faults
from tests.servers.discord import GLOBAL, PER_CHANNEL
from tests.servers.discord_store import EVERYONE
from tests.servers.faults import Reset, Status

CHANNEL = 900000000000000011


@pytest.fixture
async def there() -> AsyncIterator[Platform]:
    async with over_discord() as platform:
        yield platform


@pytest.fixture
async def hasty() -> AsyncIterator[Platform]:
    async with over_discord(answer_within_s=0.4) as platform:
        yield platform


async def fails(awaitable: Any, kind: type[DeliveryError], reason: Reason) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await awaitable
    assert (type(caught.value), caught.value.reason) == (kind, reason), caught.value
    return caught.value


def forbid(platform: Platform, **names: bool) -> None:
    allowed = discord.Permissions(EVERYONE.value)
    allowed.update(**names)
    platform.server.channel(CHANNEL).permissions = allowed


def refused(code: int, status: int = 400) -> Status:
    body = json.dumps({"code": code, "message": "no"}).encode()
    return Status(status, body, "application/json")


def line(key: str, anchor: Receipt) -> Letter:
    """One line for a digest's thread."""
    return Letter(key, Message("a line", f"{key}: XYZQ left."), anchor=anchor)


def posted(platform: Platform) -> dict[str, Any]:
    """The body of the last message."""
    sent = [s for s in platform.server.requests if s.operation == "messages.create"]
    body: dict[str, Any] = json.loads(sent[-1].call.body)
    return body


async def test_a_letter_mentions_nobody_and_carries_its_key(there: Platform) -> None:
    await there.sender.send(there.to, letter(lead="@everyone <@&1> look"))

    body = posted(there)
    assert body["allowed_mentions"] == {"parse": []}
    assert (body["nonce"], body["enforce_nonce"]) == (letter().token, True)
    assert "@everyone" not in json.dumps(body)
    ((button,),) = [row["components"] for row in body["components"]]
    assert button["custom_id"] == f"alert:{letter().token}"
    assert (button["disabled"], button["label"], button["style"]) == (True, "data revision 1", 2)


def clickable() -> Letter:
    """A digest with a menu, a button, a table and a file."""
    acts = (Action("Show raw", "anomalies raw"),)
    message = replace(
        letter().message,
        table=Table(("name", "move"), (("XYZQ", "−18.2%"),)),
        actions=acts,
        menus=(Menu("a line", acts),),
        files=(File("list.csv", "a,b"),),
    )
    return replace(letter(), message=message)


async def test_a_letter_with_a_menu_is_known_by_it(there: Platform) -> None:
    tried = there.tried()
    sent = await there.sender.send(there.to, clickable())

    (posted_,) = there.server.messages(CHANNEL)
    ids = [[part["custom_id"] for part in row["components"]] for row in posted_.components]
    (act,) = clickable().message.actions
    assert ids == [[f"alert:{letter().token}"], [f"do:{act.key}"]]
    assert [(a.filename, a.data) for a in posted_.attachments] == [("list.csv", b"a,b")]
    assert posted_.embeds[0]["description"].startswith("```\nname   move\nXYZQ −18.2%\n```")
    there.later(600)
    assert await there.sender.find(there.to, clickable(), tried) == sent
    await there.sender.edit(there.to, sent, replace(clickable(), key="edit"))
    assert len(posted_.components) == 2
    assert "XYZQ −18.2%" in posted_.embeds[0]["description"]


async def test_a_layout_that_is_refused_goes_without_its_buttons(there: Platform) -> None:
    there.server.before.add(refused(50035), on="messages.create")

    receipt = await there.sender.send(there.to, clickable())

    assert "50035" in receipt.fallback
    (posted_,) = there.server.messages(CHANNEL)
    ((button,),) = [row["components"] for row in posted_.components]
    assert button["custom_id"] == f"alert:{letter().token}"
    assert posted_.embeds == []


async def test_without_the_permission_a_file_is_left_out_and_said(there: Platform) -> None:
    forbid(there, attach_files=False)

    receipt = await there.sender.send(there.to, clickable())

    assert "50013" in receipt.fallback
    (posted_,) = there.server.messages(CHANNEL)
    assert posted_.attachments == []
    assert "cannot be attached" in posted_.embeds[0]["description"]


async def test_a_silent_letter_makes_no_sound(there: Platform) -> None:
    for silent, flags in ((True, 1 << 12), (False, 0)):
        await there.sender.send(there.to, letter(str(silent), silent=silent))
        assert there.server.messages(CHANNEL)[-1].flags == flags


async def test_a_bad_gateway_after_acceptance_is_one_message(there: Platform) -> None:
    there.server.faults.add(faults.html(502), on="messages.create")

    await there.sender.send(there.to, letter())

    assert requests(there, "messages.create") == 2
    assert len(there.said()) == 1


async def test_retries_without_end_are_cut_short(hasty: Platform) -> None:
    hasty.server.before.always(faults.html(502), on="messages.create")

    await fails(hasty.sender.send(hasty.to, letter()), DeliveryAmbiguous, Reason.NO_ANSWER)


async def test_a_pause_of_all_that_is_cut_short_does_not_hold_the_others(hasty: Platform) -> None:
    await hasty.sender.send(hasty.to, letter("first"))
    body = json.dumps({"retry_after": 20.0, "global": True, "message": "slowly"}).encode()
    hasty.server.before.add(Status(429, body, "application/json", {"Via": "1.1 google"}))

    await fails(hasty.sender.send(hasty.to, letter()), DeliveryAmbiguous, Reason.NO_ANSWER)

    await hasty.sender.send(hasty.to, letter())
    assert len(hasty.said()) == 2


async def test_a_ban_by_address_is_a_rate_limit(there: Platform) -> None:
    there.server.before.add(Status(429, b"error code: 1015", "text/plain", {"Retry-After": "600"}))

    error = await fails(
        there.sender.send(there.to, letter()), DeliveryDeferred, Reason.RATE_LIMITED
    )

    assert isinstance(error, DeliveryDeferred)
    assert error.retry_after_s == 600


@pytest.mark.parametrize("operation", ["users.me", "applications.me"])
async def test_a_failed_login_is_tried_again_with_the_next_letter(
    there: Platform, operation: str
) -> None:
    for fault in (Reset(), Reset(), faults.html(503)):
        there.server.before.add(fault, on=operation)
    await fails(there.sender.send(there.to, letter()), DeliveryDeferred, Reason.CONNECTION_LOST)
    await fails(there.sender.send(there.to, letter()), DeliveryDeferred, Reason.SERVER_ERROR)

    await there.sender.send(there.to, letter())

    assert len(there.said()) == 1


async def test_a_login_without_an_answer_is_tried_again(hasty: Platform) -> None:
    hasty.server.before.add(faults.Hang(), on="users.me")

    await fails(hasty.sender.send(hasty.to, letter()), DeliveryDeferred, Reason.NO_ANSWER)
    await hasty.sender.send(hasty.to, letter())

    assert len(hasty.said()) == 1


async def test_many_letters_at_once_log_in_once(there: Platform) -> None:
    there.server.before.add(faults.html(503), on="users.me")
    many = [there.sender.send(there.to, letter(f"{n}")) for n in range(8)]
    failed = await asyncio.gather(*many, return_exceptions=True)
    assert all(isinstance(error, DeliveryDeferred) for error in failed)
    assert requests(there) == 1

    await asyncio.gather(*(there.sender.send(there.to, letter(f"{n}")) for n in range(8)))

    assert requests(there, "users.me") == 2
    assert len(there.said()) == 8


async def test_what_was_delivered_and_deleted_is_not_sent_again(there: Platform) -> None:
    await there.sender.send(there.to, letter())
    there.server.messages(CHANNEL)[0].deleted = True

    receipt = await there.sender.send(there.to, letter())

    assert receipt == Receipt(DELETED)
    assert there.said() == []
    before = requests(there)
    gone = Reason.MESSAGE_GONE
    await fails(there.sender.edit(there.to, receipt, letter("e")), DeliveryRefused, gone)
    await fails(there.sender.send(there.to, letter("d", anchor=receipt)), DeliveryRefused, gone)
    assert requests(there) == before


async def test_a_digest_deleted_before_its_details_has_no_thread(there: Platform) -> None:
    digest = await there.sender.send(there.to, letter())
    there.server.messages(CHANNEL)[0].deleted = True

    await fails(
        there.sender.send(there.to, letter("d", anchor=digest)),
        DeliveryRefused,
        Reason.MESSAGE_GONE,
    )


@pytest.mark.parametrize("name", ["read_message_history", "view_channel"])
async def test_a_history_that_may_not_be_read_proves_nothing(there: Platform, name: str) -> None:
    await there.sender.send(there.to, letter())
    tried = there.tried()
    there.later(600)
    forbid(there, **{name: False})

    error = await fails(
        there.sender.find(there.to, letter(), tried), DeliveryAmbiguous, Reason.LOOK_UP_IMPOSSIBLE
    )

    assert error.seen


async def test_a_message_is_found_behind_what_others_wrote(there: Platform) -> None:
    tried = there.tried()
    for n in range(130):
        there.server.say(CHANNEL, f"talk {n}")
    sent = await there.sender.send(there.to, letter())
    there.later(600)

    assert await there.sender.find(there.to, letter(), tried) == sent
    assert requests(there, "messages.list") == 2


async def test_a_look_without_end_is_given_up(there: Platform) -> None:
    assert isinstance(there.sender, DiscordSender)
    impatient = DiscordSender(
        there.sender.client, TOKEN, now=there.clock, pacing=Pacing(1), most_pages=1
    )
    tried = there.tried()
    for n in range(130):
        there.server.say(CHANNEL, f"talk {n}")
    there.later(600)

    await fails(
        impatient.find(there.to, letter(), tried), DeliveryAmbiguous, Reason.LOOK_UP_IMPOSSIBLE
    )


async def test_another_bots_button_is_not_ours(there: Platform) -> None:
    await there.sender.send(there.to, letter())
    there.server.messages(CHANNEL)[0].author_id = 900000000000000077
    tried = there.tried()
    there.later(600)

    assert await there.sender.find(there.to, letter(), tried) is None


@pytest.mark.parametrize("name", ["create_public_threads", "send_messages_in_threads"])
async def test_where_no_thread_can_be_used_details_are_replies(there: Platform, name: str) -> None:
    digest = await there.sender.send(there.to, letter())
    forbid(there, **{name: False})
    tried = there.tried()
    for _ in range(2):
        reply = await there.sender.send(there.to, letter("details", anchor=digest))

    assert [said.text.split(":")[0] for said in there.said()] == ["digest", "details"]
    reference = there.server.messages(CHANNEL)[1].reference
    assert (str(reference["message_id"]), reference["fail_if_not_exists"]) == (
        digest.message_id,
        False,
    )
    there.later(600)
    assert await there.sender.find(there.to, letter("details", anchor=digest), tried) == reply


async def test_inside_a_thread_details_are_replies(there: Platform) -> None:
    digest = await there.sender.send(there.to, letter())
    await there.sender.send(there.to, letter("opens the thread", anchor=digest))
    inside = Destination("discord", digest.message_id)
    first = await there.sender.send(inside, letter("inside"))
    there.server.before.add(refused(50024), on="threads.create")

    await there.sender.send(inside, letter("details", anchor=first))

    heads = [said.text.split(":")[0] for said in there.threads(digest)]
    assert heads == ["opens the thread", "inside", "details"]


async def test_a_thread_that_someone_opened_is_used(there: Platform) -> None:
    digest = await there.sender.send(there.to, letter())
    # The first post does not see it yet; the request for a thread is told that it is there.
    await there.sender.send(there.to, letter("opens it", anchor=digest))
    there.server.before.add(refused(10003, 404), on="messages.create")

    await there.sender.send(there.to, line("correction", digest))

    assert len(there.threads(digest)) == 2


async def test_a_thread_is_made_with_one_request_by_what_comes_into_it_first(
    there: Platform,
) -> None:
    first, second = [await there.sender.send(there.to, letter(key)) for key in "ab"]
    for digest, into in ((first, letter("d", anchor=first)), (second, line("c", second))):
        before = len(there.server.requests)
        await there.sender.send(there.to, into)
        asked = [seen.operation for seen in there.server.requests[before:]]
        guessed = ["messages.create"] * (digest is second)
        assert asked == [*guessed, "threads.create", "messages.create"]
    (made, _) = [s for s in there.server.requests if s.operation == "threads.create"]
    body = json.loads(made.call.body)
    assert body["auto_archive_duration"] == 1_440
    assert body["name"] == letter().message.title


@pytest.mark.parametrize("code", [50024, 50083, 160005, 160006, 50001, 50013])
@pytest.mark.parametrize("operation", ["threads.create", "messages.create"])
async def test_a_thread_that_cannot_be_made_or_used_is_a_reply(
    there: Platform, code: int, operation: str
) -> None:
    digest = await there.sender.send(there.to, letter())
    status = 403 if code in (50001, 50013) else 400
    there.server.before.add(refused(code, status), on=operation)

    receipt = await there.sender.send(there.to, letter("details", anchor=digest))

    assert receipt.fallback == ""
    assert [said.text.split(":")[0] for said in there.said()] == ["digest", "details"]


async def test_after_a_clock_was_set_back_a_message_is_looked_for(there: Platform) -> None:
    tried = there.tried()
    sent = await there.sender.send(there.to, letter())
    there.later(-600)

    assert await there.sender.find(there.to, letter(), tried) == sent


async def test_without_embeds_all_words_still_arrive(there: Platform) -> None:
    forbid(there, embed_links=False)

    receipt = await there.sender.send(there.to, letter())

    assert "Embed Links" in receipt.fallback
    (said,) = there.said()
    assert "trades 4.8×" in said.text
    assert said.text.count("digest: XYZQ") == 1


async def test_words_that_could_not_be_put_in_are_told_of(there: Platform) -> None:
    forbid(there, embed_links=False)
    there.server.before.add(Reset(), on="messages.edit")

    receipt = await there.sender.send(there.to, letter())

    assert "Embed Links" in receipt.fallback
    assert "only the lead" in receipt.fallback


async def test_without_files_a_letter_comes_without_its_picture(there: Platform) -> None:
    forbid(there, attach_files=False)

    receipt = await there.sender.send(there.to, letter(pictures=(CHART,)))

    assert "50013" in receipt.fallback
    (said,) = there.said()
    assert said.pictures == ()
    assert "'embeds'" not in said.text
    assert "trades 4.8×" in said.whole


@pytest.mark.parametrize(
    ("name", "reason"),
    [("send_messages", Reason.NO_PERMISSION), ("view_channel", Reason.NO_PERMISSION)],
)
async def test_a_channel_that_is_closed_to_the_bot_refuses(
    there: Platform, name: str, reason: Reason
) -> None:
    forbid(there, **{name: False})

    await fails(there.sender.send(there.to, letter()), DeliveryRefused, reason)

    failed = [check for check in await there.sender.examine(there.to) if not check.ok]
    assert failed
    assert all(check.next_step for check in failed)


async def test_a_full_house_stays_below_discords_limits(there: Platform) -> None:
    assert isinstance(there.sender, DiscordSender)
    there.server.global_limit, there.server.channel_limit = GLOBAL, PER_CHANNEL
    sender = DiscordSender(there.sender.client, TOKEN, now=there.clock)
    places = [Destination("discord", str(CHANNEL + n)) for n in range(1, 61)]
    for to in places:
        there.server.add_channel(int(to.channel))

    async def lane(to: Destination) -> None:
        async with sender.turn(to):
            await sender.send(to, letter(f"{to}"))

    await asyncio.gather(*map(lane, places))

    assert there.server.rate_limited == 0
    assert requests(there, "messages.create") == 60


async def test_a_channel_that_is_no_number_is_refused_without_asking(there: Platform) -> None:
    for channel in ("#alerts", "", "²", "1" * 30):
        to = Destination("discord", channel)
        await fails(there.sender.send(to, letter()), DeliveryRefused, Reason.CHANNEL_GONE)
        (check,) = await there.sender.examine(to)
        assert check.next_step
    assert requests(there) == 0


WORDS = {
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
    "create_public_threads": "Create Public Threads",
    "send_messages_in_threads": "Send Messages in Threads",
}


@pytest.mark.parametrize("name", WORDS)
async def test_a_missing_permission_is_named_with_what_to_do(there: Platform, name: str) -> None:
    forbid(there, **{name: False})
    before = len(there.server.messages(CHANNEL))

    (check,) = [check for check in await there.sender.examine(there.to) if not check.ok]

    assert check.name == WORDS[name]
    assert "without it" in check.seen
    assert WORDS[name] in check.next_step
    assert len(there.server.messages(CHANNEL)) == before
