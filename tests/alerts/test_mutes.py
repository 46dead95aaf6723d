"""Mutes: counted in sessions, ended once, and said; through the outbox to what a channel reads."""

import inspect
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alerts.kinds import LABELS
from alerts.model import Destination
from alerts.mutes import (
    DOUBLED,
    Mute,
    hides,
    mutes_of,
    put,
    rule_of,
    session_after,
    sessions_between,
    settled,
    silences,
)
from core.anomaly import Anomaly
from core.calendar import on_or_before, sessions, trading_day
from core.db import Db
from core.labels import CORPORATE_ACTION, OFF_EXCHANGE_SHIFT, label
from tests.records import anomaly, judged
from tests.states import new_state

HERE, THERE = Destination("fake", "C1"), Destination("fake", "C2")
PERSON = "fake:@7"
START = datetime(2026, 11, 25, 6, tzinfo=UTC)
TUE, WED, HALF, MON, TUE_AFTER = (
    *(date(2026, 11, 24), date(2026, 11, 25)),
    date(2026, 11, 27),  # a half day after Thanksgiving
    *(date(2026, 11, 30), date(2026, 12, 1)),
)


def a_mute(**changes: Any) -> Mute:
    """XYZQ in one channel, for two sessions after Tue 24 Nov."""
    plain: dict[str, Any] = {
        "id": 1, "owner": str(HERE), "kind": "ticker", "value": "XYZQ", "since": TUE,
        "sessions": 2, "until": None, "score": None, "why": "", "set_by": PERSON,
        "set_at": START.isoformat(),
    }  # fmt: skip
    return Mute(**(plain | changes))


@pytest.mark.parametrize(
    ("one", "held"),
    [
        (a_mute(sessions=1), [WED]),
        (a_mute(sessions=2), [WED, HALF]),
        (a_mute(sessions=3), [WED, HALF, MON]),
        (a_mute(sessions=None, until=HALF), [WED, HALF]),
        (a_mute(sessions=3, until=WED), [WED]),
        (a_mute(sessions=1, until=MON), [WED]),
        (a_mute(sessions=None, score=9.0), [WED, HALF, MON, TUE_AFTER]),
        (a_mute(sessions=None, score=9.0, ended_on=HALF, ended_by=DOUBLED), [WED]),
        (a_mute(sessions=3, ended_on=HALF, ended_by=PERSON), [WED, HALF]),
        (a_mute(sessions=3, ended_on=TUE, ended_by=PERSON), []),
    ],
)
def test_it_holds_for_the_sessions_after_it_was_set(one: Mute, held: list[date]) -> None:
    days = [TUE, WED, date(2026, 11, 26), HALF, date(2026, 11, 28), MON, TUE_AFTER]
    closed = {date(2026, 11, 26), date(2026, 11, 28)}
    assert [day for day in days if day not in closed and one.holds(day)] == held


DATES = st.dates(date(2004, 1, 1), date(2039, 1, 1)).map(lambda day: on_or_before(day).date)


@given(since=DATES, count=st.integers(1, 60))
def test_it_holds_for_exactly_so_many_sessions(since: date, count: int) -> None:
    one = a_mute(since=since, sessions=count)
    after = [day.date for day in sessions(since, session_after(since, count + 30))]
    assert [day for day in after if one.holds(day)] == after[1 : count + 1]
    assert one.through == after[count]
    assert sessions_between(since, after[count]) == count
    assert [one.active(day) for day in after] == [n < count for n in range(len(after))]


@given(since=DATES, far=st.integers(1, 200))
def test_until_a_date_it_holds_to_the_last_session_on_or_before_it(since: date, far: int) -> None:
    until = date.fromordinal(since.toordinal() + far)
    one = a_mute(since=since, sessions=None, until=on_or_before(until).date)
    held = [day.date for day in sessions(since, until) if one.holds(day.date)]
    assert held == [day.date for day in sessions(since, until)][1:]
    assert not one.holds(session_after(until, 1))


