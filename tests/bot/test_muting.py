"""/mute and /mutes over the sample market."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.kinds import LABELS, RULES
from alerts.model import Destination
from alerts.mutes import Mute, mutes_of, session_after
from bot.app import App
from bot.hindsight import Hindsight
from bot.mute_words import Wish, parse
from core.calendar import trading_day
from core.errors import CommandError
from tests.bot.small_market import (
    ANN,
    BOB,
    HERE,
    JUDGEABLE,
    STORED,
    TOLD,
    ask,
    at,
    shown,
    stored_market,
    told,
)
from tests.market import NEWEST, NOW
from tests.shared import Shared


@pytest.fixture(scope="module")
def stored(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample market's last sessions, a copy for this module."""
    return stored_market(shared, tmp_path_factory.mktemp("stored"))


@pytest.fixture
async def app(stored: Path) -> AsyncIterator[App]:
    """The application over the stored market; nothing is muted."""
    async with at(stored) as opened_app:
        async with opened_app.db.transaction() as writer:
            await writer.execute("DELETE FROM mutes")
        yield opened_app


async def set_ones(app: App, owner: str = HERE) -> list[Mute]:
    """All mutes of an owner."""
    return await mutes_of(app.db.rows, [owner], date(2000, 1, 1))


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("NVDA", Wish("ticker", "NVDA", 5)),
        ("$nvda 1 because  too   loud", Wish("ticker", "$nvda", 1, why="too loud")),
        ("NVDA 3 sessions MINE", Wish("ticker", "NVDA", 3, mine=True)),
        ("MINE mine", Wish("ticker", "MINE", 5, mine=True)),
        ("NVDA until:double", Wish("ticker", "NVDA", double=True)),
        ("NVDA until doubled 10", Wish("ticker", "NVDA", 10, double=True)),
        ("NVDA 9 until:2026-12-31 until:DOUBLE because Because mine",
         Wish("ticker", "NVDA", 9, date(2026, 12, 31), True, why="Because mine")),
        ("NVDA until: 2026/12/31", Wish("ticker", "NVDA", until=date(2026, 12, 31))),
        ("label:quiet-volume", Wish("label", "quiet volume", 5)),
        ('label:"quiet volume" 2', Wish("label", "quiet volume", 2)),
        ("label:quiet volume mine", Wish("label", "quiet volume", 5, mine=True)),
        ("LABEL: “Off-Exchange Shift” 250", Wish("label", "off-exchange shift", 250)),
        ("label:volume 2", Wish("label", "volume", 2)),
        ("label:spike and fade", Wish("label", "spike-and-fade", 5)),
        ("rule:trades", Wish("rule", "trades", 5)),
        ("rule:off exchange 2", Wish("rule", "off-exchange", 2)),
    ],
)  # fmt: skip
def test_forgiving_words(typed: str, wish: Wish) -> None:
    assert parse(typed.split()) == wish


@pytest.mark.parametrize("until", ["until:", "until ", "until: "])
def test_a_date_is_read_as_we_write_it_and_a_reason_is_left_alone(until: str) -> None:
    wish = parse(f"FRI {until}Fri 27 Nov 2026 mine because of Fri 27 Nov 2026".split())
    assert (wish.value, wish.until, wish.mine) == ("FRI", date(2026, 11, 27), True)
    assert wish.why == "of Fri 27 Nov 2026"


@pytest.mark.parametrize("name", [*LABELS, *RULES])
@pytest.mark.parametrize("spelled", [str, str.upper, lambda n: n.replace(" ", "-"), repr])
def test_every_label_and_rule_can_be_spelled(name: str, spelled: type[str]) -> None:
    kind = "label" if name in LABELS else "rule"
    assert parse(f"{kind}:{spelled(name)}".split()).value == name


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "What should be muted? /mute TICKER|label:"),
        ("NVDA AMD", "'amd' is not understood. /mute"),
        ("NVDA 0", "'0' should be a number of sessions from 1 to 250"),
        ("NVDA 251", "'251' should be"),
        ("NVDA 99999999999", "'99999999999' should be"),
        ("NVDA 5 6", "5 and 6 do not go together: name one"),
        ("NVDA until:2026-12-01 until:2026-12-02", "2026-12-01 and 2026-12-02 do not go"),
        ("NVDA until:soon", "'soon' is no date"),
        ("rule:volume until:double", "until:double is for a ticker; a rule has no score of its"),
        ("label:quite volume", "'quite' is no label: did you mean label:quiet-volume?"),
        ("label:zzz", "'zzz' is no label: there are news-like, block-like, crowd, "),
        ("label:", "'' is no label: there are"),
        ("rule:price", "'price' is no rule: there are volume, trades, off-exchange"),
        ("lable:crowd", "'lable:crowd': did you mean label:crowd? /mute"),
        ("until:double NVDA", "'until:double': first comes what is to be muted. /mute"),
        (f"NVDA because {'x' * 201}", "The reason has 201 characters; 200 fit"),
    ],
)
def test_each_way_to_be_wrong_has_its_own_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(CommandError) as said:
        parse(typed.split())
    assert str(said.value).startswith(sentence)


