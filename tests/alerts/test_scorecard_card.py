"""The scorecard's words: no number of the flags stands without its base."""

import re
from dataclasses import replace
from datetime import date

from syrupy.assertion import SnapshotAssertion

from alerts.scorecard_card import scorecard_card
from bot.platforms.console import render
from core.scorecard import Compared, Outcome, Scorecard
from tests.records import DAILY

FULL = Outcome(
    horizon=1, flags=1062, later=30, gone=10, gone_base=0.0004, alone=2,
    size=Compared(1.27, 0.75, 0.4, 0.66),
    above=Compared(0.55, 0.50, 0.03, 0.07),
    mean=Compared(0.001, -0.00001, -0.003, 0.002),
    median=Compared(-0.003, -0.0001),
)  # fmt: skip
BARE = replace(FULL, size=Compared(1.0, 0.8), above=Compared(0.5, 0.5), mean=Compared(0.0, 0.0),
               horizon=5, flags=1, later=0, gone=0, alone=0)  # fmt: skip
NONE = Outcome(20, 0, 9, 0, 0.0, 0, None, None, None, None)
CARD = Scorecard(63, 1102, (FULL, BARE, NONE), (("news-like", replace(FULL, horizon=5)),))


def shown(card: Scorecard) -> str:
    """The card as text."""
    message = scorecard_card(card, "a1b2c3", date(2026, 11, 20), ["a note"], DAILY)
    return render(message, 100)


def test_the_card_as_reviewed(snapshot: SnapshotAssertion) -> None:
    assert shown(CARD) == snapshot


def test_no_share_of_the_flags_stands_without_its_base() -> None:
    text = " ".join(shown(CARD).split())
    measures = re.split(r" · |; |(?<=\)) ", text)
    for said in (m for m in measures if re.search(r"rose more|size of the move \d|moved", m)):
        assert "base" in said, said
    assert "win" not in text.lower()
    assert not re.search(r"\b(because|caus|led to|predict|due to)", text)


def test_no_minus_stands_before_nothing() -> None:
    assert "−0.0%" not in shown(CARD)


def test_what_cannot_be_compared_is_said() -> None:
    none = replace(CARD, flags=0, horizons=(replace(NONE, later=0),), labels=())
    assert "Nothing was flagged in these sessions" in shown(none)
    early = replace(CARD, flags=9, horizons=(NONE,), labels=())
    assert "9 flags, and none with a later close to compare yet." in shown(early)
    assert "interval" not in shown(early)
    assert "1 session after 1,062 flags" in shown(replace(CARD, horizons=(FULL, NONE), labels=()))
