"""The one way in: once each, at a pace, by permission; buttons and shared answers outlive us."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from alerts.buttons import actions_of
from alerts.model import ChartOf, File, Message, Picture
from alerts.outbox import MESSAGE
from bot.answers import Answer, do_id, share_id
from bot.app import App
from bot.pace import Pace
from bot.permissions import Asker, Operators, Power
from bot.reception import _written
from tests.bot.small_market import STORED, at
from tests.market import NOW

ANN = Asker("discord", "1", "456")
BOSS = Asker("discord", "9", "456", manages=True)
LINE = "ticker {} " + str(STORED[-1]) + " text"


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[App]:
    async with at(folder) as opened:
        yield opened


async def typed(app: App, once: str, line: str, asker: Asker = ANN) -> Answer:
    """What is answered to something that was never here before."""
    answer = await app.reception.typed(once, asker, line)
    assert answer is not None
    return answer


async def pressed(app: App, once: str, button: str, asker: Asker = ANN) -> Answer:
    """What a click is answered."""
    answer = await app.reception.pressed(once, asker, button)
    assert answer is not None
    return answer


async def a_line(app: App) -> str:
    """A ticker that the newest digest has."""
    return (await app.commands.digests.report(STORED[-1])).pushed[0].ticker


async def test_an_id_is_carried_out_once(app: App, folder: Path) -> None:
    first = await typed(app, "discord:1", "watch add ZVZZT")
    assert not first.public
    assert await app.reception.typed("discord:1", ANN, "watch add ZVZZT") is None
    assert await app.reception.pressed("discord:1", ANN, "do:0") is None
    async with at(folder) as again:
        assert await again.reception.typed("discord:1", ANN, "watch") is None, "after a restart"
        assert await again.reception.typed("slack:1", ANN, "watch") is not None


async def test_two_copies_at_once_are_one(app: App) -> None:
    copies = [app.reception.typed("discord:1", ANN, "help") for _ in range(5)]
    answers = await asyncio.gather(*copies)
    assert sum(answer is not None for answer in answers) == 1


async def test_buttons_mean_the_same_after_a_restart(app: App, folder: Path) -> None:
    line = await a_line(app)
    digest = await typed(app, "discord:1", "anomalies")
    keys = [action.key for action in actions_of(digest.message)]
    assert len(set(keys)) == len(keys) > 4
    (option,) = (o for o in digest.message.menus[0].options if o.command == LINE.format(line))
    async with at(folder) as again:
        card = await pressed(again, "discord:2", do_id(option.key))
        assert card.message.lead.startswith(line)
        labels = [action.label for action in card.message.actions]
        assert labels == ["Chart", "Why", "Mute for me", "Watch", "Useful", "Noise"]


async def test_every_click_is_a_command_that_is_understood(app: App) -> None:
    digest = await typed(app, "discord:1", "anomalies")
    card = await pressed(app, "discord:2", do_id(digest.message.menus[0].options[0].key))
    for n, action in enumerate((*digest.message.actions, *card.message.actions)):
        asker = replace(ANN, user=f"{n}")
        answer = await pressed(app, f"discord:c{n}", do_id(action.key), asker)
        if action.label == "My watchlist":
            assert "You watch nothing yet" in answer.message.lead
        else:
            assert answer.share, f"{action.command}: {answer.message.lead}"


async def test_an_unknown_button_says_so(app: App) -> None:
    for n, button in enumerate(("do:", "do:00", "share:00", "what:1", "", "alert:1")):
        answer = await pressed(app, f"discord:{n}", button)
        assert "not known" in answer.message.lead or "cannot be shared" in answer.message.lead


async def test_what_was_answered_is_what_is_shared_and_by_nobody_else(
    app: App, folder: Path
) -> None:
    watched = await typed(app, "discord:1", f"watch add {await a_line(app)}")
    async with at(folder) as again:
        other = await pressed(again, "discord:2", share_id(watched), replace(ANN, user="2"))
        assert "cannot be shared" in other.message.lead
        shared = await pressed(again, "discord:3", share_id(watched))
        assert shared.public
        assert not shared.share
        assert shared.message.lead == f"{watched.message.lead} (shared by discord:@1)"
        assert shared.message.rows == watched.message.rows


async def test_a_refusal_has_nothing_to_share(app: App) -> None:
    assert not (await typed(app, "discord:1", "ticker ....")).share


async def test_what_is_for_operators_is_refused_in_a_sentence_and_on_record(app: App) -> None:
    refused = await typed(app, "discord:1", "unsubscribe")
    assert refused.message.lead == (
        "/unsubscribe is for operators; ask one of them (whoever may manage the server is one,"
        " or DISCORD_OPERATORS names them)"
    )
    done = await typed(app, "discord:2", "mute label:volume", BOSS)
    assert "is muted in this channel" in done.message.lead
    await typed(app, "discord:3", "help")
    # A mistake of somebody who may is no refusal.
    wrong = await typed(app, "discord:4", "mute NO-SUCH", BOSS)
    rows = await app.db.rows("SELECT who, place, command, allowed, outcome FROM audit ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("discord:@1", "discord:456", "/unsubscribe", 0, refused.message.lead),
        ("discord:@9", "discord:456", "/mute label:volume", 1, "done"),
        ("discord:@9", "discord:456", "/mute NO-SUCH", 1, wrong.message.lead),
    ]


@pytest.mark.parametrize(
    ("asker", "power"),
    [
        (Asker("discord", "1", "c"), Power.NONE),
        (Asker("discord", "1", "c", manages=True, server="5"), Power.NONE),
        (Asker("discord", "7", "c"), Power.EVERYWHERE),
        (Asker("discord", "1", "c", frozenset({"8"})), Power.EVERYWHERE),
        (Asker("slack", "U7", "C1"), Power.NONE),
        (Asker("slack", "7", "C1"), Power.NONE),
    ],
)
def test_operators_are_those_who_are_named(asker: Asker, power: Power) -> None:
    assert Operators({"discord": frozenset({"7", "8"})}, "5").power(asker) is power


@pytest.mark.parametrize(
    ("home", "server", "power"),
    [("5", "5", Power.EVERYWHERE), ("5", "6", Power.HERE), (None, "5", Power.HERE)],
)
def test_whoever_manages_a_server_is_one_there_and_of_the_home_server_everywhere(
    home: str | None, server: str, power: Power
) -> None:
    nobody = Operators({"discord": frozenset(), "slack": frozenset()}, home)
    assert nobody.power(Asker("discord", "1", "c", manages=True, server=server)) is power
    assert nobody.power(Asker("discord", "1", "c", server=server)) is Power.NONE
    assert nobody.power(Asker("slack", "U1", "C1")) is Power.NONE


@pytest.mark.parametrize(
    "line",
    [
        "subscribe slack:C0123ABCDEF top:1",
        "mute discord:123456789012345678 label:volume",
        "backfill run 2026-01-05 2026-01-06",
        "backfill stop",
        "outbox drop 1",
    ],
)
async def test_the_word_of_a_strangers_manager_reaches_no_further_than_their_channel(
    app: App, line: str
) -> None:
    answer = await typed(app, "discord:1", line, BOSS)
    assert "reaches beyond this server" in answer.message.lead
    (row,) = await app.db.rows("SELECT allowed FROM audit")
    assert row["allowed"] == 0


async def test_an_answer_is_shared_once_unless_it_did_not_get_there(app: App) -> None:
    answer = await typed(app, "discord:1", "mutes")
    first = await pressed(app, "discord:2", share_id(answer))
    assert first.public
    assert (await pressed(app, "discord:3", share_id(answer))).message.lead == (
        "This answer is shared already; if it is not there, ask, and share that."
    )
    await app.reception.not_shared(first)
    assert (await pressed(app, "discord:4", share_id(answer))).public


async def test_an_answer_that_another_version_wrote_is_too_old(app: App) -> None:
    answer = await typed(app, "discord:1", "mutes")
    async with app.db.transaction() as writer:
        await writer.execute("UPDATE replies SET message = '{}'")
    said = await pressed(app, "discord:2", share_id(answer))
    assert "cannot be shared any more" in said.message.lead


async def test_a_person_who_asks_too_much_is_told_when_to_go_on(app: App) -> None:
    answers = [await typed(app, f"discord:{n}", "mutes") for n in range(12)]
    assert "That is a lot at once from you" in answers[-1].message.lead
    assert answers[9].share
    other = await typed(app, "discord:other", "mutes", replace(ANN, user="2"))
    assert other.share, "others are not held up"


async def test_a_channel_that_asks_too_much_is_told_too(app: App) -> None:
    app.reception.per_channel = Pace(2, 60.0)
    askers = [replace(ANN, user=str(n)) for n in range(3)]
    answers = [await typed(app, f"discord:{a.user}", "mutes", a) for a in askers]
    assert "from this channel" in answers[-1].message.lead
    elsewhere = await typed(app, "discord:x", "mutes", Asker("discord", "1", "789"))
    assert elsewhere.share


def test_a_bucket_fills_while_nobody_asks() -> None:
    clock = [0.0]
    pace = Pace(2, 3.0, clock=lambda: clock[0])
    assert [pace.wait_s("a") for _ in range(3)] == [0.0, 0.0, 3.0]
    clock[0] = 2.0
    assert pace.wait_s("a") == pytest.approx(1.0)
    clock[0] = 3.0
    assert pace.wait_s("a") == 0.0
    assert pace.wait_s("b") == 0.0


async def test_a_very_long_command_is_refused(app: App) -> None:
    answer = await typed(app, "discord:1", "ticker " + "A" * 10_000)
    assert answer.message.lead == "That is 10,007 characters; a command has at most 4,000"


async def test_pictures_are_drawn_or_missed_in_a_word(app: App) -> None:
    line = await a_line(app)

    async def draw(of: ChartOf) -> Picture:
        return Picture(of.ticker.encode(), "alt")

    async def fail(of: ChartOf) -> Picture:
        raise ValueError(of.ticker)

    app.reception.draw = draw
    answer = await typed(app, "discord:1", f"ticker {line}")
    assert [picture.png for picture in answer.pictures] == [line.encode()]
    app.reception.draw = fail
    missed = await typed(app, "discord:2", f"ticker {line} chart")
    assert missed.pictures == ()
    assert "its picture cannot be drawn" in missed.message.banners


async def test_a_picture_is_drawn_beside_the_loop(app: App) -> None:
    answer = await typed(app, "discord:1", f"ticker {await a_line(app)} chart")
    (picture,) = answer.pictures
    assert picture.png.startswith(b"\x89PNG")
    assert answer.message.banners == ()


async def test_what_is_old_is_forgotten(app: App) -> None:
    kept = await typed(app, "discord:1", "mutes")
    app.reception.now = lambda: NOW + timedelta(days=8)
    await typed(app, "discord:2", "mutes")
    # Not the id itself: one may be an address at which whoever has it may answer.
    ids = [sha256(b"discord:2").hexdigest()]
    assert [row["id"] for row in await app.db.rows("SELECT id FROM handled")] == ids
    assert "cannot be shared" in (await pressed(app, "discord:3", share_id(kept))).message.lead


async def test_of_one_person_only_the_newest_answers_are_kept(app: App) -> None:
    app.reception.per_person = app.reception.per_channel = Pace(10_000, 0.001)
    others = await typed(app, "discord:0", "mutes", replace(ANN, user="2"))
    asked = [await typed(app, f"discord:{n}", "mutes") for n in range(1, 54)]
    rows = await app.db.rows("SELECT key FROM replies WHERE who = 'discord:@1' ORDER BY rowid")
    assert [row["key"] for row in rows] == [answer.share for answer in asked[-50:]]
    said = await pressed(app, "discord:old", share_id(asked[0]))
    assert "cannot be shared any more" in said.message.lead
    assert (await pressed(app, "discord:new", share_id(asked[3]))).public
    other = await pressed(app, "discord:other", share_id(others), replace(ANN, user="2"))
    assert other.public


def test_a_very_long_answer_is_kept_without_its_files_and_says_so_or_not_at_all() -> None:
    small, large = File("s.csv", "a,b\n"), File("l.csv", "a,b\n" * 30_000)
    kept = MESSAGE.validate_json(_written(Message("", "here", files=(small,))))
    assert kept.files == (small,)
    without = MESSAGE.validate_json(_written(Message("", "here", files=(large,))))
    assert without.files == ()
    assert without.footer == ("l.csv: too long to be shared; whoever asks for it gets it",)
    assert _written(Message("", "x" * 100_001)) == ""