async def test_confirmations_and_lists_read_as_reviewed(
    app: App, snapshot: SnapshotAssertion
) -> None:
    said = [
        await shown(app, text, who)
        for text, who in (
            ("/mutes", ANN),
            ("/mute qwoh because too cheap", ANN),
            ("/mute QWOH 2 until:2026-03-28", BOB),
            ("/mute XWUP until:double", ANN),
            ("/mute label:spike-and-fade 1 mine because I know", ANN),
            ("/mutes", ANN),
            ("/mutes", BOB),
            ("/mutes end 3", ANN),
        )
    ]
    assert "\n\n---\n\n".join(said) == snapshot


async def test_only_operators_mute_for_others_and_everybody_for_themselves(app: App) -> None:
    said = await told(app, "/mute QWOH", BOB, operator=False)
    assert said == (
        "Muting what this channel is told (add `mine` for yourself) is for operators; ask one of"
        " them"
    )
    assert (await ask(app, "/mute QWOH mine", BOB, operator=False)).ok
    await ask(app, "/mute XWUP")
    (own,), (channels,) = await set_ones(app, BOB), await set_ones(app)
    reply = await ask(app, f"/mutes end {channels.id}", BOB, operator=False)
    assert reply.message.lead == "Ending a mute of this channel is for operators; ask one of them"
    said = await told(app, f"/mutes end {own.id}", ANN)
    assert said == f"There is no mute {own.id} here or of yours; /mutes lists them"
    elsewhere = await told(app, f"/mutes end {channels.id}", ANN, "discord:789")
    assert elsewhere == f"There is no mute {channels.id} here or of yours; /mutes lists them"
    assert (await ask(app, f"/mutes end #{own.id}", BOB, operator=False)).ok
    assert await told(app, f"/mutes end {own.id}", BOB) == (
        f"Mute {own.id} (QWOH) is over already; /mutes lists them"
    )
    reply = await ask(app, f"/mutes end {channels.id}")
    assert reply.message.lead == (
        "XWUP is told in this channel again, from the session after Fri 6 Mar 2026 on."
    )
    (ended,) = await set_ones(app)
    assert (ended.ended_by, ended.ended_on) == (ANN, NEWEST.date)


async def test_what_it_would_have_hidden_is_what_the_sessions_had(app: App) -> None:
    lines = {d: (await app.commands.digests.report(d)).pushed for d in TOLD}
    for value in {a.ticker for found in lines.values() for a in found}:
        facts = dict((await ask(app, f"/mute {value}")).message.facts)
        for session, found in lines.items():
            day = f"{value} {session.date.day} {session.date:%b}"
            assert (day in facts["would have hidden"]) == (value in {a.ticker for a in found})
    looked = Hindsight(app.ladder, 10)
    shown_lines = await looked.lines(NEWEST, 20, Destination.parse(HERE))
    assert [one.session for one in shown_lines] == [day.date for day in JUDGEABLE]
    assert {one.session: one.lines for one in shown_lines if one.session >= TOLD[0].date} == {
        day.date: found for day, found in lines.items()
    }
    early = await looked.lines(STORED[3], 20, Destination.parse(HERE))
    assert early == []


def _unmeasured(folder: Path) -> None:
    for file in folder.rglob("measured/*/*.parquet"):
        file.unlink()


