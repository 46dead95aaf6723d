"""The alert on the off-exchange share: all its conditions at once, its label, its repeats."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from core.anomaly import Anomaly, Rule
from core.bars import Scope
from core.detect import anomalies, score
from core.labels import OFF_EXCHANGE_SHIFT
from core.splits import Split
from tests.core.panel import LAST, SESSIONS, Rows, in_both, noisy, off_exchange

DATES = [s.date for s in SESSIONS]
RULE = Rule()
BOTH = [Scope.ALL, Scope.OFF_EXCHANGE]
CROWD = [r for n in range(7) for r in noisy(f"M{n}", 4e6)] + noisy("LOUD", 4e6)


def shifting(rows: Rows = CROWD, t: int = LAST, share: float = 0.9, usual: float = 0.3) -> Rows:
    """What of the rows was off exchange; in one session so much of LOUD's volume."""
    found = Rows()
    for r, whole in zip(off_exchange(rows, usual), rows, strict=True):
        if (r["ticker"], r["session"]) == ("LOUD", DATES[t]):
            part = {"volume": whole["volume"] * share}
            part["transactions"] = int(whole["transactions"] * share)
            r = r | part
        found.append(r)
    return found


def scored(rows: Rows, off: Rows, scope: Scope, rule: Rule = RULE) -> pl.DataFrame:
    return score(in_both(rows, off, scope), rule)


def line(rows: Rows, off: Rows, scope: Scope, rule: Rule = RULE) -> dict[str, Any]:
    return scored(rows, off, scope, rule).row(by_predicate=pl.col("ticker") == "LOUD", named=True)


@pytest.mark.parametrize("scope", BOTH)
def test_a_shift_is_found_in_either_scope(scope: Scope) -> None:
    rule = replace(RULE, min_z=9.0)

    (found,) = anomalies(scored(CROWD, shifting(), scope, rule), scope)

    assert (found.ticker, found.label, found.shifted) == ("LOUD", OFF_EXCHANGE_SHIFT, True)
    assert found.alertable
    assert found.share == pytest.approx(0.9)
    assert found.usual_share == pytest.approx(0.3, abs=0.03)
    assert (found.z_share or 0.0) > 4
    assert (found.z_off_volume or 0.0) > 3
    assert found.n_share == 60
    assert found.off_volume == pytest.approx(0.9 * (found.volume if scope is Scope.ALL else
                                                    found.volume / 0.9))  # fmt: skip
    assert (found.off_transactions or 0) >= 200


def test_a_row_that_its_volume_flags_keeps_its_label_and_is_shifted_as_well() -> None:
    off = shifting(usual=0.15)

    (found,) = anomalies(scored(CROWD, off, Scope.OFF_EXCHANGE), Scope.OFF_EXCHANGE)

    assert found.z >= 4
    assert (found.label, found.shifted) == ("quiet volume", True)


def test_it_is_ranked_by_the_z_of_its_share_which_counts_up_to_6() -> None:
    rule = replace(RULE, min_z=9.0)
    row = line(CROWD, shifting(), Scope.ALL, rule)
    far = line(CROWD, shifting(share=0.999), Scope.ALL, rule)

    assert row["score"] == pytest.approx(min(row["z_share"], 6) + row["move_z"])
    assert far["z_share"] > 6
    assert far["score"] == pytest.approx(6 + far["move_z"])


STOPPED: dict[str, Rule] = {
    "share": replace(RULE, min_share_z=50.0),
    "volume": replace(RULE, min_off_volume_z=50.0),
    "dollars": replace(RULE, min_off_dollar_volume_usd=1e9),
    "trades": replace(RULE, min_off_transactions=10**6),
    "history": replace(RULE, min_share_sessions=61),
}


@pytest.mark.parametrize("scope", BOTH)
@pytest.mark.parametrize("condition", STOPPED)
def test_each_condition_alone_stops_the_alert(condition: str, scope: Scope) -> None:
    rule = replace(STOPPED[condition], min_z=9.0)

    row = line(CROWD, shifting(), scope, rule)

    assert [k for k, v in row.items() if k.startswith("shift_") and not v] == [f"shift_{condition}"]
    assert (row["shifted"], row["alertable"], row["label"]) == (False, False, "quiet volume")


def few(r: dict[str, Any]) -> dict[str, Any]:
    return r | {"transactions": 199} if r["session"] == DATES[LAST] else r


CASES: dict[str, tuple[Rows, Rows, str]] = {
    "the share is only somewhat higher": (CROWD, shifting(share=0.45), "share"),
    "199 trades": (CROWD, [few(r) for r in shifting()], "trades"),
}


@pytest.mark.parametrize("case", CASES)
def test_as_the_bars_have_it(case: str) -> None:
    rows, off, stopped = CASES[case]
    row = line(rows, off, Scope.ALL)
    assert not row[f"shift_{stopped}"]
    assert not row["shifted"]


def test_a_share_known_for_39_sessions_is_too_young() -> None:
    def known(sessions: int) -> dict[str, Any]:
        since = DATES[LAST - sessions]
        off = [r for r in shifting() if r["ticker"] != "LOUD" or r["session"] >= since]
        return line(CROWD, off, Scope.ALL)

    young, enough = known(39), known(40)

    assert (young["n_share"], young["shift_history"], young["shifted"]) == (39, False, False)
    assert (enough["n_share"], enough["shift_history"], enough["shifted"]) == (40, True, True)


def test_trades_that_the_source_never_counts_stop_nothing() -> None:
    uncounted = [r | {"transactions": None} for r in shifting()]

    row = line(CROWD, uncounted, Scope.OFF_EXCHANGE)

    assert row["off_transactions"] is None
    assert (row["shift_trades"], row["shifted"]) == (True, True)


def test_a_name_that_does_not_pass_the_gates_is_not_shifted() -> None:
    row = line(CROWD, shifting(), Scope.ALL, replace(RULE, min_close_usd=1e3))

    assert all(v for k, v in row.items() if k.startswith("shift_"))
    assert (row["shifted"], row["alertable"]) == (False, False)


def test_a_low_share_makes_no_alert() -> None:
    off = shifting(share=0.02)

    row = line(CROWD, off, Scope.ALL)

    assert row["z_share"] < -4
    assert (row["shifted"], row["alertable"]) == (False, False)
    assert anomalies(scored(CROWD, off, Scope.ALL)) == []


def test_a_split_today_is_listed_and_not_called_a_shift() -> None:
    split = Split(DATES[LAST], "LOUD", 1, 1)
    found = score(in_both(CROWD, shifting(), Scope.ALL, [split]), RULE)
    assert found.filter(ticker="LOUD")["label"].to_list() == ["corporate action"]


def again(scope: Scope, days_ago: int) -> Anomaly:
    """Shifted today and so many sessions ago."""
    before = shifting(t=LAST - days_ago, usual=0.12)
    off = [a if a["session"] == DATES[LAST] else b
           for a, b in zip(shifting(usual=0.12), before, strict=True)]  # fmt: skip
    (found,) = anomalies(scored(CROWD, off, scope, replace(RULE, min_z=9.0)), scope)
    return found


@pytest.mark.parametrize("scope", BOTH)
def test_a_second_shift_within_five_sessions_is_folded(scope: Scope) -> None:
    five, six = again(scope, 5), again(scope, 6)

    assert (five.day_no, five.continuing, five.label) == (2, True, OFF_EXCHANGE_SHIFT)
    assert (six.day_no, six.continuing) == (1, False)
