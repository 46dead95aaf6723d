"""Every command, asked rightly and wrongly, over a stored sample market."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.model import Message
from bot.app import App, opened
from bot.commands import CommandRequest, Reply
from bot.platforms.console import ConsoleSender, render
from bot.platforms.slack_words import linked
from bot.settings import load
from core.calendar import last_complete, sessions_ending, trading_day
from core.errors import BadBars
from core.pipeline import Pipeline
from core.progress import Reading
from core.sources.access import Probe
from tests.fakes import FakeClock
from tests.filled import EVE, Kind, until
from tests.frames import bars, row
from tests.market import NEWEST, NOW
from tests.shared import Shared, copied

SATURDAY = NOW


async def ask(app: App, text: str) -> Reply:
    """What is answered to a typed line."""
    return await app.commands.answer(
        CommandRequest.parse(text, "console:@me", "console:here", operator=True)
    )


async def told(app: App, text: str) -> str:
    """The answer's lead."""
    return (await ask(app, text)).message.lead


@pytest.fixture(scope="module")
def stored(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample market's last sessions, the newest ingested and judged: a copy for this module."""

    def make(folder: Path) -> None:
        asyncio.run(_fill(until(shared, Kind.SAMPLE, EVE, folder)))

    return copied(shared.once("commands", make), tmp_path_factory.mktemp("stored"))


async def _fill(folder: Path) -> None:
    async with at(folder, SATURDAY) as app:
        app.senders["console"] = ConsoleSender(lambda text: None)
        await app.sweep(lambda step: None)
        await app.courier.drain()


@pytest.fixture
async def app(stored: Path) -> AsyncIterator[App]:
    """The application over the stored market."""
    async with at(stored, SATURDAY) as opened_app:
        yield opened_app


@asynccontextmanager
async def at(folder: Path, now: datetime) -> AsyncIterator[App]:
    """The application at another time."""
    async with opened(await asyncio.to_thread(load, data_dir=folder), now=lambda: now) as app:
        yield app


async def test_every_command_answers_as_reviewed(app: App, snapshot: SnapshotAssertion) -> None:
    said = await app.commands.digests.report(NEWEST)
    loud = said.pushed[0].ticker
    for text in ("/anomalies", "/anomalies today all", f"/ticker {loud}", f"/why {loud} today",
                 "/why ZVZZT", "/source status", "/help"):  # fmt: skip
        reply = await ask(app, text)
        assert reply.ok, reply
        assert "SAMPLE" in reply.message.stamp
        if text != "/anomalies":  # its reading time is the machine's
            assert render(reply.message, 100) == snapshot(name=text.split()[0] + text[-3:])


async def test_a_digest_as_sent_as_now_and_what_was_held_back(app: App) -> None:
    plain, sent, now = [(await ask(app, f"/anomalies {how}")).message
                        for how in ("", "AS:SENT", "today as:now")]  # fmt: skip
    assert sent.rows == now.rows == plain.rows
    assert sent.banners[0] == "As first sent."
    assert now.banners[0] == "As judged now: the list that was last sent."
    raw = (await ask(app, "/anomalies raw")).message
    assert raw.title.startswith("Raw hits · ")
    assert (await ask(app, "/anomalies all raw")).message.rows[: len(raw.rows)] == raw.rows
    silent = sessions_ending(sessions_ending(last_complete(NOW), 1)[0], 4)[0]
    assert await told(app, f"/anomalies {silent} as:sent") == (
        f"nothing was sent about {silent}; as:now judges it from what is stored"
    )
    again = (await ask(app, f"/anomalies {silent} as:now")).message
    assert again.banners[0] == "As judged now; nothing was sent about this session."
    assert await told(app, "/anomalies as:then") == "'as:then': there is as:sent and as:now"
    assert "do not go together" in await told(app, "/anomalies as:sent as:now")
    assert "do not go together" in await told(app, "/anomalies raw as:sent")


async def test_slash_case_and_dollar_do_not_matter(app: App) -> None:
    plain = await ask(app, "/ticker XWUP")
    for text in ("ticker xwup", "/TICKER $xwup", "  /ticker   XWUP "):
        assert await ask(app, text) == plain


async def test_tickers_that_differ_in_case_stay_apart(app: App) -> None:
    common, preferred = await told(app, "/why ZAAP"), await told(app, "/why ZAAp")
    assert common.startswith("ZAAP ")
    assert preferred.startswith("ZAAp was not flagged: kind preferred")


async def test_an_unknown_ticker_suggests_near_ones(app: App) -> None:
    said = await told(app, "/ticker XWUPP")
    assert said.startswith("XWUPP is not a ticker in the sessions stored here; near it: XWUP")
    assert not (await ask(app, "/ticker XWUPP")).ok


async def test_each_way_to_be_wrong_about_a_date_has_its_own_sentence(app: App) -> None:
    first = sessions_ending(NEWEST, 82)[0]
    sentences = {
        "/anomalies 2999-01-04": "2999-01-04 is in the future; the newest session is 2026-03-06",
        "/anomalies 1999-01-04": "1999-01-04 is before the vendor's data, which begins on 2003-",
        "/anomalies 2020-01-06": f"2020-01-06 is before the data stored here: it begins on {first}",
        "/anomalies soon": "'soon' is no date: use today, or one like 2026-11-20",
        "/anomalies today today": "'today' is one word too many",
        "/why": "Which ticker? /why SYM [DATE]",
        "/ticker XWUP 1": "'1' should be a number of sessions from 2 to 1260",
        "/ticker XWUP -5": "'-5' is neither a number of sessions from 2 to 1260 nor a date",
        "/ticker =1+1": "'=1+1' cannot be a ticker",
        "/source wat": "/source wat: there is only /source status",
        "/tick XWUP": "There is no command /tick; did you mean /ticker?",
        "/subs": "There is no command /subs; did you mean /subscribe?",
        "/anomolies": "There is no command /anomolies; did you mean /anomalies?",
        "/": "Ask for example /anomalies, /ticker NVDA or /why NVDA; /help lists what there is",
        "": "Ask for example /anomalies",
        "thanks!": "There is no command 'thanks!'. Ask for example /anomalies, /ticker NVDA",
        "a word": "There is no command 'a'. Ask for example",
    }
    for text, sentence in sentences.items():
        assert (await told(app, text)).startswith(sentence), text


@pytest.mark.parametrize(
    "before",
    [
        *("/ticker XWUP ", "/why XWUP ", "/anomalies ", "/scorecard ", "/preview top:"),
        *("/preview min:", "/mute XWUP ", "/mutes end ", "/outbox drop ", "/backfill status "),
        *("/subscribe top:", "/subscribe quiet:", "/feedback noise XWUP ", "/backfill plan today "),
    ],
)
async def test_a_number_of_any_length_is_refused_in_words(app: App, before: str) -> None:
    said = await told(app, f"{before}{'9' * 5_000}")
    assert "failed on our side" not in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "typed", ["yesterday", "Nov", "27.11.2026", "11/27/2026", "2026-13-01", "9" * 5]
)
async def test_what_is_no_date_and_no_number_is_told_both_readings(app: App, typed: str) -> None:
    assert await told(app, f"/ticker XWUP {typed}") == (
        f"{typed!r} is neither a number of sessions from 2 to 1260 nor a date: use today, or one"
        " like 2026-11-20. /ticker SYM [sessions] [DATE] [chart|text]"
    )


