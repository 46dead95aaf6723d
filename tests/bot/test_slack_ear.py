"""Slack asked and answered, end to end: the real slack-bolt, a local Slack, a stored market."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.commands import Commands
from bot.permissions import Operators
from bot.platforms.slack_words import declared
from bot.reception import Reception
from core.db import Db
from tests.bot.hostile import MARKUP
from tests.bot.slack_desk import (
    ALICE,
    BOB,
    CHANNEL,
    MODES,
    Slack,
    button,
    desk,
    local_slack,
    read,
    serving,
)
from tests.bot.small_market import at, stored_market
from tests.servers.slack_asked import Asked
from tests.servers.slack_http import Signing
from tests.servers.slack_rules import problems
from tests.shared import Shared

GROUP = "S0OPERATORS"
WORDS = {
    "ticker": "QWOH 30",
    "why": "QWOH",
    "preview": "min:5",
    "watch": "add QWOH",
    "mute": "QWOH mine",
    "outbox": "",
    "source": "status",
    "backfill": "status",
    "config": "show",
}


@pytest.fixture
def stored(shared: Shared, tmp_path: Path) -> Path:
    """A market of its own for each test."""
    return stored_market(shared, tmp_path / "data")


async def seen(asked: Asked) -> str:
    """What somebody reads first."""
    return read((await asked.answered(10.0)).body)


async def answered_blocks(asked: Asked) -> list[dict[str, Any]]:
    """The blocks of the first answer."""
    return list((await asked.answered(10.0)).body["blocks"])


@pytest.mark.parametrize("mode", MODES)
async def test_a_command_is_acknowledged_at_once_and_answered_to_one_person(
    stored: Path, mode: str
) -> None:
    async with desk(stored, mode) as slack:
        asked = await slack.server.command("/ticker", "QWOH")
        assert await asked.acknowledged() == {}
        shown = await asked.answered(10.0)
    assert asked.ack_took_s < 0.25
    assert shown.body["response_type"] == "ephemeral"
    assert "QWOH $3.21" in read(shown.body)
    assert (asked.refusals, asked.messages, asked.acks) == ([], [], 1)


@pytest.mark.parametrize("mode", MODES)
async def test_the_ack_does_not_wait_for_work_that_is_slow(stored: Path, mode: str) -> None:
    async with desk(stored, mode) as slack:
        async with slack.app.db.transaction():
            asked = await slack.server.command("/ticker", "QWOH")
            await asked.acknowledged(0.5)
            await asyncio.sleep(0.2)
            assert asked.shown == []
        await asked.answered(10.0)


@pytest.mark.parametrize("mode", MODES)
async def test_the_ack_is_not_lost_when_the_work_fails(stored: Path, mode: str) -> None:
    def broken() -> Any:
        raise RuntimeError("the clock is broken")

    async with local_slack() as server, at(stored) as app:
        reception = Reception(app.db, app.commands, Operators(), broken)
        async with serving(server, app, mode, reception=reception):
            asked = await server.command("/ticker", "QWOH")
            await asked.acknowledged(0.5)
            again = await server.command("/nonsense")
            await again.acknowledged(0.5)


async def test_a_fault_of_the_database_is_answered_as_ours(stored: Path) -> None:
    async with local_slack() as server, at(stored) as app, Db.open(stored / "other.db") as db:
        async with db.transaction() as writer:
            await writer.execute("DROP TABLE handled")
        reception = Reception(db, app.commands, Operators(), app.now)
        async with serving(server, app, reception=reception) as slack:
            assert "failed on our side" in await slack.ask("/ticker QWOH")


@pytest.mark.parametrize("mode", MODES)
async def test_every_command_works_under_each_of_its_names(stored: Path, mode: str) -> None:
    async with desk(stored, mode) as slack:
        for n, name in enumerate(Commands.USAGE):
            words = WORDS.get(name, "")
            for command, text in (
                (declared(name), words),
                ("/tapewatch", f"{name} {words}"),
            ):
                # Each asks for himself: how much one person may ask is another test's business.
                asked = await slack.server.command(command, text, user_id=f"U0N{n}")
                answer = await seen(asked)
                assert "There is no command" not in answer, name
                assert "failed on our side" not in answer, name
                assert asked.refusals == []
        bare = await slack.server.command("/tapewatch", "", user_id="U0BARE")
        assert "What can be asked" in await seen(bare)
        listed = await slack.server.command("/tw-help", "", user_id="U0HELP")
        assert "/tw-mute" in await seen(listed)
        assert not re.search(r"(?<![\w-])/(mute|help|feedback)\b", await seen(listed))


async def test_wrong_things_are_answered_with_what_would_be_right(stored: Path) -> None:
    async with desk(stored) as slack:
        for text, answer in (
            ("/tapewatch tikcer QWOH", "did you mean /ticker?"),
            ("/tapewatch hepl", "did you mean /tw-help?"),
            ("/ticker NOSUCH", "NOSUCH"),
            ("/ticker <http://qwoh|qwoh> *30*", "QWOH"),
            ("/never-declared x", "There is no command"),
        ):
            assert answer in await slack.ask(text, user_id=f"U{len(slack.server.asked)}")


async def test_hostile_words_are_shown_and_do_nothing(stored: Path) -> None:
    # One after another: they are answered with what was typed.
    hostile = [m for m in MARKUP.elements if m.strip()]  # type: ignore[attr-defined]
    async with desk(stored) as slack:
        for n, text in enumerate(hostile):
            asked = await slack.server.command("/ticker", text, user_id=f"U0{n}")
            shown = await asked.answered(10.0)
            assert asked.refusals == []
            if shown.how == "view":  # nothing is left of it
                continue
            body = shown.body
            sent = {k: v for k, v in body.items() if k in ("text", "blocks")}
            assert problems(sent) == []
            assert not re.search(r"<(?![#@][UCW])", str(body["text"])), text


async def test_nobody_is_mentioned_by_what_others_share(stored: Path) -> None:
    hostile = [m for m in MARKUP.elements if "@" in m]  # type: ignore[attr-defined]
    async with desk(stored) as slack:
        for n, text in enumerate(hostile):
            who = f"U0{n}"
            await slack.ask(f"/tw-mute QWOH mine because {text} {text}", user_id=who)
            asked = await slack.server.command("/mutes", user_id=who)
            share = button(await answered_blocks(asked), "Share")
            pressed = await slack.server.press(asked.ephemerals[0], share["action_id"])
            await pressed.answered(10.0, count=2)
            (shared,) = pressed.messages
            assert "QWOH" in read({"blocks": shared.blocks})
            assert "<@" not in f"{shared.text} {shared.blocks}", text


async def test_an_example_of_a_channel_is_no_link(stored: Path) -> None:
    async with desk(stored) as slack:
        assert "slack:C0123ABCDEF" in await slack.ask("/unsubscribe slack:alerts")


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_can_be_shared_once_and_then_says_so(stored: Path, mode: str) -> None:
    async with desk(stored, mode) as slack:
        asked = await slack.server.command("/ticker", "QWOH text")
        share = button(await answered_blocks(asked), "Share")
        source = asked.ephemerals[0]
        pressed = await slack.server.press(source, share["action_id"])
        await pressed.answered(10.0, count=2)
        (shared,) = pressed.messages
        assert "QWOH $3.21" in read({"text": shared.text, "blocks": shared.blocks})
        assert "shared by @alice" in read({"blocks": shared.blocks})
        assert "<@" not in str(shared.blocks)
        assert (source.text, source.blocks) == ("Shared.", [])
        assert pressed.refusals == []


async def test_only_who_asked_may_share(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/ticker", "QWOH text")
        share = button(await answered_blocks(asked), "Share")
        pressed = await slack.server.press(asked.ephemerals[0], share["action_id"], user_id=BOB)
        assert "cannot be shared any more" in await seen(pressed)
        assert pressed.messages == []


@pytest.mark.parametrize("mode", MODES)
async def test_buttons_and_menus_type_commands_also_after_a_restart(
    stored: Path, mode: str
) -> None:
    async with local_slack() as server, at(stored) as app:
        async with serving(server, app, mode):
            asked = await server.command("/anomalies", "today")
            blocks = await answered_blocks(asked)
        async with at(stored) as later, serving(server, later, mode):
            raw = button(blocks, "Show raw")
            pressed = await server.press(asked.ephemerals[0], raw["action_id"])
            assert "raw" in (await seen(pressed)).lower()
            menu = next(e for b in blocks if b["type"] == "actions" for e in b["elements"])
            chosen = menu["options"][0]
            picked = await server.press(
                asked.ephemerals[0], menu["action_id"], value=chosen["value"]
            )
            ticker = chosen["text"]["text"].split()[-1]
            assert ticker in await seen(picked)
            assert picked.ephemerals
            assert asked.ephemerals[0].text != "Shared."


async def test_a_button_that_nobody_knows_any_more_says_so(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/ticker", "QWOH text")
        why = button(await answered_blocks(asked), "Why")
        async with slack.app.db.transaction() as writer:
            await writer.execute("DELETE FROM buttons")
        pressed = await slack.server.press(asked.ephemerals[0], why["action_id"])
        assert "not known here any more. /tw-help lists" in await seen(pressed)


@pytest.mark.parametrize("mode", MODES)
async def test_a_mention_is_answered_in_its_thread_and_buttons_there_too(
    stored: Path, mode: str
) -> None:
    async with desk(stored, mode) as slack:
        thread = slack.server.say(CHANNEL, "what about this one?")
        asked = await slack.server.mention("ticker $qwoh text", thread)
        assert "QWOH $3.21" in await seen(asked)
        (shown,) = asked.ephemerals
        assert (shown.thread_ts, shown.user) == (thread, ALICE)
        share = button(shown.blocks, "Share")
        pressed = await slack.server.press(shown, share["action_id"])
        await pressed.answered(10.0, count=2)
        assert pressed.messages[0].thread_ts == thread
        why = await slack.server.mention("why QWOH", thread)
        assert "flagged" in await seen(why)
        pressed = await slack.server.press(
            why.ephemerals[0], button(why.ephemerals[0].blocks, "Chart")["action_id"]
        )
        await seen(pressed)
        assert pressed.ephemerals[0].thread_ts == thread


async def test_a_mention_alone_asks_for_help(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.mention("")
        assert "What can be asked" in await seen(asked)
        assert asked.ephemerals[0].thread_ts is None


async def settled(slack: Slack, *asked: Asked) -> int:
    """How many answers there are when all that was asked is answered."""
    for each in asked:
        await each.acknowledged()
    await slack.ask("/source status", user_id="U0LAST")
    return sum(len(each.shown) for each in asked)


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_delivered_twice_is_answered_once_also_over_a_restart(
    stored: Path, mode: str
) -> None:
    async with local_slack() as server, at(stored) as app:
        async with serving(server, app, mode) as slack:
            command = await server.command("/ticker", "QWOH text")
            await command.answered(10.0)
            mention = await server.mention("why QWOH")
            await mention.answered(10.0)
            why = button(command.ephemerals[0].blocks, "Why")
            pressed = await server.press(command.ephemerals[0], why["action_id"])
            await pressed.answered(10.0)
            all_asked = (command, mention, pressed)
            again = [await server.redeliver(a, same_envelope=True) for a in all_asked]
            assert await settled(slack, *all_asked, *again) == 3
        async with at(stored) as later, serving(server, later, mode) as slack:
            again = [await server.redeliver(a, retry_attempt=2) for a in all_asked]
            assert await settled(slack, *all_asked, *again) == 3


async def test_who_asks_too_much_is_told_to_wait(stored: Path) -> None:
    async with desk(stored) as slack:
        answers = [await slack.ask("/source") for _ in range(12)]
        assert sum("a lot at once from you" in answer for answer in answers) == 2
        assert "a lot at once" not in await slack.ask("/source", user_id=BOB)


async def test_members_of_a_user_group_are_operators(stored: Path) -> None:
    async with local_slack() as server, at(stored) as app:
        server.people.usergroups[GROUP] = [ALICE]
        operators = Operators({"slack": frozenset({GROUP})})
        reception = Reception(app.db, app.commands, operators, app.now)
        async with serving(server, app, reception=reception, groups=(GROUP,)) as slack:
            assert "for operators" not in await slack.ask("/unsubscribe")
            assert "for operators" in await slack.ask("/unsubscribe", user_id=BOB)
            asked = await slack.server.command("/unsubscribe", "form")
            assert (await asked.answered()).how == "view"
            assert "for operators" in await slack.ask("/unsubscribe form", user_id=BOB)
            looks = [r for r in server.requests if r.operation == "usergroups.users.list"]
            assert len(looks) == 1


async def test_a_group_that_cannot_be_looked_up_makes_nobody_an_operator(stored: Path) -> None:
    async with local_slack() as server, at(stored) as app:
        operators = Operators({"slack": frozenset({GROUP})})
        reception = Reception(app.db, app.commands, operators, app.now)
        async with serving(server, app, reception=reception, groups=(GROUP,)):
            asked = await server.command("/unsubscribe")
            await asked.acknowledged(0.5)
            said = await seen(asked)
            assert "for operators" in said
            assert f"Slack does not say who is in user group {GROUP}" in said


@pytest.mark.parametrize("signing", [Signing(secret="wrong"), Signing(age_s=301)])
async def test_what_is_not_signed_by_slack_now_is_refused(
    stored: Path, signing: Signing, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(stored, "http") as slack:
        asked = await slack.server.command("/ticker", "QWOH", signing=signing)
        await asked.settled()
        assert asked.status == 401
        assert asked.shown == []
        assert caplog.text.count("not signed with SLACK_SIGNING_SECRET") == 1
        assert (await slack.server.http.verify_url("abc123"))[0] == 200
        fresh = await slack.server.command("/ticker", "QWOH", signing=Signing(age_s=250))
        await fresh.acknowledged()


_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (_FORM, b"ssl_check=1&token=verif", 200),
        (_FORM, b"ssl_check=1&" + b"a&" * 300, 401),
        (_FORM, b"payload=%7B%7D&not_ssl_check=1", 401),
        (_FORM, b"ssl_check=1&payload=" + b"[" * 200_000, 401),
        (_JSON, b'{"a":"ssl_check=1","b":' + b"[" * 200_000 + b"]" * 200_000 + b"}", 401),
        (_JSON, b"ssl_check=1", 401),
    ],
)
async def test_who_looks_whether_the_address_is_there_gets_nothing_read(
    stored: Path, kind: str, body: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(stored, "http") as slack, aiohttp.ClientSession() as stranger:
        headers = {"Content-Type": kind}
        async with stranger.post(slack.posts_to, data=body, headers=headers) as answer:
            assert answer.status == status
            assert await answer.read() == (b"" if status == 200 else b"not signed")
        assert (await slack.server.http.check_ssl()) == (200, b"")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("body", [b"{", b"payload={", b"[1]", b"\xff\xfe", b"", b"command="])
@pytest.mark.parametrize("when", ["", "soon", "9" * 40, "\u0661"])
async def test_what_strangers_send_is_not_even_read(
    stored: Path, body: bytes, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(stored, "http") as slack, aiohttp.ClientSession() as stranger:
        url = slack.posts_to
        told = {"X-Slack-Request-Timestamp": when, "X-Slack-Signature": "v0=\u00e9"}
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            async with stranger.post(
                url, data=body, headers=told | {"Content-Type": kind}
            ) as answer:
                assert answer.status == 401
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("mode", MODES)
async def test_answers_under_way_arrive_when_it_stops(stored: Path, mode: str) -> None:
    async with desk(stored, mode) as slack:
        async with slack.app.db.transaction():
            asked = await slack.server.command("/ticker", "QWOH text")
            await asked.acknowledged()
            leaving = asyncio.create_task(slack.ear.drain(5.0))
            await asyncio.sleep(0.1)
            assert not leaving.done()
        await leaving
        assert "QWOH" in read(asked.shown[0].body)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "kind", ["shortcut", "message_action", "view_closed", "dialog_submission", "who_knows"]
)
async def test_what_nobody_knows_is_acknowledged_all_the_same(
    stored: Path, mode: str, kind: str
) -> None:
    async with desk(stored, mode) as slack:
        server = slack.server
        asked = Asked("interactive", ALICE, CHANNEL, server.changes)
        who = {"user": {"id": ALICE}, "team": {"id": "T0DESK"}, "channel": {"id": CHANNEL}}
        asked.payload = {"type": kind, "callback_id": "x", "trigger_id": "1.2", **who}
        if kind == "message_action":
            asked.payload["response_url"] = server.hooks.issue(asked, server.url)
        if mode == "http":
            server.http.dispatch(asked, Signing())
        else:
            await server.sockets.dispatch(asked)
        await asked.acknowledged(0.5)
        if kind == "message_action":
            assert "/tw-help" in await seen(asked)


async def test_events_of_others_are_acknowledged_and_left_alone(stored: Path) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.mention("ticker QWOH")
        await asked.answered(10.0)
        for change in (
            {"type": "message"},
            {"bot_id": "B0OTHER"},
            {"edited": {"user": ALICE, "ts": "1.2"}},
        ):
            other = Asked("events_api", ALICE, CHANNEL, slack.server.changes)
            event = asked.payload["event"] | change
            other.payload = asked.payload | {"event": event, "event_id": f"Ev{change}"}
            await slack.server.sockets.dispatch(other)
            await other.acknowledged(0.5)
        await slack.ask("/source", user_id=BOB)
        assert len(slack.server.ephemerals.all) == 2


async def test_a_button_of_the_digest_that_has_a_thread_answers_in_the_channel(
    stored: Path,
) -> None:
    async with desk(stored) as slack:
        asked = await slack.server.command("/anomalies", "today")
        share = button(await answered_blocks(asked), "Share")
        pressed = await slack.server.press(asked.ephemerals[0], share["action_id"])
        await pressed.answered(10.0, count=2)
        (digest,) = pressed.messages
        digest.thread_ts = digest.ts
        slack.server.say(CHANNEL, "look", digest.ts)
        raw = button(digest.blocks, "Show raw")
        clicked = await slack.server.press(digest, raw["action_id"], user_id=BOB)
        await clicked.answered(10.0)
        assert clicked.ephemerals[0].thread_ts is None
        assert clicked.ephemerals[0].user == BOB
        assert digest.blocks


async def test_a_press_and_a_mention_with_less_than_usual_are_answered(stored: Path) -> None:
    # Seen on the real Slack: no address to answer at, no id of the event.
    async with desk(stored) as slack:
        asked = await slack.server.command("/ticker", "QWOH text")
        why = button(await answered_blocks(asked), "Why")
        pressed = await slack.server.press(asked.ephemerals[0], why["action_id"])
        await pressed.answered(10.0)
        bare = Asked("interactive", BOB, CHANNEL, slack.server.changes)
        slack.server.people.name(BOB)
        bare.payload = pressed.payload | {"user": {"id": BOB}, "trigger_id": "1.2.bare"}
        del bare.payload["response_url"], bare.payload["state"]
        slack.server.asked.append(bare)
        await slack.server.sockets.dispatch(bare)
        assert "QWOH was flagged" in await seen(bare)
        assert bare.ephemerals[0].user == BOB
        mention = await slack.server.mention("why QWOH")
        await mention.answered(10.0)
        less = await slack.server.redeliver(mention)
        assert await settled(slack, mention, less) == 1
        nameless = Asked("events_api", ALICE, CHANNEL, slack.server.changes)
        nameless.payload = {k: v for k, v in mention.payload.items() if k != "event_id"}
        slack.server.asked.append(nameless)
        await slack.server.sockets.dispatch(nameless)
        assert "QWOH was flagged" in await seen(nameless)
