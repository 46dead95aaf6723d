"""What marks add up to: enough evidence, one setting, nothing useful lost if it can be helped."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.feedback import (
    LEAST_REMOVED,
    MOST_LOST,
    Mark,
    Proposal,
    missing,
    propose,
    standing,
    tally,
)
from alerts.feedback_card import Offer, feedback_card, marked, no_setting
from alerts.marks import keep, marks
from alerts.model import Message
from alerts.preview_card import Tried
from bot.platforms.console import render
from core.anomaly import Rule
from core.db import Db
from tests.fakes import SERIES
from tests.records import SESSION, anomaly
from tests.states import new_state

NOW = datetime(2026, 12, 18, 6, tzinfo=UTC)
RULE = Rule()


def mark(useful: bool = False, who: str = "discord:@1", days_ago: int = 0, **line: Any) -> Mark:
    """One reader's word on one line."""
    session = SESSION - timedelta(days=days_ago)
    return Mark(who, session, useful, anomaly(session=session, **line))


def noise(*values: float, **by: Any) -> list[Mark]:
    """Noise marks of lines that differ in one number: close=2.9."""
    ((field, _),) = by.items()
    changes: list[dict[str, Any]] = [{field: value} for value in values]
    return [mark(who=f"discord:@{n % 2}", **change) for n, change in enumerate(changes)]


def useful(count: int = 3, **line: Any) -> list[Mark]:
    """Useful marks of plain lines."""
    return [mark(useful=True, **line) for _ in range(count)]


