"""What a channel is told: its wishes, its list, its mutes; never more than everybody is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.editions import edition
from alerts.letters import pushed
from alerts.message import digest
from alerts.model import Report
from alerts.rank import report
from alerts.wants import EVERYTHING, Wants
from bot.platforms import discord_text, slack_text
from core.anomaly import Anomaly
from core.bars import Scope
from core.labels import OFF_EXCHANGE_SHIFT
from tests.records import anomaly, judged

PLAIN = anomaly("PLAN", z=4.2, tier="notable")
RARE = anomaly("RARE", z=5.2, tier="rare")
FUND = anomaly("FUND", kind="ETF", tier="extreme")
MOVED = anomaly("MOVD", label=OFF_EXCHANGE_SHIFT, shifted=True, share=0.8, z_share=5.0)
ALL = (RARE, PLAIN, FUND, MOVED)


def lines(wants: Wants = EVERYTHING, *found: Anomaly, **more: object) -> list[str]:
    """The tickers a channel is told."""
    return [a.ticker for a in told(wants, *found, **more).pushed]


def told(wants: Wants = EVERYTHING, *found: Anomaly, **more: object) -> Report:
    """What a channel is told."""
    return edition(judged(*(found or ALL)), wants, 10, None, **more)  # type: ignore[arg-type]


def test_without_wishes_it_is_the_report() -> None:
    assert replace(told(), wants=None) == report(judged(*ALL), 10)


@pytest.mark.parametrize(
    ("wants", "heard", "words"),
    [
        (Wants(scope=Scope.OFF_EXCHANGE), ["MOVD"], "off-exchange only"),
        (Wants(min_tier="rare"), ["RARE", "FUND", "MOVD"], "rare and up"),
        (Wants(min_tier="extreme"), ["FUND", "MOVD"], "extreme and up"),
        (Wants(top=2), ["RARE", "PLAN"], "at most 2 lines"),
        (Wants(etfs=False), ["RARE", "PLAN", "MOVD"], "no ETFs"),
        (Wants(watchlist=True), ["PLAN"], "watchlist only"),
        (Wants(silent=True), ["RARE", "PLAN", "FUND", "MOVD"], ""),
    ],
)
def test_each_wish_shortens_the_list_and_is_said(
    wants: Wants, heard: list[str], words: str
) -> None:
    own = told(wants, watched=["PLAN", "GONE"])
    assert [a.ticker for a in own.pushed] == heard
    assert own.wanted == words
    assert (own.settings == told().settings) is (not words), "other settings, another stamp"
    assert (f"this channel: {words}" in digest(own).context) is bool(words)


def test_a_line_of_a_low_cut_is_told_where_no_tier_is_asked_for() -> None:
    assert lines(EVERYTHING, replace(PLAIN, z=3.0, tier="usual")) == ["PLAN"]


def test_a_muted_line_gives_its_place_to_the_next_and_is_counted() -> None:
    own = told(Wants(top=2), hides=lambda a: a.ticker == "RARE")
    assert [a.ticker for a in own.pushed] == ["PLAN", "FUND"]
    assert [a.ticker for a in own.muted] == ["RARE"]
    assert "1 line muted: /mutes" in digest(own).footer


def test_what_is_muted_past_the_cap_is_not_counted() -> None:
    own = told(Wants(top=1), hides=lambda a: a.ticker == "MOVD")
    assert own.muted == ()


def test_a_day_with_nothing_for_a_channel_says_so_in_its_own_words() -> None:
    said = digest(told(Wants(watchlist=True)))
    assert said.lead == "Thu 17 Dec 2026: no line for this channel; 5,230 names judged."
    hushed = pushed(told(EVERYTHING, RARE, hides=lambda a: True))
    assert "no line for this channel (1 line muted: /mutes)" in hushed.lead
    for shown in (discord_text.rendered(hushed, ()).content, slack_text.rendered(hushed, ()).text):
        assert "1 line muted" in shown, "a quiet day is shown without its footer"


def test_a_mute_that_is_over_is_a_banner() -> None:
    own = told(notes=["mute over: PLAN (5 sessions; set by alice)"])
    assert digest(own).banners[-1] == "mute over: PLAN (5 sessions; set by alice)"


FOUND = st.lists(
    st.builds(
        anomaly,
        st.sampled_from([f"T{n}" for n in range(30)]),
        label=st.sampled_from(["news-like", "crowd", OFF_EXCHANGE_SHIFT]),
        kind=st.sampled_from(["common", "ETF"]),
        tier=st.sampled_from(["usual", "notable", "rare", "extreme"]),
        continuing=st.booleans(),
    ),
    unique_by=lambda a: a.ticker,
)
WISHES = st.builds(
    Wants,
    scope=st.sampled_from(Scope),
    min_tier=st.sampled_from(["usual", "rare"]),
    top=st.none() | st.integers(1, 5),
    watchlist=st.booleans(),
    etfs=st.booleans(),
)


@given(FOUND, WISHES, st.sets(st.sampled_from([f"T{n}" for n in range(30)])))
def test_nothing_is_told_that_is_not_wanted_and_nothing_muted_is_shown(
    found: list[Anomaly], wants: Wants, names: set[str]
) -> None:
    own = edition(judged(*found), wants, 10, None, names, lambda a: a.ticker < "T2")
    assert len(own.pushed) <= (wants.top or 10)
    for a in own.pushed:
        assert wants.hears(a, names)
        assert a.ticker >= "T2"
    assert {a.ticker for a in own.muted} <= {a.ticker for a in found if a.ticker < "T2"}
