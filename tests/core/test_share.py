"""core.share against the same rule written slowly, and what must and must not move it."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.anomaly import Rule
from core.bars import Scope
from core.context import in_context
from core.detect import score
from core.measure import Known, Window, measure
from core.share import MEASURED, logit
from core.splits import Split
from tests.core import slow_rule
from tests.core.panel import (
    LAST,
    SESSIONS,
    Rows,
    bar,
    changed,
    frame,
    gappy,
    in_both,
    measured,
    noisy,
    off_exchange,
)

DATES = [s.date for s in SESSIONS]
BOTH = [Scope.ALL, Scope.OFF_EXCHANGE]
CROWD = [r for n in range(7) for r in noisy(f"M{n}", 1e6)] + noisy("LOUD", 1e6)

few = settings(max_examples=12, deadline=None)


def busy_off(rows: Rows, t: int = LAST) -> Rows:
    """Of some names nearly everything trades off exchange in one session, of others nothing."""
    for tickers, change in ((("T001", "T009"), hardly), (("T004", "T012"), twice)):
        for ticker in tickers:
            rows = changed(rows, ticker, t, change)
    return rows


def hardly(row: dict[str, Any]) -> dict[str, Any]:
    return {"volume": row["volume"] * 0.02}


def twice(row: dict[str, Any]) -> dict[str, Any]:
    return {"volume": row["volume"] * 2}


def gaps(rows: Rows) -> Rows:
    """Without some of the rows: FINRA does not know every ticker every day."""
    return [r for n, r in enumerate(rows) if n % 23 and not (r["ticker"] == "T015" and n % 2)]


EVERY = gappy(60)
OFF = gaps(busy_off(busy_off(off_exchange(EVERY)), 70))


def today(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    newest = frame.filter(pl.col("session") == DATES[LAST])
    return {r["ticker"]: r for r in newest.iter_rows(named=True)}


@pytest.mark.parametrize("scope", BOTH)
def test_every_share_is_that_of_the_formulas(scope: Scope) -> None:
    every, off = slow_rule.panel(EVERY, DATES), slow_rule.panel(OFF, DATES)
    # Liquidity is that of the judged series; prices are those of all venues.
    off.columns["close"] = {k: every.columns["close"][k] for k in off.tickers}
    own = every if scope is Scope.ALL else off
    lambdas = slow_rule.logits(every, off)
    wanted = slow_rule.standing(own, {k: lambdas[k] for k in own.tickers}, 0.10)
    # Above 1 it is a mismatch: neither a share nor its volume is of any use.
    volumes = {k: [v if x is not None else None for v, x in
                   zip(off.columns["volume"].get(k, [None] * 82), lambdas[k], strict=True)]
               for k in own.tickers}  # fmt: skip
    if scope is Scope.OFF_EXCHANGE:
        volumes = off.columns["volume"]
    logs = {k: [slow_rule.log(v) for v in line] for k, line in volumes.items()}
    dark = slow_rule.standing(own, logs, 0.15)

    compared = 0
    for k, row in today(in_both(EVERY, OFF, scope)).items():
        if own.bucket(k) is None:
            continue
        level = wanted.level[k][LAST]
        usual = None if level is None else 1 / (1 + math.exp(-level))
        near = [wanted.z[k][LAST], usual, dark.z[k][LAST]]
        got = [row["z_share"], row["usual_share"], row["z_off_volume"]]
        assert got == [None if v is None else pytest.approx(v, abs=1e-8) for v in near], k
        assert row["n_share"] == wanted.n[k][LAST]
        compared += near[0] is not None and near[2] is not None
    assert compared > 25


def test_both_scopes_tell_the_same_share_of_a_name() -> None:
    one, other = (today(in_both(CROWD, off_exchange(CROWD), s))["LOUD"] for s in BOTH)

    for name in ("share", "usual_share", "z_share", "n_share", "off_volume", "off_transactions"):
        assert one[name] == pytest.approx(other[name], abs=1e-9), name
    assert one["off_transactions"] > 0
    assert one["z_off_volume"] == pytest.approx(other["z_off_volume"], abs=1e-9)
    assert one["z_volume"] != pytest.approx(one["z_off_volume"], abs=0.01)


volumes = st.integers(0, 10**12).map(float)


def of(off: float, every: float, scope: Scope) -> float | None:
    """The logit as the bars of a scope have it."""
    rows = [pl.DataFrame([bar("A", LAST, v)]) for v in (every, off)]
    own, other = rows if scope is Scope.ALL else reversed(rows)
    found = in_context(own, other, scope).select(logit(scope).alias("x"))["x"].item()
    return None if found is None else float(found)


@given(volumes, volumes)
def test_the_logit_is_symmetric_finite_and_the_same_from_either_scope(a: float, b: float) -> None:
    one, other = of(a, a + b, Scope.ALL), of(b, a + b, Scope.ALL)

    if a + b == 0:
        assert one is None
        return
    assert one is not None
    assert other is not None
    assert math.isfinite(one)
    assert one == pytest.approx(-other, abs=1e-4)
    assert one == pytest.approx(math.log((a + 50) / (b + 50)), abs=1e-4)
    if a:
        assert of(a, a + b, Scope.OFF_EXCHANGE) == pytest.approx(one, abs=1e-4)


@pytest.mark.parametrize("scope", BOTH)
def test_all_and_nothing_off_exchange_are_finite_numbers(scope: Scope) -> None:
    rows = CROWD + noisy("ALLOFF", 1e6) + noisy("NONE", 1e6)
    off = off_exchange(rows)
    off = [r | {"volume": 0.0} if r["ticker"] == "NONE" else r for r in off]
    off = [
        r | {"volume": whole["volume"]} if r["ticker"] == "ALLOFF" else r
        for r, whole in zip(off, rows, strict=True)
    ]

    found = today(in_both(rows, off, scope))

    assert found["ALLOFF"]["share"] == 1
    assert found["ALLOFF"]["usual_share"] == pytest.approx(1, abs=1e-3)
    assert abs(found["ALLOFF"]["z_share"]) < 3
    if scope is Scope.ALL:
        assert found["NONE"]["share"] == 0
        assert found["NONE"]["usual_share"] == pytest.approx(0, abs=1e-3)
        assert abs(found["NONE"]["z_share"]) < 3
        assert found["NONE"]["z_off_volume"] is None


@few
@given(st.integers(0, 10_000), st.sampled_from(BOTH))
def test_the_order_of_rows_changes_nothing(seed: int, scope: Scope) -> None:
    own, other = (EVERY, OFF) if scope is Scope.ALL else (OFF, EVERY)
    bars = in_context(frame(own), frame(other), scope)
    mixed = bars.sample(fraction=1.0, shuffle=True, seed=seed)

    once, again = (measure(Window.of(b, SESSIONS, scope), SESSIONS, Known()) for b in (bars, mixed))

    assert score(once, Rule()).equals(score(again, Rule()))


@pytest.mark.parametrize("scope", BOTH)
def test_only_the_volume_of_off_exchange_bars_counts(scope: Scope) -> None:
    wild = [r | {"open": 0.01, "high": 1e6, "low": 0.01, "close": 99.0, "vwap": 1e5} for r in OFF]
    drop = "vwap"

    plain, other = (score(in_both(EVERY, off, scope), Rule()).drop(drop) for off in (OFF, wild))

    assert len(plain) > 40
    assert other.equals(plain)


@pytest.mark.parametrize("scope", BOTH)
def test_a_split_does_not_move_the_share(scope: Scope) -> None:
    split = Split(DATES[60], "LOUD", 1, 20)
    off = off_exchange(CROWD)

    told, untold = (today(in_both(CROWD, off, scope, known))["LOUD"] for known in ([split], []))

    for name in ("share", "usual_share", "z_share", "n_share", "off_volume"):
        assert told[name] == untold[name], name
    assert told["z_volume"] != untold["z_volume"]
    assert told["z_off_volume"] != untold["z_off_volume"]


def test_the_tested_session_is_not_in_its_own_baseline() -> None:
    off = off_exchange(CROWD)
    shifted = changed(off, "LOUD", LAST, lambda r: {"volume": r["volume"] * 2})

    before, after = (today(in_both(CROWD, o, Scope.ALL))["LOUD"] for o in (off, shifted))

    assert (after["usual_share"], after["n_share"]) == (before["usual_share"], before["n_share"])
    assert after["z_share"] > before["z_share"] + 2


def test_what_every_name_did_is_removed() -> None:
    # 40 names in one bucket: enough for a market's part.
    rows = [r for n in range(40) for r in noisy(f"N{n:02}", 1e6)]
    off = off_exchange(rows)

    def busier(*tickers: str) -> Rows:
        """Today three times the odds of trading off exchange."""
        found = Rows()
        for r, whole in zip(off, rows, strict=True):
            times = 3 if r["session"] == DATES[LAST] and r["ticker"] in tickers else 1
            odds = times * r["volume"] / (whole["volume"] - r["volume"])
            found.append(r | {"volume": whole["volume"] * odds / (1 + odds)})
        return found

    calm, alone, together = (
        today(in_both(rows, busier(*tickers), Scope.ALL))["N00"]["z_share"]
        for tickers in ([], ["N00"], [r["ticker"] for r in rows])
    )

    assert alone > calm + 2
    assert together == pytest.approx(calm, abs=1e-3)


def test_without_the_other_scope_nothing_is_known_of_the_share() -> None:
    found = measured(frame(CROWD)).select("share", "off_transactions", *MEASURED)

    assert set(found.null_count().row(0)) == {len(found)}