CASES: list[tuple[str, Sequence[Mark], Proposal | None]] = [
    ("cheap ones", [*noise(1.2, 2.9, 2.1, 2.4, 40.0, close=0), *useful()],
     Proposal("price", 3.0, 4, 5, 0, 3)),
    ("thin ones", [*noise(1.1e6, 2.2e6, 3.9e6, 1.4e6, 9e7, adv_usd=0), *useful()],
     Proposal("floor", 4e6, 4, 5, 0, 3)),
    ("close to the cut", [*noise(4.1, 4.2, 4.3, 4.6, 9.0, z=0), *useful()],
     Proposal("min", 4.75, 4, 5, 0, 3)),
    ("a useful one in between stops it", [*noise(1.2, 1.4, 2.1, 2.4, 2.9, close=0),
     *useful(), mark(useful=True, close=2.2)], Proposal("price", 1.5, 2, 5, 0, 4)),
    ("a few may be lost, where nothing is free",
     [*noise(2.1, 2.4, 2.2, 2.3, 2.8, close=0), *useful(9), mark(useful=True, close=1.1)],
     Proposal("price", 3.0, 5, 5, 1, 10)),
    ("but not more than one in ten",
     [*noise(2.1, 2.4, 2.2, 2.3, 2.8, close=0), *useful(8), mark(useful=True, close=1.1)], None),
    ("nothing in common", [*noise(25.0, 30.0, 35.0, 40.0, 45.0, close=0), *useful()], None),
    ("what the share flags stays, whatever the cut",
     [mark(z=4.1, shifted=True) for _ in range(5)] + useful(), None),
    ("of two that do the same the narrower reason",
     [mark(close=2.2, z=4.1, who=f"discord:@{n}") for n in range(5)] + useful(),
     Proposal("price", 2.5, 5, 5, 0, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("said", "proposed"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_the_setting_that_removes_most_noise_and_nothing_useful(
    said: Sequence[Mark], proposed: Proposal | None
) -> None:
    assert propose(said, RULE) == proposed


def test_marks_that_the_present_settings_leave_out_do_not_count() -> None:
    said = [*noise(2.2, 8.0, close=0), *noise(4.2, 7.0, z=0), *noise(2e6, 9e6, adv_usd=0)]
    strict = Rule(min_close_usd=5.0, min_z=5.0, min_adv_usd=5e6)
    assert [m.anomaly.close for m in standing(said, strict)] == [8.0, 24.5, 24.5]
    assert standing(said, RULE) == said


@pytest.mark.parametrize(
    ("said", "needs"),
    [
        ([*noise(1, 2, 3, 4, 5, close=0), *useful()], ""),
        ([*[mark(days_ago=n % 3) for n in range(5)], *useful()], ""),
        ([*noise(1, 2, 3, close=0), *useful()], "5 noise marks (there are 3)"),
        ([*[mark(days_ago=n % 2) for n in range(5)], *useful()],
         "noise marks by 2 readers or over 3 sessions (so far 1 reader, 2 sessions)"),
        ([mark(), mark(useful=True)],
         ("5 noise marks (there is 1), 3 useful marks (there is 1) and noise marks by 2 readers or"
          " over 3 sessions (so far 1 reader, 1 session)")),
    ],
)  # fmt: skip
def test_too_little_evidence_says_what_is_missing(said: Sequence[Mark], needs: str) -> None:
    assert missing(said) == needs


lines = st.builds(
    lambda ok, close, z, adv: mark(ok, close=close, z=z, adv_usd=adv),
    st.booleans(), st.floats(1, 500), st.floats(4, 14), st.floats(1e6, 1e9),
)  # fmt: skip


@given(said=st.lists(lines, max_size=40))
def test_a_proposal_counts_right_and_keeps_its_promises(said: list[Mark]) -> None:
    found = propose(said, RULE)
    if found is None:
        return
    of = {"price": "close", "floor": "adv_usd", "min": "z"}[found.word]
    under = [m for m in said if getattr(m.anomaly, of) < found.value]
    assert found.removed == sum(not m.useful for m in under)
    assert found.lost == sum(m.useful for m in under) <= MOST_LOST * found.useful
    assert found.removed >= LEAST_REMOVED * found.noise
    assert found.noise + found.useful == len(said)
    # It came true: what it would have left out does not stand under it.
    name = {"price": "min_close_usd", "floor": "min_adv_usd", "min": "min_z"}[found.word]
    changes: dict[str, Any] = {name: found.value}
    assert standing(under, Rule(**changes)) == []


def test_the_cards_read_as_reviewed(snapshot: SnapshotAssertion) -> None:
    said = [*noise(1.2, 2.9, 2.1, 2.4, 40.0, close=0), *useful(9)]
    effect = Message(title="", lead="With price $3.00 instead of $1.00: 151 lines instead of 240"
                     " over 60 sessions.", facts=(("a session", "median 2 lines, now 4 lines"),),
                     footer=("nothing was changed",))  # fmt: skip
    found = propose(said, RULE)
    assert found is not None
    offer = Offer(found, Tried("price", "$1.00", "$3.00", "ALERT_MIN_PRICE_USD=3"), effect)
    cards = [
        feedback_card(tally(said), offer, "", 2, ""),
        feedback_card(tally(said), None, no_setting(tally(said)), 0, ""),
        feedback_card(tally([]), None, "never read", 0, ""),
        marked(said[0], None, ["a note"], ""),
    ]
    assert "\n\n---\n\n".join(render(card, 90) for card in cards) == snapshot
    assert marked(said[0], True, (), "").lead.endswith("; before, you had called it useful.")
    assert marked(said[0], False, (), "").lead.endswith("was marked as noise by you already.")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    """A fresh state database."""
    async with Db.open(await new_state(tmp_path)) as opened:
        yield opened


async def test_a_mark_is_kept_with_the_line_as_it_was_and_the_other_word_replaces_it(
    db: Db,
) -> None:
    line = mark(useful=True, peak_session=date(2026, 12, 14), before_ratio=2.0)
    assert await keep(db, line, SERIES, place="discord:7", now=NOW) is None
    assert await marks(db.rows, [SERIES]) == [line]
    other = Mark(line.who, line.session, False, line.anomaly)
    assert await keep(db, other, SERIES, place="discord:7", now=NOW) is True
    assert await keep(db, other, SERIES, place="discord:8", now=NOW) is False
    second = Mark("discord:@2", line.session, True, line.anomaly)
    assert await keep(db, second, SERIES, place="discord:7", now=NOW) is None
    assert await marks(db.rows, [SERIES]) == [other, second]
    assert await marks(db.rows, [SERIES.other_scope]) == []
