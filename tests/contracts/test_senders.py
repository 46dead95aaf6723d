"""The promises of the Sender port, held against every adapter: the same tests for all of them.

Real libraries talk to local servers that keep the platforms' traps.
"""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import discord
import pytest
import slack_sdk.errors

from alerts.model import Receipt
from bot.platforms import discord_errors, network, slack_errors
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)
from tests.contracts.senders import (
    ALL,
    CHART,
    CHATS,
    EDIT,
    HISTORY,
    TOKEN,
    Platform,
    letter,
    requests,
)
from tests.servers import faults
from tests.servers.faults import Fault, Hang, Reset, Status


@pytest.fixture(params=list(ALL))
async def every(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    """Discord, Slack and the terminal."""
    async with ALL[request.param]() as platform:
        yield platform


@pytest.fixture(params=list(CHATS))
async def chat(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    """Discord and Slack."""
    async with CHATS[request.param]() as platform:
        yield platform


@pytest.fixture(params=list(CHATS))
async def hasty(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    """The same, with little patience."""
    async with CHATS[request.param](answer_within_s=0.4) as platform:
        yield platform


async def fails(awaitable: Any, kind: type[DeliveryError]) -> DeliveryError:
    """The error, which is exactly of this kind."""
    with pytest.raises(DeliveryError) as caught:
        await awaitable
    assert type(caught.value) is kind, caught.value
    return caught.value


async def test_a_letter_arrives(every: Platform) -> None:
    receipt = await every.sender.send(every.to, letter())

    assert receipt.message_id
    assert receipt.fallback == ""
    (said,) = every.said()
    assert "XYZQ 6.2× volume −18.2%" in said.text or every.name == "console"
    for part in ("1. XYZQ", "trades 4.8×", "research data, not advice", "data revision 1"):
        assert part in said.whole


async def test_the_same_key_twice_is_one_message(every: Platform) -> None:
    sent, tried = await every.sender.send(every.to, letter()), every.tried()
    every.later(5)
    again = await every.settle(letter(), tried)
    every.later(3600)
    much_later = await every.settle(letter(), tried)

    assert sent.message_id == again.message_id == much_later.message_id
    assert len(every.said()) == 1


async def test_two_keys_are_two_messages(every: Platform) -> None:
    first = await every.sender.send(every.to, letter("a"))
    second = await every.sender.send(every.to, letter("b"))

    assert first.message_id != second.message_id
    assert len(every.said()) == 2


async def test_what_never_arrived_is_not_found(every: Platform) -> None:
    await every.sender.send(every.to, letter("other"))
    tried = every.tried()
    every.later(3600)

    assert await every.sender.find(every.to, letter(), tried) is None


UNCLEAR = {
    "a reset": (Reset(), Reason.CONNECTION_LOST),
    "a polite hang-up": (faults.Truncated(after_bytes=0), Reason.CONNECTION_LOST),
    "503": (faults.html(503), Reason.SERVER_ERROR),
    "half an answer": (faults.Clipped(), Reason.SERVER_ERROR),
    "a page instead": (faults.html(200), Reason.SERVER_ERROR),
    "408": (Status(408), Reason.SERVER_ERROR),
}


@pytest.mark.parametrize("case", UNCLEAR)
@pytest.mark.parametrize("wait_s", [3.0, 3600.0])
async def test_an_answer_that_is_lost_makes_no_second_message(
    chat: Platform, case: str, wait_s: float
) -> None:
    fault, reason = UNCLEAR[case]
    chat.server.faults.add(fault, on=chat.create)
    tried = chat.tried()
    error = await fails(chat.sender.send(chat.to, letter()), DeliveryAmbiguous)
    assert error.reason is reason
    assert error.__cause__ is not None
    chat.later(wait_s)

    receipt = await chat.settle(letter(), tried)

    assert len(chat.said()) == 1
    edited = await chat.sender.edit(chat.to, receipt, letter("edit", "changed"))
    assert edited.message_id == receipt.message_id
    assert "changed" in chat.said()[0].text


async def test_silence_after_acceptance_is_ambiguous_and_found(hasty: Platform) -> None:
    hasty.server.faults.add(Hang(), on=hasty.create)
    tried = hasty.tried()
    error = await fails(hasty.sender.send(hasty.to, letter()), DeliveryAmbiguous)
    assert error.reason is Reason.NO_ANSWER
    hasty.later(600)

    assert await hasty.sender.find(hasty.to, letter(), tried) is not None
    assert len(hasty.said()) == 1


async def test_a_look_that_fails_is_done_again_later(hasty: Platform) -> None:
    for fault in (Hang(), faults.html(503)):
        tried = hasty.tried()
        hasty.later(600)
        hasty.server.faults.add(fault, on=HISTORY[hasty.name])
        await fails(hasty.sender.find(hasty.to, letter(), tried), DeliveryDeferred)


@pytest.mark.parametrize("name", CHATS)
async def test_nobody_at_the_address_is_surely_not_there(name: str) -> None:
    async with CHATS[name](url="http://127.0.0.1:9/api/") as platform:
        for _ in range(2):
            error = await fails(platform.sender.send(platform.to, letter()), DeliveryDeferred)
            assert error.reason is Reason.UNREACHABLE
        (check, *_) = await platform.sender.examine(platform.to)
        assert not check.ok
        assert check.next_step


def limited(seconds: int) -> Fault:
    body = {"ok": False, "error": "ratelimited", "retry_after": seconds, "message": "slowly"}
    told = {"Retry-After": str(seconds), "Via": "1.1 google"}
    return Status(429, json.dumps(body).encode(), "application/json", told)


async def test_a_rate_limit_is_deferred_by_what_was_asked_for(chat: Platform) -> None:
    await chat.sender.send(chat.to, letter("first"))
    chat.server.before.add(limited(37), on=chat.create)

    error = await fails(chat.sender.send(chat.to, letter()), DeliveryDeferred)

    assert error.reason is Reason.RATE_LIMITED
    assert isinstance(error, DeliveryDeferred)
    assert error.retry_after_s == 37
    assert len(chat.said()) == 1
    if chat.name == "slack":
        # Slack's limits are of the whole workspace: nobody asks it anything meanwhile.
        before = requests(chat)
        error = await fails(chat.sender.send(chat.to, letter()), DeliveryDeferred)
        assert isinstance(error, DeliveryDeferred)
        assert 35 < (error.retry_after_s or 0) <= 37
        assert requests(chat) == before


async def test_an_edit_changes_the_message_and_makes_no_second_one(chat: Platform) -> None:
    receipt = await chat.sender.send(chat.to, letter())
    for _ in range(2):
        edited = await chat.sender.edit(chat.to, receipt, letter("edit", "revision two"))
        assert edited.message_id == receipt.message_id
    (said,) = chat.said()
    assert "revision two" in said.text
    assert "digest:" not in said.whole


async def test_an_edit_of_a_deleted_message_is_refused(chat: Platform) -> None:
    receipt = await chat.sender.send(chat.to, letter())
    chat.server.messages(_channel(chat))[0].deleted = True

    error = await fails(chat.sender.edit(chat.to, receipt, letter("edit")), DeliveryRefused)

    assert error.reason is Reason.MESSAGE_GONE


async def test_an_unclear_edit_may_be_done_again(chat: Platform) -> None:
    receipt = await chat.sender.send(chat.to, letter())
    chat.server.faults.add(Reset(), on=EDIT[chat.name])
    await fails(chat.sender.edit(chat.to, receipt, letter("edit", "new")), DeliveryAmbiguous)
    await chat.sender.edit(chat.to, receipt, letter("edit", "new"))

    assert [said.text for said in chat.said()] == ["new"]


async def test_anchored_letters_land_in_the_thread(chat: Platform) -> None:
    digest = await chat.sender.send(chat.to, letter())
    for key in ("details", "correction"):
        await chat.sender.send(chat.to, letter(key, anchor=digest))

    assert [said.text.split(":")[0] for said in chat.threads(digest)] == ["details", "correction"]
    assert len(chat.said()) == 1


async def test_a_letter_lost_in_a_thread_is_found_there(chat: Platform) -> None:
    digest = await chat.sender.send(chat.to, letter())
    for n, wait_s in enumerate((3.0, 3600.0)):
        lost, tried = letter(f"lost {n}", anchor=digest), chat.tried()
        await chat.sender.send(chat.to, letter(f"before {n}", anchor=digest))
        chat.server.faults.add(Reset(), on=chat.create)
        await fails(chat.sender.send(chat.to, lost), DeliveryAmbiguous)
        chat.later(wait_s)
        await chat.settle(lost, tried)

    assert len(chat.threads(digest)) == 4


async def test_a_revoked_token_stops_all_requests(chat: Platform) -> None:
    receipt, tried = await chat.sender.send(chat.to, letter()), chat.tried()
    chat.server.revoke(TOKEN)
    chat.later(600)
    error = await fails(chat.sender.send(chat.to, letter("b")), DeliveryRefused)
    assert error.reason is Reason.TOKEN_REFUSED
    before = requests(chat)

    await fails(chat.sender.send(chat.to, letter("b")), DeliveryRefused)
    await fails(chat.sender.edit(chat.to, receipt, letter("b")), DeliveryRefused)
    # What was tried before may be there all the same.
    error = await fails(chat.sender.find(chat.to, letter(), tried), DeliveryAmbiguous)
    assert error.reason is Reason.LOOK_UP_IMPOSSIBLE
    (check,) = await chat.sender.examine(chat.to)
    assert (check.name, check.ok) == ("token", False)
    assert requests(chat) == before


@pytest.mark.parametrize("name", CHATS)
async def test_a_token_that_was_never_good_is_refused_once(name: str) -> None:
    async with CHATS[name]() as platform:
        platform.server.revoke(TOKEN)
        for _ in range(3):
            error = await fails(platform.sender.send(platform.to, letter()), DeliveryRefused)
            assert error.reason is Reason.TOKEN_REFUSED
        assert requests(platform) == 1


async def test_a_deleted_channel_is_refused(chat: Platform) -> None:
    chat.server.delete_channel(_channel(chat))

    error = await fails(chat.sender.send(chat.to, letter()), DeliveryRefused)

    assert error.reason is Reason.CHANNEL_GONE
    checks = await chat.sender.examine(chat.to)
    assert [check.name for check in checks if not check.ok] == ["channel"]


async def test_a_picture_arrives_with_its_words(chat: Platform) -> None:
    receipt = await chat.sender.send(chat.to, letter(pictures=(CHART,)))

    assert receipt.fallback == ""
    assert chat.said()[0].pictures == ((CHART.png, CHART.alt),)


async def test_a_refused_layout_goes_out_as_plain_text(chat: Platform) -> None:
    chat.server.before.add(refused_layout(chat), on=chat.create)

    receipt = await chat.sender.send(chat.to, letter())

    assert receipt.fallback
    (said,) = chat.said()
    assert "trades 4.8×" in said.text
    assert "research data, not advice" in said.text
    # It is known by its key all the same.
    tried = chat.tried()
    chat.later(600)
    assert await chat.sender.find(chat.to, letter(), tried) == Receipt(receipt.message_id)


async def test_a_message_refused_as_text_too_is_rejected(chat: Platform) -> None:
    chat.server.before.always(refused_layout(chat), on=chat.create)

    error = await fails(chat.sender.send(chat.to, letter()), DeliveryRefused)

    assert error.reason is Reason.MESSAGE_REJECTED
    assert requests(chat, chat.create) == 2


async def test_an_edit_that_is_refused_for_its_layout_is_plain_text(chat: Platform) -> None:
    receipt = await chat.sender.send(chat.to, letter())
    chat.server.before.add(refused_layout(chat), on=EDIT[chat.name])

    edited = await chat.sender.edit(chat.to, receipt, letter("edit", "new"))

    assert edited.fallback
    (said,) = chat.said()
    assert said.text.startswith("EOD anomalies")
    assert "'embeds'" not in said.whole
    assert said.whole.count("trades 4.8×") == 1


def refused_layout(platform: Platform) -> Fault:
    if platform.name == "discord":
        body = {"code": 50035, "message": "Invalid Form Body", "errors": {}}
        return Status(400, json.dumps(body).encode(), "application/json")
    body = {
        "ok": False,
        "error": "invalid_blocks",
        "errors": ["something [json-pointer:/blocks/0]"],
    }
    return Status(200, json.dumps(body).encode(), "application/json")


async def test_all_that_a_good_channel_needs_is_there(every: Platform) -> None:
    before = len(every.said())
    checks = await every.sender.examine(every.to)

    assert checks
    assert all(check.ok and check.seen and not check.next_step for check in checks)
    assert len(every.said()) == before


async def test_a_token_is_in_no_text(chat: Platform, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []

    async def noted(awaitable: Any) -> None:
        try:
            await awaitable
        except DeliveryError as error:
            seen: BaseException | None = error
            while seen is not None:
                texts.append(f"{seen} {seen!r} {getattr(seen, 'seen', '')}")
                seen = seen.__cause__ or seen.__context__

    for fault in (Reset(), faults.html(503), refused_layout(chat), limited(99)):
        chat.server.before.add(fault, on=chat.create)
        await noted(chat.sender.send(chat.to, letter(pictures=(CHART,))))
    chat.server.revoke(TOKEN)
    await noted(chat.sender.send(chat.to, letter()))
    texts += [f"{check}" for check in await chat.sender.examine(chat.to)]

    assert len(texts) > 3
    assert TOKEN not in "".join(texts) + caplog.text


def _channel(platform: Platform) -> Any:
    channel = platform.to.channel
    return int(channel) if platform.name == "discord" else channel


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_exception_of_discord_py_is_thought_of() -> None:
    known = {*discord_errors.TRANSLATED, *discord_errors.NEVER_HERE}
    there = {e for e in subclasses(discord.DiscordException) if e.__module__.startswith("discord.")}
    ext = {e for e in there if e.__module__.startswith("discord.ext.")}
    assert there - ext - known == set()
    for kind in known:
        assert isinstance(discord_errors.translated(bare(kind)), DeliveryError)


def test_every_exception_of_slack_sdk_is_thought_of() -> None:
    known = {*slack_errors.TRANSLATED, *slack_errors.NEVER_HERE}
    there = set(subclasses(slack_sdk.errors.SlackClientError))
    assert there - known == set()
    for kind in known:
        assert isinstance(slack_errors.translated(bare(kind)), DeliveryError)


def test_every_exception_of_aiohttp_is_translated_and_only_kinds_are_told() -> None:
    for kind in subclasses(aiohttp.ClientError):
        error = network.translated(kind.__new__(kind))
        assert error.seen.endswith(kind.__name__)
        before = issubclass(kind, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
        before &= not issubclass(kind, aiohttp.RedirectClientError)
        assert not before or isinstance(error, DeliveryDeferred)


class Answered:
    """As much of an answer as an exception carries."""

    def __init__(self) -> None:
        self.status, self.status_code, self.reason = 400, 400, "Bad Request"
        self.headers: dict[str, str] = {}
        self.data = {"ok": False, "error": "something new"}


def bare(kind: type[BaseException]) -> BaseException:
    """One of its kind, with an answer where it carries one."""
    error = kind.__new__(kind)
    for name, value in (
        *(("response", Answered()), ("status", 400), ("code", 0), ("text", "no")),
        ("retry_after", 3.0),
    ):
        setattr(error, name, value)
    return error
