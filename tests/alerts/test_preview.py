"""What other settings would have sent: counts, names, the card that fits a phone."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.preview import Told, preview
from alerts.preview_card import Tried, preview_card
from bot.platforms.console import render
from core.bars import Scope
from tests.records import DAILY

FIRST = date(2026, 9, 1)
PHONE = 28
STRICTER = Tried("min", "4", "5", "ALERT_MIN_Z=5")

tickers = st.lists(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), unique=True, max_size=26)
both = st.lists(st.tuples(tickers, tickers), min_size=1, max_size=60)


def told(*sides: tuple[str, str]) -> list[Told]:
    """Sessions in a row; each letter is a line."""
    return [
        Told(FIRST + timedelta(days=n), tuple(now), tuple(then))
        for n, (now, then) in enumerate(sides)
    ]


def shown(*sides: tuple[str, str]) -> str:
    """The card as text."""
    return render(preview_card(preview(told(*sides)), [STRICTER], [], DAILY), 60)


def test_counts_and_names_by_hand() -> None:
    found = preview(told(("ABC", "AB"), ("", "A"), ("AC", "A"), ("CD", "")))
    assert (found.now.total, found.then.total) == (7, 4)
    assert (found.now.median, found.then.median) == (2, 1)
    assert (found.now.most, found.then.most) == (3, 2)
    assert (found.now.quiet, found.then.quiet) == (1, 1)
    assert [(n.ticker, len(n.sessions)) for n in found.lost] == [("C", 3), ("D", 1)]
    assert found.lost[0].sessions[0] == FIRST + timedelta(days=3)
    assert [n.ticker for n in found.gained] == ["A"]


def test_sessions_come_oldest_first_in_whatever_order_they_were_judged() -> None:
    sides = told(("A", ""), ("B", ""), ("", "C"))
    assert preview(sides[::-1]) == preview(sides)


@given(tickers)
def test_the_same_settings_gain_and_lose_nothing(lines: list[str]) -> None:
    found = preview(told(("".join(lines), "".join(lines)), ("", "")))
    assert found.gained == found.lost == ()
    assert found.now == found.then


@given(both)
def test_what_was_gained_and_lost_is_the_whole_difference(
    sides: list[tuple[list[str], list[str]]],
) -> None:
    found = preview(told(*(("".join(a), "".join(b)) for a, b in sides)))
    gained = sum(len(n.sessions) for n in found.gained)
    lost = sum(len(n.sessions) for n in found.lost)
    assert gained - lost == found.then.total - found.now.total
    frequency = [len(n.sessions) for n in found.lost]
    assert frequency == sorted(frequency, reverse=True)
    for name in (*found.gained, *found.lost):
        assert list(name.sessions) == sorted(name.sessions, reverse=True)


@given(both)
def test_the_histogram_holds_every_session_and_fits_a_phone(
    sides: list[tuple[list[str], list[str]]],
) -> None:
    found = preview(told(*(("".join(a), "".join(b)) for a, b in sides)))
    rows = [row.head for row in preview_card(found, [STRICTER], [], DAILY).rows]
    assert all(len(row) <= PHONE for row in rows), rows
    numbers = [[int(word) for word in row[6:].split() if word.isdigit()] for row in rows[1:]]
    assert [sum(column) for column in zip(*numbers, strict=True)] == [len(sides)] * 2


def test_the_card_as_reviewed(snapshot: SnapshotAssertion) -> None:
    sides = [("ABC", "AB"), ("ABCDEFGHIJ", "ABCK"), ("", ""), ("D", ""), ("CD", "D")] * 12
    assert shown(*sides) == snapshot


def test_a_day_past_twenty_lines_has_its_own_row() -> None:
    many = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert "21-50" in shown(("A", many))
    assert "21-50" not in shown(("A", "AB"))


@pytest.mark.parametrize(("sides", "said"), [(("ABC", "D"), True), (("A", "AD"), False)])
def test_a_name_gained_with_fewer_lines_is_explained(sides: tuple[str, str], said: bool) -> None:
    assert ("gained with fewer lines" in shown(sides)) is said


def test_it_is_said_that_nothing_was_changed_and_what_would() -> None:
    text = " ".join(shown(("A", "")).split())
    assert "nothing was changed; ALERT_MIN_Z=5 in the settings makes it so" in text
    assert "not what was said then" in text


def test_off_exchange_is_in_the_title() -> None:
    off = replace(DAILY, scope=Scope.OFF_EXCHANGE)
    card = preview_card(preview(told(("A", ""))), [STRICTER], [], off)
    assert card.title == "Preview · 1 session to Tue 1 Sep 2026, off exchange"


def test_a_long_list_of_names_is_cut() -> None:
    facts = dict(preview_card(preview(told(("ABCDEFGHIJKLM", ""))), [STRICTER], [], DAILY).facts)
    assert facts["lost"] == (
        "13 names, 13 lines; last A 1 Sep, B 1 Sep, C 1 Sep, D 1 Sep, E 1 Sep, F 1 Sep and 7 more"
    )
    assert facts["gained"] == "none"
