"""/subscribe, /unsubscribe, /channels and /outbox, asked rightly and wrongly."""

import asyncio
from collections.abc import AsyncIterator
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.model import Destination, Kind
from alerts.publish import Outbox
from alerts.subscriptions import wants_of
from alerts.wants import QuietHours, Wants
from bot.app import App, opened
from bot.channels import NONE_HERE, wanted_by
from bot.commands import CommandRequest, Reply
from bot.platforms.console import ConsoleSender, render
from bot.requests import ONLY_HERE
from bot.settings import load
from core.bars import Scope
from core.errors import CommandError, DeliveryAmbiguous, DeliveryRefused, Reason
from tests.chat import After, FakePlatform
from tests.fakes import FakeClock
from tests.market import NOW
from tests.records import anomaly, judged

HERE, THERE = "discord:111111111111111111", "slack:C0123ABCDE"
CHANNEL = Destination.parse(HERE)


class Desk:
    """The commands, and the platforms they reach."""

    def __init__(self, app: App, clock: FakeClock) -> None:
        self.app, self.clock = app, clock
        self.discord, self.slack = FakePlatform(), FakePlatform()
        app.senders.update(discord=self.discord, slack=self.slack, console=ConsoleSender(print))

    async def ask(
        self, text: str, *, who: str = "discord:@7", where: str = HERE, operator: bool = True
    ) -> Reply:
        """What somebody is answered."""
        request = CommandRequest.parse(text, who, where, operator=operator)
        return await self.app.commands.answer(request)

    async def told(self, text: str, **how: object) -> str:
        """The answer's first line."""
        return (await self.ask(text, **how)).message.lead  # type: ignore[arg-type]

    async def publish(self, *names: str) -> None:
        """A session into the outbox, and what is due delivered."""
        async with self.app.db.transaction() as writer:
            found = judged(*(anomaly(name) for name in names or ("XYZQ",)))
            await Outbox((), 10)(writer, found, self.clock())
        await self.app.courier.drain()

    async def later(self, minutes: float) -> None:
        """Time goes on, and the courier with it."""
        self.clock.at += timedelta(minutes=minutes)
        await self.app.courier.drain()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Nothing stored, nobody subscribed."""
    clock = FakeClock(NOW)
    settings = await asyncio.to_thread(load, data_dir=tmp_path)
    async with opened(settings, now=clock) as app:
        yield Desk(app, clock)


async def test_a_channel_is_subscribed_told_and_unsubscribed(desk: Desk) -> None:
    said = await desk.ask("/subscribe")
    assert said.message.lead == f"{HERE} is subscribed: every line, with a sound."
    await desk.publish("AAAA")
    assert [post.destination for post in desk.discord.posts] == [CHANNEL]
    assert "no digests any more" in await desk.told("/unsubscribe")
    assert "is not subscribed" in await desk.told("/unsubscribe")


async def test_what_is_wanted_is_what_is_heard(desk: Desk) -> None:
    await desk.ask("/subscribe top:1 silent")
    await desk.publish("AAAA", "BBBB")
    post, details = desk.discord.posts
    assert details.letter.anchor is not None
    assert [row.head.split()[1] for row in post.message.rows] == ["AAAA"]
    assert post.letter.silent


async def test_quiet_hours_hold_a_digest_back_until_they_end(desk: Desk) -> None:
    await desk.ask("/subscribe quiet:17-18 UTC")  # 16:05 UTC now
    await desk.later(60)
    await desk.publish()
    assert desk.discord.posts == []
    assert "quiet hours" in render((await desk.ask("/outbox")).message, 100)
    await desk.later(54)
    assert desk.discord.posts == []
    await desk.later(2)
    assert len(desk.discord.posts) == 1


async def test_new_quiet_hours_let_go_what_the_old_ones_held(desk: Desk) -> None:
    await desk.ask("/subscribe quiet:16-18 UTC")
    await desk.publish()
    assert desk.discord.posts == []
    await desk.ask("/subscribe")
    await desk.app.courier.drain()
    assert len(desk.discord.posts) == 1


async def test_what_a_channel_lacks_is_said_when_it_is_set_up(desk: Desk) -> None:
    desk.discord.history_is_readable = False
    said = (await desk.ask("/subscribe")).message
    assert said.lead.endswith("; 1 thing to mend first.")
    assert said.rows[0].head == "✘ history: as told"


async def test_a_self_test_posts_finds_and_edits_a_message_with_a_picture(desk: Desk) -> None:
    said = (await desk.ask("/channels test")).message
    assert said.lead == f"{HERE}: all checks passed."
    (post,) = desk.discord.posts
    assert post.letter.pictures[0].png.startswith(b"\x89PNG")
    assert "passed: alerts will arrive here" in post.message.lead
    desk.discord.history_is_readable = False
    said = (await desk.ask("/channels test")).message
    assert "2 checks of 4 failed" in said.lead
    desk.discord.failures.append(DeliveryRefused(Reason.NO_PERMISSION, "50013"))
    said = (await desk.ask("/channels test")).message
    assert "no permission: 50013" in said.rows[-1].head


async def test_from_anywhere_a_channel_can_be_named(desk: Desk) -> None:
    typed = CommandRequest.typed(f"/subscribe {THERE} min:extreme silent")
    reply = await desk.app.commands.answer(typed)
    assert reply.message.lead.startswith(f"{THERE} is subscribed: extreme and up")
    assert "Slack has no messages without a sound" in reply.message.banners[0]
    assert (await wants_of(desk.app.db.rows, Destination.parse(THERE))).min_tier == "extreme"


async def test_any_command_can_be_asked_for_another_channel_by_operators(desk: Desk) -> None:
    said = (await desk.ask(f"/subscribe {THERE} watchlist", where=HERE)).message
    assert said.lead.startswith(f"{THERE} is subscribed: watchlist only")
    assert said.banners == (f"this channel's watchlist is empty: /watch {THERE} add TICKER here",)
    refused = await desk.ask(f"/watch {THERE} list here", operator=False)
    assert refused.message.lead == "Asking for another channel is for operators; ask one of them"
    assert "'slack:general': a channel is picked from the list" in await desk.told(
        "/mutes slack:general"
    )


async def test_whoever_names_the_channel_they_are_in_asks_for_no_other(desk: Desk) -> None:
    plain = await desk.ask("/watch list here", operator=False)
    assert plain.ok
    assert await desk.ask(f"/watch {HERE} list here", operator=False) == plain


async def test_off_exchange_only_says_so_where_nobody_reads_it(desk: Desk) -> None:
    said = (await desk.ask("/subscribe off-exchange")).message
    assert "off-exchange volume is not read here" in said.banners[0]


async def test_what_channels_of_the_environment_lack_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = await asyncio.to_thread(
        load,
        data_dir=tmp_path,
        discord_token="a-token",
        discord_alert_channel=CHANNEL.channel,
        operator_channel=HERE[:-1] + "9",
    )
    async with opened(settings, now=lambda: NOW) as app:
        discord = FakePlatform()
        discord.history_is_readable = False
        app.senders["discord"] = discord
        await app.name_channels(ending=True)
        for _ in range(2):
            await app.examine_channels()
        await app.courier.drain()
    (notice,) = discord.posts
    assert notice.message.lead.startswith(f"{HERE} lacks what alerts need: history: as told.")
    assert "a channel lacks what alerts need" in caplog.text


async def test_the_terminal_can_be_silenced_too(desk: Desk) -> None:
    terminal = {"where": "console:terminal", "who": "console:@terminal"}
    assert "no digests" in await desk.told("/unsubscribe", **terminal)
    assert "Digests go nowhere" in await desk.told("/channels")


async def test_only_operators_change_what_others_are_told(desk: Desk) -> None:
    for text in ("/subscribe", "/unsubscribe", "/channels test", "/outbox drop 1"):
        reply = await desk.ask(text, operator=False)
        assert not reply.ok
        assert "is for operators; ask one of them" in reply.message.lead
    for text in ("/channels", "/outbox"):
        assert (await desk.ask(text, operator=False)).ok


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/subscribe loud", "'loud' is nothing to subscribe to. /subscribe [all|off-exchange]"),
        ("/subscribe min:huge", "min:huge should be notable, rare or extreme."),
        ("/subscribe top:0", "top:0 should be a number from 1 to 50."),
        (f"/subscribe top:{'9' * 5_000}", "top:999"),
        ("/subscribe top:²", "top:² should be a number from 1 to 50."),
        ("/subscribe quiet:25-7", "quiet:25-7 should be like quiet:22:00-07:00"),
        ("/subscribe quiet:22-7 Europe/Berln", "'Europe/Berln' is no time zone"),
        ("/subscribe quiet:22-7 zone:Berlin", "'Berlin' is no time zone; one is like Europe"),
        ("/subscribe quiet:22-7 Berlin", "'Berlin' is no time zone; one is like Europe"),
        ("/subscribe quiet:22-7 zone:", "'' is no time zone"),
        ("/subscribe zone:Europe/Berlin", "zone:Europe/Berlin goes with quiet hours"),
        ("/subscribe quiet:", "quiet: should be like quiet:22:00-07:00"),
        ("/subscribe quiet:7-7", "quiet:7-7 begins when it ends"),
        ("/subscribe discord:alerts", "'discord:alerts': a channel is picked from the list"),
        ("/unsubscribe now", "'now' is one word too many."),
        ("/channels tset", "/channels tset: there is /channels and /channels test"),
        ("/outbox resend", "/outbox resend needs one number from the list"),
        ("/outbox resend 99", "there is no delivery #99"),
        ("/outbox burn 1", "/outbox burn: there is /outbox [resend N|look N|drop N]"),
    ],
)
async def test_each_way_to_be_wrong_has_its_own_sentence(desk: Desk, text: str, said: str) -> None:
    assert said in await desk.told(text)


async def test_a_platform_without_a_token_is_named_with_what_it_needs(desk: Desk) -> None:
    del desk.app.senders["slack"]
    assert (
        await desk.told(f"/subscribe {THERE}") == "slack is not connected: it needs SLACK_BOT_TOKEN"
    )


async def test_the_list_and_the_outbox_as_reviewed(desk: Desk, snapshot: SnapshotAssertion) -> None:
    await desk.ask("/subscribe off-exchange min:rare quiet:22:30-7 europe/berlin")
    await desk.ask("/subscribe", where=THERE)
    await desk.ask("/unsubscribe", where=THERE)
    desk.slack.failures.append(DeliveryRefused(Reason.CHANNEL_GONE, "channel_not_found"))
    await desk.ask("/subscribe slack:C0123ABCDF top:3")
    desk.discord.failures.append(After(DeliveryAmbiguous(Reason.CONNECTION_LOST, "reset")))
    desk.discord.history_is_readable = False
    await desk.publish("AAAA")
    await desk.later(5)
    for text in ("/channels", "/outbox"):
        assert render((await desk.ask(text)).message, 100) == snapshot(name=text[1:])


async def test_who_is_no_operator_sees_nothing_of_other_servers(desk: Desk) -> None:
    elsewhere = "discord:222222222222222222"
    for where in (HERE, elsewhere, THERE, "slack:C0123ABCDF"):
        desk.discord.failures += [DeliveryRefused(Reason.NO_PERMISSION, "50013")] * 2
        desk.slack.failures += [DeliveryRefused(Reason.CHANNEL_GONE, "channel_not_found")] * 2
        await desk.ask(f"/subscribe {where}")
    await desk.publish()
    for text in ("/channels", "/outbox"):
        shown = render((await desk.ask(text)).message, 100)
        assert all(place in shown for place in (HERE, elsewhere, THERE, "slack:C0123ABCDF"))
        assert ONLY_HERE not in shown
        for operator in (False, True):
            request = CommandRequest.parse(
                text, "discord:@7", HERE, operator=operator, everywhere=False
            )
            shown = render((await desk.app.commands.answer(request)).message, 100)
            assert HERE in shown
            assert ONLY_HERE in shown
            assert not any(place in shown for place in (elsewhere, "slack:", "console:"))
        shown = render((await desk.ask(text, operator=False, where=THERE)).message, 100)
        assert "slack:C0123ABCDF" in shown
        assert not any(place in shown for place in (HERE, elsewhere))
    assert await desk.told("/channels", operator=False) == "Digests come here."
    nowhere = "discord:333333333333333333"
    assert await desk.told("/channels", operator=False, where=nowhere) == NONE_HERE
    assert "all arrived" in await desk.told("/outbox", operator=False, where=nowhere)


async def test_what_was_refused_is_sent_again_on_an_operators_word(desk: Desk) -> None:
    desk.discord.failures.append(DeliveryRefused(Reason.NO_PERMISSION, "50013"))
    await desk.ask("/subscribe")
    await desk.publish()
    (row,) = await desk.app.db.rows("SELECT id FROM deliveries WHERE kind = ?", (Kind.DIGEST,))
    assert "goes out again" in await desk.told(f"/outbox resend #{row['id']}")
    await desk.app.courier.drain()
    assert len(desk.discord.posts) == 1
    assert "arrived; there is nothing to do" in await desk.told(f"/outbox resend {row['id']}")


async def test_state_that_is_pressed_in_one_platform_shows_in_the_other(desk: Desk) -> None:
    desk.discord.failures.append(DeliveryAmbiguous(Reason.NO_ANSWER, "30 s"))
    desk.discord.history_is_readable = False
    await desk.ask("/subscribe")
    await desk.publish()
    await desk.later(5)
    (row,) = await desk.app.db.rows("SELECT id FROM deliveries WHERE state = 'ambiguous'")
    shown = render((await desk.ask("/outbox", where=THERE, who="slack:@U1")).message, 100)
    assert "history cannot be read" in shown
    await desk.ask(f"/outbox drop {row['id']}", where=THERE, who="slack:@U1")
    shown = render((await desk.ask("/outbox")).message, 100)
    assert f"#{row['id']} {HERE}: dropped by slack:@U1" in shown
    assert "all arrived" in shown


async def test_what_can_be_looked_for_again_is_found(desk: Desk) -> None:
    desk.discord.failures.append(After(DeliveryAmbiguous(Reason.NO_ANSWER, "30 s")))
    desk.discord.history_is_readable = False
    await desk.ask("/subscribe")
    await desk.publish()
    await desk.later(5)
    (row,) = await desk.app.db.rows("SELECT id FROM deliveries WHERE state = 'ambiguous'")
    desk.discord.history_is_readable = True
    assert "is looked for again" in await desk.told(f"/outbox look {row['id']}")
    await desk.app.courier.drain()
    assert len(desk.discord.posts) == 1
    assert "all arrived" in await desk.told("/outbox")


async def test_a_digest_that_a_later_revision_said_is_not_sent_again(desk: Desk) -> None:
    desk.discord.failures.append(DeliveryRefused(Reason.NO_PERMISSION, "50013"))
    await desk.ask("/subscribe")
    await desk.publish()
    (row,) = await desk.app.db.rows("SELECT id FROM deliveries WHERE state = 'refused'")
    async with desk.app.db.transaction() as writer:
        await Outbox((), 10)(writer, judged(anomaly(), revision=2), NOW)
    await desk.app.courier.drain()
    assert "was said by a later revision" in await desk.told(f"/outbox resend {row['id']}")


def test_all_wishes_at_once() -> None:
    words = "off-exchange min:RARE top:5 watchlist no-etfs quiet:22:30-07:00 europe/berlin silent"
    assert wanted_by(words.split()) == Wants(
        Scope.OFF_EXCHANGE,
        "rare",
        5,
        watchlist=True,
        etfs=False,
        quiet=QuietHours(time(22, 30), time(7), "Europe/Berlin"),
        silent=True,
    )
    night = QuietHours(time(22), time(7), "Europe/Berlin")
    for words in (
        "quiet:22:00-07:00 zone:Europe/Berlin",
        "zone:Europe/Berlin quiet:22:00_-_07:00",
        "quiet:22:00 – 07:00 Europe/Berlin",
    ):
        assert wanted_by(words.split()).quiet == night
    assert wanted_by(["quiet:9-10"]).quiet == QuietHours(time(9), time(10), "America/New_York")


@given(st.lists(st.text(max_size=30), max_size=6))
def test_whatever_is_typed_it_is_understood_or_refused_in_a_sentence(words: list[str]) -> None:
    try:
        wanted_by(words)
    except CommandError as error:
        said = str(error)
    else:
        said = "understood"
    assert said
