"""Cards of names without a price: no close, or none at all."""

from typing import Any

import polars as pl
import pytest

from alerts.cards import ticker_card, why
from alerts.model import Message
from bot.platforms.console import render
from core.anomaly import Rule
from core.bars import Family, Scope, Series
from core.detect import score
from tests.core import panel
from tests.core.panel import LAST, SESSIONS, Rows

SERIES = Series(Scope.OFF_EXCHANGE, Family.FINRA)
NONE = dict.fromkeys(("open", "high", "low", "close"))


def unpriced(values: dict[str, Any], sessions: range) -> Rows:
    """ODD beside others, with these values in these sessions."""
    rows = [*panel.noisy("ODD", 2e6), *panel.noisy("A", 2e6), *panel.noisy("B", 2e6)]
    for t in sessions:
        rows = panel.changed(rows, "ODD", t, lambda row: values)
    return rows


ALWAYS, TODAY = range(LAST + 1), range(LAST, LAST + 1)
CASES: dict[str, tuple[Rows, str]] = {
    "never a price": (unpriced(NONE, ALWAYS), "no price"),
    "none today": (unpriced(NONE, TODAY), "no price"),
    "no close today": (unpriced({"open": None, "close": None, "high": 7.0, "low": 6.5}, TODAY),
                       "no price ($6.50 to $7.00)"),
    "no trade counted either": (unpriced(NONE | {"transactions": None}, ALWAYS), "no price"),
    "only today, and no price": (
        [row for row in unpriced(NONE, TODAY)
         if row["ticker"] != "ODD" or row["session"] == SESSIONS[LAST].date], "no price"),
}  # fmt: skip


def shown(rows: Rows) -> tuple[Message, Message]:
    """Both cards of ODD."""
    bars = panel.frame(rows)
    (row,) = score(panel.measured(bars), Rule()).filter(ticker="ODD").iter_rows(named=True)
    grid = pl.DataFrame({"session": [d.date for d in SESSIONS[-20:]]})
    own = grid.join(bars.filter(ticker="ODD"), on="session", how="left").sort("session")
    return ticker_card(row, own, [], Rule(), SERIES, ""), why(row, Rule(), "", SERIES, "")


@pytest.mark.parametrize(("rows", "said"), CASES.values(), ids=CASES.keys())
def test_a_name_without_a_price_has_both_cards(rows: Rows, said: str) -> None:
    card, gates = shown(rows)
    assert card.title.startswith("ODD no price · ")
    assert card.lead.startswith("ODD no price: not flagged: ")
    facts = dict(card.facts)
    assert facts["price"] == said
    told = [row.head for row in gates.rows]
    assert "✘ close: no price, floor $1.00" in told
    assert any(line.startswith("✘ dollar volume: unknown, floor $") for line in told)
    assert gates.lead.startswith("ODD was not flagged: ")
    for message in (card, gates):
        assert "None" not in render(message, 100)


def test_closes_that_are_all_unknown_are_no_line() -> None:
    card, _ = shown(CASES["never a price"][0])
    assert dict(card.facts)["close, 20 sessions"] == "no price"
    card, _ = shown(CASES["none today"][0])
    assert "▁" in dict(card.facts)["close, 20 sessions"]


def test_a_name_that_did_not_trade_and_never_had_a_price_has_a_card() -> None:
    bars = panel.frame([row for row in unpriced(NONE, ALWAYS) if row["ticker"] == "ODD"])
    card = ticker_card(None, bars.tail(20), [], Rule(), SERIES, "")
    assert dict(card.facts)["price"] == "no price"
    assert "None" not in render(card, 100)
