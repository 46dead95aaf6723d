"""/watch and `/anomalies mine` over the sample market."""

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.subscriptions import watch, watched
from bot.app import App
from bot.watching import MOST_NAMES, told_apart
from core.bars import Series
from core.calendar import TradingDay
from core.db import Value, insert
from core.store import Store
from tests.bot.small_market import ANN, BOB, HERE, STORED, ask, at, shown, stored_market, told
from tests.market import NEWEST, NOW
from tests.shared import Shared


@pytest.fixture(scope="module")
def stored(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample market's last sessions, a copy for this module."""
    return stored_market(shared, tmp_path_factory.mktemp("stored"))


@pytest.fixture
async def app(stored: Path) -> AsyncIterator[App]:
    """The application over the stored market; nobody watches or mutes anything."""
    async with at(stored) as opened_app:
        async with opened_app.db.transaction() as writer:
            await writer.execute("DELETE FROM watchlists")
            await writer.execute("DELETE FROM mutes")
        yield opened_app


class Searched(frozenset[str]):
    """Names that know how often all of them were gone through, and by which threads."""

    def __init__(self, *_: object) -> None:
        self.searchers: list[int] = []

    def __iter__(self) -> Iterator[str]:
        self.searchers.append(threading.get_ident())
        return super().__iter__()

    @property
    def searches(self) -> int:
        return len(self.searchers)


class Watched(Store):
    """A store whose names are Searched."""

    names = Searched()

    def tickers(self, series: Series, days: Sequence[TradingDay]) -> frozenset[str]:
        self.names = Searched(super().tickers(series, days))
        return self.names


async def on(app: App, owner: str = ANN) -> tuple[str, ...]:
    """What is on a list."""
    return (await watched(app.db.rows, [owner]))[owner]


async def test_lists_and_views_read_as_reviewed(app: App, snapshot: SnapshotAssertion) -> None:
    for text in ("/watch", "/watch add qwoh, $XWUP ZXEC qjow XWUPP", "/watch add QVUP qwoh",
                 "/watch add xwic qqip here", "/watch list", "/watch LIST here", "/anomalies mine",
                 f"/anomalies {STORED[-2]} Mine", "/watch remove qwoh NOPE"):  # fmt: skip
        assert await shown(app, text) == snapshot(name=text)


async def test_good_names_are_taken_although_another_is_wrong(app: App) -> None:
    reply = await ask(app, "/watch add xwup XWUPP =1")
    assert reply.ok
    assert reply.message.lead == "XWUP added."
    assert [row.head for row in reply.message.rows] == [
        "XWUPP is not a ticker in the sessions stored here; near it: XWUP, XZUP, XXUP",
        "'=1' cannot be a ticker. /watch [add|remove|list] [TICKERS] [here]",
    ]
    assert await on(app) == ("XWUP",)


async def test_each_has_their_own_list_and_operators_change_the_channels(app: App) -> None:
    await ask(app, "/watch add XWUP", ANN, operator=False)
    await ask(app, "/watch add ZAAP", BOB, operator=False)
    for text in ("/watch add XWIC here", "/watch remove XWIC here"):
        said = await told(app, text, BOB, operator=False)
        assert said == "Changing this channel's list is for operators; ask one of them"
    assert (await ask(app, "/watch list here", operator=False)).ok
    await ask(app, "/watch add XWIC here")
    lists = [await on(app, owner) for owner in (ANN, BOB, HERE)]
    assert lists == [("XWUP",), ("ZAAP",), ("XWIC",)]


async def test_here_in_capitals_is_a_ticker(app: App) -> None:
    said = await told(app, "/watch add HERE")
    assert said.startswith("HERE is not a ticker in the sessions stored here")
    assert (await told(app, "/watch list HERE")).startswith("This channel's watchlist is empty")


async def test_a_name_that_is_gone_from_the_market_can_be_removed(app: App) -> None:
    await watch(app.db, ANN, ["OLD.X", "XWUP"], who=ANN, now=NOW)
    assert "OLD.X  no trade" in await shown(app, "/anomalies mine")
    assert await told(app, "/watch remove old.x") == "OLD.X removed."
    said = await told(app, "/watch remove XWPU")
    assert said == "XWPU is not on your watchlist; near it: XWUP"
    assert await on(app) == ("XWUP",)


async def test_a_renamed_name_is_shown_as_it_is_called_now(app: App) -> None:
    await watch(app.db, ANN, ["XOLD"], who=ANN, now=NOW)
    async with app.db.transaction() as writer:
        row = ("XWUP", "XOLD", "XWUP", str(STORED[-9]))
        await writer.execute("INSERT INTO renames VALUES (?, ?, ?, ?)", row)
    try:
        view = await shown(app, "/anomalies mine")
        added = (await ask(app, "/watch add xold")).message
    finally:
        async with app.db.transaction() as writer:
            await writer.execute("DELETE FROM renames")
    assert f"XOLD is called XWUP since {STORED[-9]}." in view
    assert "XWUP  " in view
    assert added.lead == "XWUP added."
    assert added.banners == (f"XOLD is called XWUP since {STORED[-9]}.",)


async def test_a_list_has_room_for_so_many(app: App) -> None:
    await watch(app.db, ANN, [f"N{n}" for n in range(MOST_NAMES - 1)], who=ANN, now=NOW)
    reply = (await ask(app, "/watch add XWUP ZAAP QWOH")).message
    assert reply.lead == "XWUP added."
    assert reply.rows[0].head == "a list has room for 100 names: ZAAP, QWOH not added"
    assert len(await on(app)) == MOST_NAMES


@pytest.mark.parametrize("action", ["add", "remove"])
async def test_hundreds_of_words_are_refused_before_any_is_looked_up(app: App, action: str) -> None:
    words = " ".join(f"QQ{n}" for n in range(MOST_NAMES + 1))
    assert await told(app, f"/watch {action} {words} XWUP") == (
        "That is 102 names at once; a list has room for 100, so name at most as many"
    )
    assert await on(app) == ()


def test_near_names_are_only_looked_for_where_they_are_shown() -> None:
    names = Searched({"XWUP", "ZAAP"})
    good, wrong = told_apart([*(f"XWU{n}" for n in range(50)), "zaap"], names, [])
    assert good == {"ZAAP": ""}
    assert len(wrong) == 50
    assert wrong[0].endswith("; near it: XWUP")
    assert names.searches == 5


@pytest.mark.parametrize(
    "text", ["/watch add XWUPP", "/ticker XWUPP", "/why XWUPP", "/mute XWUPP", "/feedback useful Q"]
)
async def test_near_names_are_not_looked_for_on_the_event_loop(app: App, text: str) -> None:
    before = app.ladder.top.store
    store = Watched(before.files, before._own)
    app.ladder.rungs = [replace(app.ladder.top, store=store)]
    assert "is not a ticker" in await told(app, text)
    assert store.names.searches == 1
    assert threading.get_ident() not in store.names.searchers


async def test_own_mutes_are_honoured_counted_and_said_to_be_over(app: App) -> None:
    await ask(app, "/watch add QWOH XWUP ZAAP")
    before = STORED[-3]
    async with app.db.transaction() as writer:
        for number, (value, sessions) in enumerate((("QWOH", 1), ("XWUP", 5)), 1):
            row: dict[str, Value] = {
                "id": number,
                "owner": ANN,
                "kind": "ticker",
                "value": value,
                "why": "",
            }
            row |= {"since": str(before), "sessions": sessions, "set_by": ANN, "set_at": "2026"}
            await insert(writer, "mutes", row)
        # As the session after its only one left it.
        await writer.execute(
            "UPDATE mutes SET ended_on = ?, ended_by = 'its term' WHERE id = 1", (str(NEWEST),)
        )
    earlier = (await ask(app, f"/anomalies {STORED[-2]} mine")).message
    assert earlier.footer[0] == "2 names muted in your own view: /mutes"
    now = (await ask(app, "/anomalies mine")).message
    assert now.footer[0] == "1 name muted in your own view: /mutes"
    assert now.banners[-1] == f"mute over: QWOH (1 session; set by {ANN})"
    assert now.rows[0].head.startswith("QWOH")
    others = (await ask(app, "/watch add QWOH XWUP", BOB)).message
    assert others.lead == "QWOH, XWUP added."
    assert not any("muted" in f for f in (await ask(app, "/anomalies mine", BOB)).message.footer)


async def test_each_way_to_be_wrong_has_its_own_sentence(app: App) -> None:
    sentences = {
        "/anomalies mine": "You watch nothing yet: /watch add NVDA AMD puts names on your list",
        "/anomalies mine raw": "mine and raw do not go together: choose one",
        "/anomalies all mine": "all and mine do not go together: choose one",
        "/anomalies mine as:now": "as:now and mine do not go together: choose one",
        "/anomalies mine 2999-01-01": "2999-01-01 is in the future",
        "/watch add": "Which tickers? /watch add NVDA AMD",
        "/watch remove here": "Which tickers? /watch remove NVDA AMD",
        "/watch ad XWUP": "/watch ad: did you mean /watch add?",
        "/watch XWUP": "/watch XWUP: there is /watch [add|remove|list] [TICKERS] [here]",
        "/watch list XWUP": "'XWUP' is one word too many. /watch list [here]",
        "/watch add XWUPP": "XWUPP is not a ticker in the sessions stored here; near it: XWUP",
    }
    for text, sentence in sentences.items():
        reply = await ask(app, text)
        assert not reply.ok, text
        assert reply.message.lead.startswith(sentence), text


async def test_a_session_that_is_not_in_yet_is_said(stored: Path) -> None:
    async with at(stored, NOW + timedelta(days=3)) as app:
        await ask(app, "/watch add XWUP")
        reply = (await ask(app, "/anomalies mine")).message
        assert reply.banners[0] == "Mon 9 Mar 2026 is not in yet; this is Fri 6 Mar 2026."


async def test_without_data_there_is_a_sentence(tmp_path: Path) -> None:
    async with at(tmp_path) as app:
        for text in ("/watch add XWUP", "/anomalies mine"):
            assert (await told(app, text)).startswith("There is no data yet: `python -m bot once`")
        assert (await ask(app, "/watch")).ok


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60))
async def test_whatever_is_typed_there_is_an_answer(app: App, text: str) -> None:
    for typed in (f"/watch {text}", f"/watch add {text}", f"/watch remove {text} here"):
        reply = await ask(app, typed)
        assert reply.message.lead
        assert "failed on our side" not in reply.message.lead
