"""core.news: which headline stands beside a ticker."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.news import MAX_NAMED, Headline, Story, newest
from tests.frames import day

SINCE = day("2026-11-19").close
UNTIL = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def story(title: str, hours: float, *tickers: str) -> Story:
    """Published so many hours after the close before."""
    at = SINCE + timedelta(hours=hours)
    return Story(Headline(title, "Wire", f"https://example.com/{title}", at), tickers)


def titles(*stories: Story) -> dict[str, str]:
    return {t: h.title for t, h in newest(stories, SINCE, UNTIL).items()}


def test_the_newest_since_the_close_before_stands_beside_each_ticker() -> None:
    told = titles(story("late", 20, "AAA"), story("early", 2, "AAA", "BBB"), story("c", 3, "BApA"))

    assert told == {"AAA": "late", "BBB": "early", "BApA": "c"}


@pytest.mark.parametrize(
    ("hours", "there"), [(-1.0, False), (0.0, False), (0.01, True), (29.0, True), (29.01, False)]
)
def test_only_what_was_published_in_between_counts(hours: float, there: bool) -> None:
    assert bool(titles(story("x", hours, "AAA"))) is there


def test_a_round_up_is_nobodys_headline() -> None:
    many = [f"T{n}" for n in range(MAX_NAMED + 1)]

    assert titles(story("movers", 5, *many), story("own", 1, "T0")) == {"T0": "own"}
    assert len(titles(story("eight", 5, *many[:-1]))) == MAX_NAMED


def test_a_story_without_tickers_is_nobodys() -> None:
    assert titles(story("macro", 1)) == {}


STORIES = st.lists(
    st.builds(
        story,
        st.sampled_from(["a", "b", "c"]),
        st.integers(-2, 40),
        st.sampled_from(["AAA", "BBB"]),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(STORIES, st.permutations(range(8)))
def test_the_order_of_the_stories_does_not_matter(stories: list[Story], order: list[int]) -> None:
    mixed = [stories[i] for i in order if i < len(stories)]

    assert newest(mixed, SINCE, UNTIL) == newest(stories, SINCE, UNTIL)