@pytest.mark.parametrize(
    ("one", "what", "term", "left"),
    [
        (a_mute(), "XYZQ", "2 sessions", "1 of 2 sessions left"),
        (a_mute(kind="label", value="quiet volume", sessions=1), "label “quiet volume”",
         "1 session", "0 of 1 session left"),
        (a_mute(kind="rule", value="trades", sessions=5, until=MON), "rule “trades”",
         "5 sessions or until 2026-11-30", "4 of 5 sessions left or through Mon 30 Nov 2026"),
        (a_mute(sessions=None, score=9.1), "XYZQ", "until its score doubles",
         "until its score reaches 18.2"),
    ],
)  # fmt: skip
def test_it_says_itself(one: Mute, what: str, term: str, left: str) -> None:
    assert (one.what, one.term, one.left(WED)) == (what, term, left)


LINES = [
    (a_mute(), anomaly("XYZQ"), True),
    (a_mute(), anomaly("XYZq"), False),
    (a_mute(kind="label", value="crowd"), anomaly(label="crowd"), True),
    (a_mute(kind="label", value="volume"), anomaly(label="quiet volume"), False),
    (a_mute(kind="rule", value="volume"), anomaly(feature="volume"), True),
    (a_mute(kind="rule", value="volume"), anomaly(label=OFF_EXCHANGE_SHIFT), False),
    (a_mute(kind="rule", value="off-exchange"), anomaly(label=OFF_EXCHANGE_SHIFT), True),
    (a_mute(sessions=None, score=5.0), anomaly(score=9.9), True),
    (a_mute(sessions=None, score=5.0), anomaly(score=10.0), False),
    # The score of a split means nothing.
    (a_mute(sessions=None, score=5.0), anomaly(score=50.0, suspected="2-for-1"), True),
    (a_mute(sessions=None, score=5.0), anomaly(score=50.0, label=CORPORATE_ACTION), True),
]


@pytest.mark.parametrize(("one", "line", "hidden"), LINES)
def test_what_it_hides(one: Mute, line: Anomaly, hidden: bool) -> None:
    assert hides([one], line, WED) is hidden
    assert not hides([one], line, TUE), "what was said before stays said"
    assert silences([one], line.ticker, line, WED) is hidden
    assert silences([one], "XYZQ", None, WED) is (one.kind == "ticker")


def test_every_label_of_a_line_can_be_muted() -> None:
    named = set(re.findall(r'pl\.lit\("([^"]+)"\)', inspect.getsource(label)))
    assert named | {OFF_EXCHANGE_SHIFT} == set(LABELS)
    assert rule_of(anomaly(feature="trades")) == "trades"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


async def test_the_same_again_replaces_the_one_before(db: Db) -> None:
    first, none = await put(db, a_mute())
    assert none is None
    second, replaced = await put(db, a_mute(since=WED, sessions=7))
    assert replaced == first
    assert await put(db, a_mute(owner=str(THERE))) != (first, None)
    before, now = await mutes_of(db.rows, [str(HERE)], TUE)
    assert now == second
    assert (before.ended_on, before.ended_by) == (WED, PERSON)
    assert [before.holds(day) or now.holds(day) for day in (TUE, WED, HALF)] == [False, True, True]


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    since=DATES,
    count=st.one_of(st.none(), st.integers(1, 8)),
    scores=st.lists(st.sampled_from([4.0, 12.0]), min_size=14, max_size=14),
    told=st.lists(st.integers(0, 13), min_size=1, max_size=24),
)
async def test_the_end_is_said_once_whatever_is_skipped_repeated_or_late(
    db: Db, since: date, count: int | None, scores: Sequence[float], told: Sequence[int]
) -> None:
    async with db.transaction() as writer:
        await writer.execute("DELETE FROM mutes")
    await put(db, a_mute(since=since, sessions=count, score=5.0))
    days = [day.date for day in sessions(since, session_after(since, 13))]
    said = dict[date, list[str]]()
    for n in told:
        found = judged(anomaly(session=days[n], score=scores[n]), session=days[n])
        async with db.transaction() as writer:
            (one,) = (await settled(writer, found)).get(str(HERE), [a_mute(ended_on=since)])
        said.setdefault(days[n], []).append(one.over(days[n]))
    ends = [day for day, texts in said.items() if any(texts)]
    assert len(ends) <= 1
    for day in ends:
        # A later revision says it still; an earlier one could not know.
        assert sorted(said[day], key=bool) == said[day]
    may_end = {n for n in told if (n > count if count else False) or (n and scores[n] >= 10)}
    assert bool(ends) is bool(may_end)
    assert all(trading_day(day) for day in ends)
