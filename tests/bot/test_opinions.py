"""/feedback over the sample market."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.deliver import Courier
from alerts.feedback import Mark
from alerts.marks import keep, marks
from alerts.model import Destination
from alerts.publish import Outbox
from bot.app import App
from core.db import Value, insert
from tests.bot.small_market import ANN, BOB, HERE, STORED, TOLD, ask, at, shown, stored_market, told
from tests.chat import FakePlatform
from tests.market import NEWEST, NOW
from tests.records import anomaly, judged
from tests.shared import Shared


@pytest.fixture(scope="module")
def stored(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample market's last sessions, a copy for this module."""
    return stored_market(shared, tmp_path_factory.mktemp("stored"))


@pytest.fixture
async def app(stored: Path) -> AsyncIterator[App]:
    """The application over the stored market; nobody has marked a line."""
    async with at(stored) as opened_app:
        async with opened_app.db.transaction() as writer:
            await writer.execute("DELETE FROM feedback")
        yield opened_app


async def kept(app: App) -> list[Mark]:
    """All marks."""
    return await marks(app.db.rows, [app.ladder.top.series])


async def evidence(app: App, *, noise: int = 5, useful: int = 3, cheap: float = 4.2) -> None:
    """Marks of two readers: noise closed under $5, what was useful did not."""
    for n in range(noise + useful):
        line = anomaly(f"N{n}", session=NEWEST.date, close=cheap if n < noise else 50.0)
        mark = Mark((ANN, BOB)[n % 2], NEWEST.date, n >= noise, line)
        await keep(app.db, mark, app.ladder.top.series, place=HERE, now=NOW)


async def test_marks_and_the_proposal_read_as_reviewed(
    app: App, snapshot: SnapshotAssertion
) -> None:
    for text in ("/feedback", "/feedback useful qwoh", "/feedback noise $QWOH 2026-03-07",
                 "/feedback noise QWOH"):  # fmt: skip
        assert await shown(app, text) == snapshot(name=text)
    assert await shown(app, "/feedback") == snapshot(name="too little")
    await evidence(app)
    assert await shown(app, "/feedback") == snapshot(name="proposal")


async def test_a_mark_is_of_the_line_as_it_was_said(app: App) -> None:
    for who in (ANN, BOB):
        for day in TOLD:
            for line in (await app.commands.digests.report(day)).pushed:
                assert (await ask(app, f"/feedback useful {line.ticker.lower()} {day}", who)).ok
    found = await kept(app)
    lines = [a for day in TOLD for a in (await app.commands.digests.report(day)).pushed]
    assert {(m.who, m.session, m.anomaly.ticker) for m in found} == {
        (who, a.session, a.ticker) for who in (ANN, BOB) for a in lines
    }
    assert all(m.anomaly in lines for m in found)
    row = await app.db.row("SELECT place, said_at FROM feedback LIMIT 1")
    assert row is not None
    assert (row["place"], row["said_at"]) == (HERE, NOW.isoformat(timespec="seconds"))


async def test_what_a_channel_was_told_can_be_marked_there_line_or_not(app: App) -> None:
    series, day, here = app.ladder.top.series, STORED[-4], Destination.parse(HERE)
    made = [anomaly(name, session=day.date) for name in ("MUTD", "LINE", "BEYD")]
    made.append(anomaly("FOLD", session=day.date, continuing=True))
    made.append(anomaly("XWUP", session=day.date, suspected="2-for-1"))
    async with app.db.transaction() as writer:
        mute: dict[str, Value] = {
            "owner": HERE,
            "kind": "ticker",
            "value": "MUTD",
            "since": str(STORED[-5]),
        }
        await insert(writer, "mutes", mute | {"sessions": 1, "why": "", "set_by": "", "set_at": ""})
        found = judged(*made, session=day.date, series=series)
        await Outbox([here], 1)(writer, found, NOW)
    await Courier(app.db, {"discord": FakePlatform()}, lambda: NOW).drain()

    for name in ("mutd", "LINE", "beyd", "$FOLD"):
        assert (await ask(app, f"/feedback noise {name} {day}")).ok, name
    assert {m.anomaly for m in await kept(app)} == set(found.anomalies[:4])
    said = await told(app, f"/feedback noise XWUP {day}")
    assert said.startswith(f"XWUP is not in the digest of {day}"), "it was held back"


async def test_the_proposal_is_the_preview_of_its_setting_and_changes_nothing(app: App) -> None:
    await evidence(app)
    rule, before = app.ladder.top.rule, await kept(app)
    reply, preview = [(await ask(app, text)).message for text in ("/feedback", "/preview price:5")]
    assert reply.lead == (
        "5 of 5 noise marks closed under $5.00; ALERT_MIN_PRICE_USD=5 would have left those out"
        " and lost 0 of 3 useful ones."
    )
    assert reply.rows == preview.rows
    assert reply.facts[-len(preview.facts) :] == preview.facts
    assert any(line.startswith("nothing was changed; ALERT_MIN_PRICE_USD=5") for line in
               reply.footer)  # fmt: skip
    assert (app.ladder.top.rule, await kept(app)) == (rule, before)


async def test_marks_of_lines_that_are_left_out_by_now_are_said_and_do_not_count(app: App) -> None:
    await evidence(app, cheap=0.5)
    reply = (await ask(app, "/feedback")).message
    assert dict(reply.facts)["left out already"] == "5 marks, by the present settings"
    assert reply.lead.startswith("A proposal needs 5 noise marks (there are 0)")


async def test_where_no_setting_helps_it_says_so(app: App) -> None:
    await evidence(app, cheap=60.0)
    said = await told(app, "/feedback")
    assert said.startswith("No single setting would have left out a third of 5 noise marks")


async def test_each_way_to_be_wrong_has_its_own_sentence(app: App) -> None:
    sentences = {
        "/feedback good QWOH": "'good' is neither useful nor noise. /feedback [useful|noise TICK",
        "/feedback useful": "Which line? /feedback useful TICKER [DATE]",
        "/feedback noise ZAAP": f"ZAAP is not in the digest of {NEWEST}, so there is no line to",
        "/feedback noise XWUPP": "XWUPP is not a ticker in the sessions stored here; near it: XWUP",
        "/feedback noise QWOH soon": "'soon' is no date",
        "/feedback noise QWOH 2026-03-06 x": "'x' is one word too many",
        f"/feedback noise QWOH {date(2999, 1, 4)}": "2999-01-04 is in the future",
    }
    for text, sentence in sentences.items():
        reply = await ask(app, text)
        assert not reply.ok, text
        assert reply.message.lead.startswith(sentence), text
    assert await kept(app) == []


async def test_without_data_there_is_a_sentence(tmp_path: Path) -> None:
    async with at(tmp_path) as app:
        assert (await told(app, "/feedback useful XWUP")).startswith("There is no data yet")
        assert (await told(app, "/feedback")).startswith("Nobody has marked a line yet")
        await evidence(app)
        effect = dict((await ask(app, "/feedback")).message.facts)["the last sessions"]
        assert effect.startswith("There is no data yet: `python -m bot once`")


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60))
async def test_whatever_is_typed_there_is_an_answer(app: App, text: str) -> None:
    for typed in (f"/feedback x{text}", f"/feedback useful {text}", f"/feedback noise QWOH {text}"):
        reply = await ask(app, typed)
        assert reply.message.lead
        assert "failed on our side" not in reply.message.lead