@pytest.mark.parametrize(
    "typed",
    ["20260305", "Thu 5 Mar 2026", "5 mar 2026", "thursday, 05 MAR 2026", "session:2026-03-05"],
)
async def test_a_date_is_read_as_we_write_it_in_every_command(app: App, typed: str) -> None:
    for before in ("/ticker XWUP 5", "/why XWUP", "/anomalies", "/anomalies raw"):
        plain = await ask(app, f"{before} 2026-03-05")
        assert plain.ok
        assert await ask(app, f"{before} {typed}") == plain
    assert "2026-03-05" in await told(app, f"/feedback noise ZVZZT {typed}")
    said = await told(app, f"/backfill plan {typed.removeprefix('session:')} 6 Mar 2026")
    assert "2026-03-05 to 2026-03-06" in said


@pytest.mark.parametrize(
    "before",
    [
        *("/", "/anomalies ", "/anomalies as:", "/ticker ", "/ticker XWUP ", "/why XWUP today "),
        *("/preview ", "/preview min:", "/scorecard ", "/watch ", "/watch add ", "/watch remove "),
        *("/watch list ", "/mute XWUP ", "/mute label:", "/mute x:", "/mutes ", "/feedback "),
        *("/subscribe ", "/subscribe min:", "/subscribe top:", "/subscribe quiet:"),
        *("/subscribe zone:", "/subscribe quiet:22-7 ", "/unsubscribe ", "/channels "),
        *("/channels test ", "/outbox ", "/source ", "/backfill ", "/backfill plan today today "),
        *(
            "/backfill plan today today series:",
            "/config ",
            "/unsubscribe slack:",
            "/subscribe slack:",
        ),
    ],
)
async def test_a_name_that_is_cut_is_nobody_elses(app: App, before: str) -> None:
    for many in range(20, 40):
        said = await told(app, f"{before}{'(' * many}slack:@U0BOBBY12")
        named = set(re.findall("<@(.*?)>", linked(said, people=True)))
        assert named <= {"U0BOBBY12"}, said


