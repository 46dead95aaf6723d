"""My watchlist: five things a name can have done, five different answers."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.watch_view import Seen, State, look, places, watch_view, watchlist
from bot.platforms.console import render
from core.anomaly import Rule
from core.detect import anomalies, score
from core.labels import CORPORATE_ACTION
from tests.core import panel
from tests.core.panel import LAST, SESSIONS
from tests.records import DAILY, anomaly, said

DAY = SESSIONS[LAST].date
NAMES = ("LOUD", "NORM", "TINY", "YUNG", "NORMw", "GONE")


@cache
def seen(*, own: bool = True) -> tuple[Seen, ...]:
    """Each of the names in the last session of a panel."""
    rows = [
        *panel.changed(panel.noisy("LOUD", 2e6), "LOUD", LAST, lambda r: {"volume": 4e7}),
        *panel.noisy("NORM", 2e6),
        *panel.noisy("A", 2e6),
        *panel.noisy("TINY", 2e4),
        *panel.noisy("YUNG", 2e6, times=range(LAST - 11, LAST + 1)),
        *panel.noisy("NORMw", 2e6),
        *panel.noisy("GONE", 2e6, times=range(LAST)),
    ]
    scores = score(panel.measured(panel.frame(rows)), Rule())
    found = {a.ticker: a for a in anomalies(scores)}
    by_ticker = {row["ticker"]: row for row in scores.iter_rows(named=True)}
    place = {"LOUD": "line 1 of 1"}
    return tuple(
        look(name, by_ticker.get(name), found.get(name), place.get(name, ""), Rule(), DAILY,
             own=own)
        for name in NAMES
    )  # fmt: skip


def test_each_has_its_own_answer() -> None:
    by = {s.ticker: s for s in seen()}
    assert {name: s.state for name, s in by.items()} == {
        "LOUD": State.FLAGGED,
        "NORM": State.BELOW,
        "TINY": State.FLOORED,
        "YUNG": State.NEW,
        "NORMw": State.FLOORED,
        "GONE": State.ABSENT,
    }
    assert by["NORM"].said == "+1.3% · 1.0× expected trades, z 0.1; cut 4"
    assert by["TINY"].said == "usual dollar volume $195.2k a day, floor $1.0M"
    assert by["YUNG"].said == "11 of 20 sessions"
    assert by["NORMw"].said == "kind when issued"
    assert by["GONE"].said == "no trade"


def test_the_view_and_the_list_read_as_reviewed(snapshot: SnapshotAssertion) -> None:
    mixed = [*seen()[:4], *seen(own=False)[4:]]
    notes = ["XOLD is called NORM since 2026-11-02."]
    assert render(watch_view(mixed, {"YUNG"}, DAY, DAILY, notes, "detector 2"), 90) == snapshot
    assert render(watchlist("Your watchlist", mixed, DAY, DAILY), 90) == snapshot


def test_when_all_are_muted_it_says_so() -> None:
    view = watch_view(seen(), NAMES, DAY, DAILY)
    assert view.lead == "Fri 20 Nov 2026: every watched name is muted in your own view."
    assert view.footer[0] == "6 names muted in your own view: /mutes"
    assert not view.rows
    assert not view.sections


def test_the_place_of_a_name_is_that_in_the_digest_of_the_channel() -> None:
    again = anomaly("FOLD", continuing=True)
    found = said(
        anomaly("FUND", kind="ETF"), anomaly("ONE"), again, anomaly("SPLT", label=CORPORATE_ACTION),
        anomaly("STEP", suspected="2-for-1"), *(anomaly(f"N{n}") for n in range(9)),
    )  # fmt: skip
    by = places(found)
    assert by["ONE"] == "line 1 of 7"
    assert by["FUND"] == "line 7 of 7", "funds are numbered last"
    assert by["N8"] == "past the cap of the digest"
    assert by["FOLD"] == "still elevated: folded as a repeat"
    assert by["SPLT"] == "listed as a corporate action"
    assert by["STEP"] == "held back as a possible unreported split"


@pytest.mark.parametrize("count", [1, 4, 5])
def test_the_lead_names_three_and_counts_the_rest(count: int) -> None:
    lines = [anomaly(f"T{n}", score=9.0 - n) for n in range(count)]
    shown = [look(a.ticker, None, a, "", Rule(), DAILY) for a in lines]
    lead = watch_view(shown, (), DAY, DAILY).lead
    assert lead.startswith(f"Fri 20 Nov 2026: {count} of {count} watched name")
    assert (" and " in lead) == (count > 3)
    assert lead.count("6.2× volume") == min(count, 3)


@given(muted=st.sets(st.sampled_from(NAMES)))
def test_every_name_is_shown_once_or_counted_as_muted(muted: set[str]) -> None:
    view = watch_view(seen(), muted, DAY, DAILY)
    heads = [row.head for row in (*view.rows, *(r for s in view.sections for r in s.rows))]
    assert sorted(head.split()[0] for head in heads) == sorted(set(NAMES) - muted)
    counted = [line for line in view.footer if "muted" in line]
    assert counted == ([f"{len(muted)} name{'s' * (len(muted) > 1)} muted in your own view: /mutes"]
                       if muted else [])  # fmt: skip