async def test_a_look_back_does_not_wait_for_sessions_nobody_ever_judged(
    shared: Shared, tmp_path: Path
) -> None:
    await asyncio.to_thread(_unmeasured, stored_market(shared, tmp_path))
    async with at(tmp_path) as app:
        hurried, patient = Hindsight(app.ladder, 10, patience_s=0), Hindsight(app.ladder, 10)
        where, newest = Destination.parse(HERE), JUDGEABLE[-1]
        # Of those that were told the lines are known; the others would have to be judged.
        assert [one.session for one in await hurried.lines(NEWEST, 20, where)] == [
            day.date for day in TOLD
        ]
        names = {"XWUP"}
        assert await hurried.own(NEWEST, 20, names) == []
        await app.ladder.top.record.measured(newest)
        assert [one.session for one in await hurried.own(NEWEST, 20, names)] == [newest.date]
        assert len(await patient.own(NEWEST, 20, names)) == len(JUDGEABLE)
        assert len(await hurried.own(NEWEST, 20, names)) == len(JUDGEABLE)
        assert len(await Hindsight(app.ladder, 10).own(NEWEST, 20, ())) == len(JUDGEABLE)


async def test_a_doubling_is_of_the_score_in_the_newest_session(app: App) -> None:
    pipeline = app.ladder.top
    scores = await pipeline.record.scores(NEWEST, pipeline.rule)
    by = dict(scores.select("ticker", "score").iter_rows())
    await ask(app, "/mute XWUP until:double")
    (one,) = await set_ones(app)
    assert one.score == by["XWUP"]
    assert (one.sessions, one.until) == (None, None)
    low = next(t for t, score in by.items() if score is not None and score < 2)
    for ticker, sentence in (
        (low, f"{low} has a score of {by[low]:.1f} on {NEWEST}: any line of it is more than twice"),
        ("ZXEC", f"ZXEC has no score on {NEWEST} that could double; name a number of sessions"),
        ("QJOW", f"QJOW has no score on {NEWEST} that could double; name a number of sessions"),
    ):
        assert (await told(app, f"/mute {ticker} until:double")).startswith(sentence)
    assert len(await set_ones(app)) == 1


async def test_a_date_is_counted_to_the_last_session_on_or_before_it(app: App) -> None:
    reply = await ask(app, "/mute XWUP until:2026-04-04")
    (one,) = await set_ones(app)
    assert one.until == date(2026, 4, 2), "Good Friday is no session"
    assert reply.message.banners == (
        "2026-04-04 is a Saturday; the last session before it is 2026-04-02",
    )
    for until, sentence in {
        "2026-03-06": "until:2026-03-06 leaves no session to mute: the newest one is 2026-03-06",
        "2026-03-08": "until:2026-03-08 leaves no session to mute: the newest one is 2026-03-06",
        "2020-01-01": "until:2020-01-01 leaves no session to mute",
        "2027-03-08": "until:2027-03-08 is more than a year ahead; name a date before",
    }.items():
        assert (await told(app, f"/mute XWUP until:{until}")).startswith(sentence)


async def test_an_unknown_ticker_suggests_near_ones(app: App) -> None:
    assert await told(app, "/mute xwupp") == (
        "xwupp is not a ticker in the sessions stored here; near it: XWUP, XZUP, XXUP"
    )
    assert await set_ones(app) == []


async def test_a_session_that_closed_but_was_not_told_yet_is_muted_already(stored: Path) -> None:
    async with at(stored, NOW + timedelta(days=3)) as app:
        await ask(app, "/mute XWUP 1")
        one = (await set_ones(app))[-1]
        assert one.through == session_after(NEWEST.date, 1) == date(2026, 3, 9)
        assert trading_day(one.since) == NEWEST


async def test_without_data_there_is_a_sentence(tmp_path: Path) -> None:
    async with at(tmp_path) as app:
        for text in ("/mute XWUP", "/mutes"):
            assert (await told(app, text)).startswith("There is no data yet: `python -m bot once`")


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60))
async def test_whatever_is_typed_there_is_an_answer(app: App, text: str) -> None:
    for typed in (f"/mute x{text}", f"/mute label:{text}", f"/mute XWUP {text} mine",
                  f"/mutes {text}", f"/mutes end {text}"):  # fmt: skip
        reply = await ask(app, typed)
        assert reply.message.lead
        assert "failed on our side" not in reply.message.lead