async def test_sessions_may_be_said_behind_their_number(app: App) -> None:
    for text in ("/ticker XWUP 5 sessions", "/ticker XWUP 5 session today chart"):
        plain = re.sub(" sessions?", "", text)
        assert await ask(app, text) == await ask(app, plain), text


async def test_a_weekend_says_which_session_was_used(app: App) -> None:
    reply = await ask(app, "/anomalies 2026-03-07")
    assert reply.ok
    assert reply.message.banners[0] == (
        "2026-03-07 is a Saturday; this is the session before, Fri 6 Mar 2026."
    )


async def test_a_holiday_is_named(app: App) -> None:
    reply = await ask(app, "/anomalies 2026-02-16")
    assert reply.message.banners[0].startswith("2026-02-16 is Washington's Birthday; ")


async def test_a_session_that_is_still_open_says_so(stored: Path) -> None:
    friday_evening = datetime(2026, 3, 6, 22, 0, tzinfo=UTC)
    async with at(stored, friday_evening) as app:
        said = await told(app, "/anomalies 2026-03-06")
        assert said.startswith("2026-03-06 is not over: extended hours run until 20:00 New York")


async def test_today_before_the_data_is_in_shows_the_last_session_and_says_so(
    stored: Path,
) -> None:
    async with at(stored, SATURDAY + timedelta(days=3)) as app:
        reply = await ask(app, "/anomalies today")
        assert reply.ok
        assert reply.message.banners[0] == ("Mon 9 Mar 2026 is not in yet; this is Fri 6 Mar 2026.")


async def test_no_data_at_all_is_its_own_sentence(tmp_path: Path) -> None:
    async with at(tmp_path, SATURDAY) as app:
        for text in ("/anomalies", "/ticker XWUP", "/why XWUP"):
            assert (await told(app, text)).startswith("There is no data yet: `python -m bot once`")


async def test_a_held_session_says_why(tmp_path: Path) -> None:
    async with at(tmp_path, SATURDAY) as app:
        pipeline: Pipeline = app.ladder.top
        older = sessions_ending(NEWEST, 3)
        await pipeline.trading_day(older[0], announce=False)
        await pipeline.ledger.held(NEWEST, "volumes look doubled", (), SATURDAY)
        said = await told(app, f"/anomalies {NEWEST}")
        assert said == f"{NEWEST} is not stored: held by the gate: volumes look doubled"
        missing = await told(app, f"/anomalies {older[1]}")
        assert missing.startswith(f"{older[1]} is not stored yet; `python -m bot backfill")


async def test_a_ticker_that_did_not_trade_is_not_an_unknown_one(app: App) -> None:
    stored = app.ladder.top.store.read
    window = sessions_ending(NEWEST, 82)
    bars = await asyncio.to_thread(stored, app.ladder.top.ledger.series, window)
    today = set(bars.filter(session=NEWEST.date)["ticker"])
    absent = sorted(set(bars["ticker"]) - today)[0]
    assert (await told(app, f"/why {absent}")).startswith(f"{absent} did not trade on {NEWEST}")
    assert (await ask(app, f"/ticker {absent} 82")).ok


async def test_a_fault_of_ours_is_said_to_be_ours(app: App) -> None:
    class Broken:
        async def examine(self, day: object) -> None:
            raise BadBars("not for readers") from KeyError("internal")

    broken = replace(app.commands, doctor=Broken())  # type: ignore[arg-type]
    reply = await broken.answer(CommandRequest.typed("/source status"))
    assert not reply.ok
    assert reply.message.lead == (
        "/source failed on our side; nothing was changed. The log has the details."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/watch add XWUP", "it is not known whether anything was changed: /watch list shows what"),
        ("/unsubscribe", "it is not known whether anything was changed: /channels shows what"),
        ("/watch", "nothing was changed"),
        ("/ticker XWUP", "nothing was changed"),
    ],
)
async def test_whether_a_fault_of_ours_changed_anything_is_said_only_if_it_is_known(
    app: App, text: str, said: str
) -> None:
    async def broken(request: CommandRequest) -> Message:
        raise KeyError(request.name)

    commands = replace(app.commands, parts=dict.fromkeys(app.commands.names, broken))
    lead = (await commands.answer(CommandRequest.typed(text))).message.lead
    assert f"failed on our side; {said}" in lead


