"""Cards of names without a price: no close, or none at all."""

from typing import Any

import polars as pl
import pytest

from alerts.cards import ticker_card
from alerts.model import Message
from alerts.why import why
from bot.platforms.console import render
from core.anomaly import Rule
from core.bars import Family, Scope, Series
from core.detect import score
from core.labels import OFF_EXCHANGE_SHIFT
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
    assert any(line.startswith("✘ off-exchange dollar volume: unknown, floor $") for line in told)
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


OFF_BARS = [{**row, "volume": row["volume"] * 0.9, "transactions": 30_000}
            if (row["ticker"], row["session"]) == ("ODD", SESSIONS[LAST].date)
            else {**row, "volume": row["volume"] * (0.30 + 0.01 * (n % 7))}
            for n, row in enumerate(unpriced({}, range(0)))]  # fmt: skip


def test_the_cards_say_how_far_out_the_share_is_and_each_condition() -> None:
    every = unpriced({}, range(0))
    own = panel.frame(OFF_BARS).filter(ticker="ODD").tail(20)
    rule = Rule(min_off_transactions=40_000)
    measured = panel.in_both(every, OFF_BARS, Scope.OFF_EXCHANGE)
    (row,) = score(measured, rule).filter(ticker="ODD").iter_rows(named=True)
    (met,) = score(measured, Rule()).filter(ticker="ODD").iter_rows(named=True)

    fact = dict(ticker_card(row, own, [], rule, SERIES, "").facts)["off exchange"]
    gates = [r.head for r in why(row, rule, "", SERIES, "").rows]

    assert fact == f"90% of its volume, usually 33%, z {row['z_share']:.1f}"
    assert gates[-8:-2] == [
        "· off-exchange shift: 4 of 5 conditions",
        f"✔ off-exchange share: 90% of its volume, usually 33%, z {row['z_share']:.1f}, 4 needed",
        f"✔ off-exchange volume: z {row['z_volume']:.1f}, 3 needed",
        f"✔ off-exchange dollars: ${row['volume'] * row['close'] / 1e6:.1f}M, floor $5.0M",
        "· off-exchange trades: 30.0k, floor 40.0k",
        "✔ history of the share: 60 sessions, 40 needed",
    ]
    assert "✔ off-exchange shift: 5 of 5 conditions" in [
        r.head for r in why(met, Rule(), "", SERIES, "").rows
    ]


def test_a_row_that_only_its_share_flags_was_flagged() -> None:
    rule = Rule(min_z=20.0)
    measured = panel.in_both(unpriced({}, range(0)), OFF_BARS, Scope.OFF_EXCHANGE)
    (row,) = score(measured, rule).filter(ticker="ODD").iter_rows(named=True)

    gates = why(row, rule, "line 1 of 1", SERIES, "")
    card = ticker_card(row, panel.frame(OFF_BARS).filter(ticker="ODD"), [], rule, SERIES, "")

    assert row["label"] == OFF_EXCHANGE_SHIFT
    assert gates.lead == "ODD was flagged (line 1 of 1)."
    assert f"· score: z {row['z']:.1f}, cut 20" in [r.head for r in gates.rows]
    assert card.lead.endswith("unlike itself, off exchange 90% of its volume, usually 33%.")


ODD_DAY = panel.noisy("ODD", 2e6) + panel.noisy("A", 2e6) + panel.noisy("B", 2e6)


def odd(rule: Rule) -> dict[str, Any]:
    """The row of ODD."""
    scores = score(panel.measured(panel.frame(ODD_DAY)), rule)
    (row,) = scores.filter(ticker="ODD").iter_rows(named=True)
    return row


def gates_of(rule: Rule, series: Series, **changes: Any) -> list[str]:
    """The lines of /why for ODD, with these numbers in its row."""
    return [line.head for line in why(odd(rule) | changes, rule, "", series, "").rows]


def test_why_says_whose_volume_and_trades_are_meant() -> None:
    row = odd(Rule())
    off = why(row, Rule(), "", Series(Scope.OFF_EXCHANGE, Family.TRADES), "")
    every = why(row, Rule(), "", Series(Scope.ALL, Family.DAILY), "")
    names = [
        *("usual off-exchange dollar volume", "off-exchange dollar volume"),
        *("off-exchange trades", "usual off-exchange trades", "usual off-exchange volume"),
        *("off-exchange volume", "usual off-exchange trades", "off-exchange trades"),
    ]

    told = [line.head.split(" ", 1)[1].split(":")[0] for line in off.rows]

    assert [name for name in told if "off-exchange" in name] == names
    assert not {"volume", "trades", "dollar volume", "usual volume"} & set(told)
    assert off.title == f"{every.title}, off exchange"
    assert "off-exchange" not in render(every, 100)


def test_what_failed_does_not_read_as_if_it_had_passed() -> None:
    series = Series(Scope.ALL, Family.DAILY)
    assert "✘ score: z 3.998, cut 4" in gates_of(Rule(), series, z=3.998)
    assert "✔ score: z 4.0, cut 4" in gates_of(Rule(), series, z=4.002)
    assert "✘ score: z 2.2, cut 4" in gates_of(Rule(), series, z=2.2)
    rule = Rule(min_z=4.04)
    assert "✔ score: z 4.04, cut 4.04" in gates_of(rule, series, z=4.041)
    rule = Rule(min_adv_usd=2e6, min_close_usd=5.0)
    near = gates_of(rule, series, adv=1_990_000.0, close=4.998, pass_adv=False, pass_close=False)
    assert "✘ usual dollar volume: $1,990,000 a day, floor $2,000,000" in near
    assert "✘ close: $4.9980, floor $5.0000" in near
    far = gates_of(rule, series, adv=1_500_000.0, pass_adv=False)
    assert "✘ usual dollar volume: $1.5M a day, floor $2.0M" in far
    usual = gates_of(Rule(), series, transactions=49.7, dev_trades=0.0, pass_usual_trades=False)
    assert "✘ usual trades: 49.7, floor 50.0" in usual


def test_a_repeat_that_is_a_line_all_the_same_was_flagged() -> None:
    (row,) = (
        score(panel.measured(panel.frame(unpriced({}, range(0)))), Rule())
        .filter(ticker="ODD")
        .iter_rows(named=True)
    )
    again = row | {"continuing": True, "repeats": 1}

    line = why(again, Rule(min_z=-9.0), "line 1 of 1", SERIES, "", pushed=True)
    folded = why(again, Rule(min_z=-9.0), "folded", SERIES, "")

    assert "· repeat: flagged 1x in the last 5 sessions" in [r.head for r in line.rows]
    assert "✘ repeat: flagged 1x in the last 5 sessions: folded" in [r.head for r in folded.rows]
    assert "repeat" not in line.lead