@pytest.mark.parametrize("name", ["subscribe", "preview", "anomalies"])
async def test_a_form_where_there_is_none_is_answered_in_a_sentence(app: App, name: str) -> None:
    said = await told(app, f"/{name} Form")
    assert said.startswith(f"A form opens only for the command /{name} form on Slack")
    assert said.endswith(f"typed as /{name} {app.commands.USAGE[name][0]}")
    assert "is not a ticker" in await told(app, "/ticker form")


async def test_sources_are_asked_once_a_minute_however_many_ask_us(app: App) -> None:
    class Counting:
        asked = 0

        async def examine(self, day: object) -> list[Probe]:
            self.asked += 1
            return await app.doctor.examine(day)  # type: ignore[arg-type]

    doctor, clock = Counting(), FakeClock(SATURDAY)
    ladder = replace(app.ladder, rungs=[replace(app.ladder.top, now=clock)])
    commands = replace(app.commands, doctor=doctor, ladder=ladder)  # type: ignore[arg-type]
    in_chat = CommandRequest.parse("/source status", "discord:@1", "discord:456")
    first, *others = await asyncio.gather(*(commands.answer(in_chat) for _ in range(10)))
    assert doctor.asked == 1
    assert first.message.banners == ()
    said = "The sources were asked at 2026-03-07 11:05 New York, less than a minute ago."
    for reply in others:
        assert reply.message.banners == (said,)
        assert reply.message.rows == first.message.rows
    # Who sits at the machine has just changed a key, and wants to know.
    assert (await commands.answer(CommandRequest.typed("/source status"))).ok
    assert doctor.asked == 2
    clock.at += timedelta(minutes=1, seconds=1)
    assert (await commands.answer(in_chat)).ok
    assert doctor.asked == 3


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=80))
async def test_whatever_is_typed_there_is_an_answer(app: App, text: str) -> None:
    for typed in (text, f"/ticker {text}", f"/why {text}", f"/anomalies {text}"):
        reply = await ask(app, typed)
        assert reply.message.lead
        assert "failed on our side" not in reply.message.lead


async def test_a_large_file_that_is_being_read_shows_in_the_status(app: App) -> None:
    start = SATURDAY - timedelta(minutes=1)
    reading = Reading(NEWEST, "flat files (trades)", 10**9, 4 * 10**9, 30_000_000, start, SATURDAY)
    app.board(reading)
    facts = dict((await ask(app, "/source status")).message.facts)
    assert facts["reading now"] == (
        "2026-03-06, flat files (trades): 1.0 GB of 4.0 GB (25%), 30.0M trades, about 3 min left"
    )

    app.board(replace(reading, done_bytes=4 * 10**9))
    assert "reading now" not in dict((await ask(app, "/source status")).message.facts)


async def test_a_reading_that_was_not_heard_of_for_long_is_not_shown(app: App) -> None:
    start = SATURDAY - timedelta(minutes=9)
    app.board(Reading(NEWEST, "flat files (trades)", 1, 4, 3, start, start + timedelta(minutes=6)))
    assert "reading now" not in dict((await ask(app, "/source status")).message.facts)


async def test_a_ticker_that_is_gone_is_found_in_the_years_that_are_asked_for(app: App) -> None:
    pipeline, days = app.ladder.top, sessions_ending(NEWEST, 400)
    for on in days[:3]:
        gone = bars(on, [row("GONE")])
        await asyncio.to_thread(pipeline.store.write, pipeline.series, on, gone, 1)
    assert "is not a ticker in the sessions stored here" in await told(app, "/ticker gone 300")
    for compacted in (False, True):
        if compacted:
            await app.ladder.compact()
        reply = await ask(app, "/ticker gone 400")
        assert reply.message.lead == "GONE $10.20: did not trade in the newest session."
        assert dict(reply.message.facts)["volume, 400 sessions"].rstrip() == "█"


async def test_a_renamed_ticker_keeps_its_card_and_its_old_name_leads_to_it(app: App) -> None:
    days = sessions_ending(trading_day(NEWEST.date), 8)
    row = ("XWUP", "XOLD", "XWUP", str(days[-3]))
    async with app.db.transaction() as writer:
        await writer.execute("INSERT INTO renames VALUES (?, ?, ?, ?)", row)
    try:
        reply = await ask(app, "/ticker xold 8")
        own = await ask(app, "/ticker XWUP 8")
    finally:
        async with app.db.transaction() as writer:
            await writer.execute("DELETE FROM renames")

    assert reply.message.banners == (f"XOLD is called XWUP since {days[-3]}.",)
    facts = dict(own.message.facts)
    assert dict(reply.message.facts) == facts
    # Before the rename XWUP was somebody else's: 5 of the 8 sessions are left out.
    assert facts["volume, 8 sessions"].startswith(" " * 5)
