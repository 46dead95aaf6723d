"""core.detect: the slow rule's numbers, every gate, every label, nothing left to luck."""

import math
from collections.abc import Sequence
from dataclasses import astuple, fields, replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.anomaly import Anomaly, Rule, tier
from core.baseline import FEATURES
from core.detect import anomalies, lingering, market, raw_hits, score
from core.splits import Split
from tests.core import slow_rule
from tests.core.panel import LAST, SESSIONS, Rows, bar, changed, frame, gappy, measured, noisy

DATES = [s.date for s in SESSIONS]
RULE = Rule()
GAPPY = gappy(60)
CROWD = [r for n in range(7) for r in noisy(f"M{n}", 1e6)]
CALM = CROWD + noisy("LOUD", 1e6)

few = settings(max_examples=12, deadline=None)


def scored(rows: Rows, splits: Sequence[Split] = (), rule: Rule = RULE) -> pl.DataFrame:
    return score(measured(frame(rows), SESSIONS, splits), rule)


def line(scores: pl.DataFrame, ticker: str = "LOUD") -> dict[str, Any]:
    return scores.row(by_predicate=pl.col("ticker") == ticker, named=True)


def loud(
    rows: Rows, volume_x: float = 10, trades_x: float | None = None, ret: float = 0.0,
    t: int = LAST, ticker: str = "LOUD",
) -> Rows:  # fmt: skip
    """The same with one ticker's session so many times as busy, its close moved by `ret`."""
    (before,) = (r for r in rows if r["ticker"] == ticker and r["session"] == DATES[t - 1])
    close = before["close"] * (1 + ret)
    counted = volume_x if trades_x is None else trades_x
    return changed(rows, ticker, t, lambda r: {
        "volume": r["volume"] * volume_x, "transactions": round(r["transactions"] * counted),
        "open": close, "high": close * 1.01, "low": close * 0.99, "close": close,
    })  # fmt: skip


def everywhere(rows: Rows, ticker: str, **times: float) -> Rows:
    """The same with columns of one ticker multiplied in every session."""
    return [
        {**r, **{c: r[c] * x for c, x in times.items()}} if r["ticker"] == ticker else r
        for r in rows
    ]


def priced(rows: Rows, times: float) -> Rows:
    return everywhere(rows, "LOUD", open=times, high=times, low=times, close=times)


def test_scores_are_those_of_the_slow_rule() -> None:
    # Twins tie in every number; those that trade 90 times their volume moved far as well.
    rows = GAPPY + [{**r, "ticker": f"W{n}"} for r in noisy("W", 1.1e6) for n in range(9)]
    for ticker in ("T001", "T004", "T009", "W0"):
        rows = changed(
            rows,
            ticker,
            LAST,
            lambda r: {"volume": r["volume"] * 90, "close": (r["close"] or 10) * 1.5},
        )
    panel = slow_rule.panel(rows, DATES)
    slow = {f: slow_rule.activity(panel, column) for f, column in FEATURES.items()}
    ret, gap = (slow_rule.move_z(panel, price) for price in ("close", "open"))
    moved = {k: slow_rule.louder(ret[k], gap[k]) for k in ret}

    def z(ticker: str, t: int) -> float | None:
        return slow_rule.louder(slow["volume"].z[ticker][t], slow["trades"].z[ticker][t])

    rare = slow_rule.rarity(panel, z)
    found = scored(rows)

    assert len(found) == sum(panel.columns["volume"][k][LAST] is not None for k in panel.tickers)
    for row in found.filter(pl.col("bucket").is_not_null()).iter_rows(named=True):
        k = row["ticker"]
        wanted = [slow["volume"].z[k][LAST], slow["trades"].z[k][LAST], z(k, LAST), ret[k], gap[k]]
        got = [row["z_volume"], row["z_trades"], row["z"], row["ret_z"], row["gap_z"]]
        assert got == pytest.approx(wanted, abs=1e-9), k
        if row["z"] is not None:
            assert (row["rarity"], row["rarity_is_floor"]) == (
                pytest.approx(rare[k][0], rel=1e-12), rare[k][1],
            )  # fmt: skip
            assert row["score"] == pytest.approx((wanted[2] or 0.0) + min(moved[k] or 0.0, 8.0))
    assert {floor for _, floor in rare.values()} == {True, False}
    assert any((moved[k] or 0.0) > 8 for k in rare)


def test_a_second_run_gives_the_same_bits() -> None:
    assert scored(GAPPY).equals(scored(GAPPY))


@few
@given(st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    # Twins tie in every number: only the ticker may decide between them.
    twins = [{**r, "ticker": f"TWIN{n}"} for r in noisy("TWIN", 1e6) for n in range(9)]
    rows = frame(CALM + twins)

    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=seed)

    assert score(measured(shuffled), RULE).equals(score(measured(rows), RULE))


@few
@given(st.floats(0.6, 1.7))
def test_a_ticker_of_other_size_but_the_same_shape_has_the_same_z(times: float) -> None:
    # Within its bucket: another bucket shrinks scales towards another median.
    rows = loud(CALM)

    was, now = scored(rows), scored(everywhere(rows, "LOUD", volume=times))

    assert line(now)["bucket"] == line(was)["bucket"]
    assert line(now)["z_volume"] == pytest.approx(line(was)["z_volume"], abs=1e-9)


@few
@given(st.floats(2e7, 1e9), st.integers(0, 99))
def test_a_ticker_of_another_bucket_changes_no_other_z(volume: float, seed: int) -> None:
    numbers = ["ticker", "z_volume", "z_trades", "z", "rarity", "bucket", "pass_history"]
    other = noisy("OTHER", volume, str(seed))

    alone = scored(loud(CALM)).sort("ticker").select(numbers)
    beside = scored(loud(CALM) + other).sort("ticker").select(numbers)

    assert beside.filter(pl.col("ticker") != "OTHER").equals(alone)


def test_a_calm_session_has_no_anomaly_and_a_loud_name_is_one() -> None:
    assert anomalies(scored(CALM)) == []

    (found,) = anomalies(scored(loud(CALM)))

    assert (found.ticker, found.rank, found.session) == ("LOUD", 1, DATES[LAST])
    assert found.value / found.normal == pytest.approx(found.ratio)
    assert found.volume_ratio == pytest.approx(10, rel=0.5)
    assert found.z == max(found.z_volume, found.z_trades or 0.0)
    assert (found.day_no, found.continuing, found.peak_ratio) == (1, False, None)
    assert found.tier == tier(found.z) == "extreme"


def test_the_louder_feature_is_the_one_that_is_said() -> None:
    (shares,) = anomalies(scored(loud(CALM, 30, 10)))
    (trades,) = anomalies(scored(loud(CALM, 10, 30)))

    assert (shares.feature, shares.unit, shares.value) == ("volume", "shares", shares.volume)
    assert (trades.feature, trades.unit, trades.value) == ("trades", "trades", trades.transactions)


def test_a_source_without_counts_is_judged_by_volume_alone() -> None:
    uncounted = [{**r, "transactions": None} for r in loud(CALM)]

    (found,) = anomalies(scored(uncounted))

    assert found.feature == "volume"
    assert (found.transactions, found.z_trades, found.trades_ratio) == (None, None, None)


def test_a_history_of_less_than_20_sessions_is_not_eligible_and_says_how_long_it_is() -> None:
    def born(t: int) -> dict[str, Any]:
        return line(scored(loud(CROWD + noisy("LOUD", 1e6, "", range(t, 82)))))

    short, enough = born(LAST - 19), born(LAST - 20)

    assert (short["sessions_seen"], short["pass_history"], short["eligible"]) == (19, False, False)
    assert (enough["sessions_seen"], enough["pass_history"], enough["alertable"]) == (
        20,
        True,
        True,
    )


def test_a_ticker_that_did_not_trade_today_is_not_in_the_scores() -> None:
    absent = [r for r in CALM if (r["ticker"], r["session"]) != ("LOUD", DATES[LAST])]
    idle = changed(CALM, "LOUD", LAST, lambda _: {"volume": 0.0, "transactions": 9})

    assert "LOUD" not in scored(absent)["ticker"].to_list()
    assert "LOUD" not in scored(idle)["ticker"].to_list()


GATED: dict[str, Rows] = {
    "pass_kind": [{**r, "ticker": r["ticker"].replace("LOUD", "LOUDpA")} for r in loud(CALM)],
    "pass_history": loud(CROWD + noisy("LOUD", 1e6, "", [*range(0, 40), *range(68, 82)])),
    "pass_adv": loud(everywhere(CALM, "LOUD", volume=0.05), 60),
    "pass_close": priced(loud(everywhere(CALM, "LOUD", volume=20)), 0.05),
    "pass_dollars": loud(everywhere(CALM, "LOUD", volume=0.13), 1.1, 9),
    "pass_trades": loud(CALM, 20, 0.01),
    "pass_usual_trades": loud(everywhere(CALM, "LOUD", transactions=0.008)),
}


@pytest.mark.parametrize("gate", GATED)
def test_each_gate_alone_stops_a_name(gate: str) -> None:
    rows = [{**r, "transactions": max(1, round(r["transactions"]))} for r in GATED[gate]]
    scores = scored(rows)

    found = line(scores, "LOUDpA" if gate == "pass_kind" else "LOUD")

    assert [k for k, v in found.items() if k.startswith("pass_") and not v] == [gate]
    assert (found["eligible"], found["alertable"]) == (False, False)
    assert anomalies(scores) == []


def test_a_split_today_is_restated_and_makes_no_alert() -> None:
    split = Split(DATES[LAST], "LOUD", 1, 20)
    (price,) = {r["close"] for r in CALM if (r["ticker"], r["session"]) == ("LOUD", DATES[LAST])}
    after = changed(CALM, "LOUD", LAST, lambda r: {
        "volume": r["volume"] * 20, **{c: r[c] / 20 for c in ("open", "high", "low", "close")},
    })  # fmt: skip
    lower = Rule(min_close_usd=0.01)

    assert [a.ticker for a in anomalies(scored(after, rule=lower))] == ["LOUD"]
    told = scored(after, [split], lower)

    assert anomalies(told) == []
    assert line(told)["z_volume"] == pytest.approx(line(scored(CALM))["z_volume"], abs=1e-9)
    assert line(told)["ret"] == pytest.approx(line(scored(CALM))["ret"], abs=1e-9)
    assert line(told)["label"] == "corporate action"
    assert line(told)["split"] == "20-for-1"
    assert price > 1


def test_a_split_in_the_future_is_not_known() -> None:
    earlier = SESSIONS[:-1]
    rows = frame([r for r in CALM if r["session"] != DATES[LAST]])
    split = Split(DATES[LAST], "LOUD", 1, 20)

    assert measured(rows, earlier, [split]).equals(measured(rows, earlier))


def faded() -> Rows:
    """A cheap stock that jumps by half, ends where it began, and closes at its low."""
    rows = priced(loud(CALM, 15), 0.3)
    return changed(rows, "LOUD", LAST, lambda r: {"high": r["close"] * 1.5})


LABELLED: dict[str, tuple[Rows, list[Split]]] = {
    "corporate action": (loud(CALM, 10, ret=0.3), [Split(DATES[LAST], "LOUD", 1, 1)]),
    "news-like": (loud(CALM, 10, ret=0.3), []),
    "block-like": (loud(CALM, 12, 1), []),
    "crowd": (loud(CALM, 8, 24), []),
    "spike-and-fade": (faded(), []),
    "quiet volume": (loud(CALM, 10), []),
    "volume": (loud(CALM, 10, ret=0.025), []),
}


@pytest.mark.parametrize("label", LABELLED)
def test_each_label_is_reached(label: str) -> None:
    rows, splits = LABELLED[label]

    (found,) = anomalies(scored(rows, splits))

    assert (found.ticker, found.label) == ("LOUD", label)


def test_a_name_without_a_return_is_neither_news_nor_quiet() -> None:
    rows = [r for r in loud(CALM) if (r["ticker"], r["session"]) != ("LOUD", DATES[LAST - 1])]

    (found,) = anomalies(scored(rows))

    assert (found.ret_pct, found.ret_z, found.label) == (None, None, "volume")


def test_a_second_loud_day_continues_the_first() -> None:
    rows = loud(loud(CALM, 12, t=LAST - 2), 10)

    (found,) = anomalies(scored(rows))

    assert (found.day_no, found.continuing) == (2, True)
    assert found.peak_session == DATES[LAST - 2]
    assert found.peak_ratio == pytest.approx(12, rel=0.6)


def test_half_again_above_the_peak_is_news() -> None:
    (found,) = anomalies(scored(loud(loud(CALM, 8, t=LAST - 2), 60)))

    assert (found.day_no, found.continuing) == (2, False)


def test_the_peak_is_the_highest_of_the_days_before() -> None:
    rows = loud(loud(loud(CALM, 9, t=LAST - 4), 40, t=LAST - 3), 9, t=LAST - 1)

    (found,) = anomalies(scored(loud(rows, 9)))

    assert (found.day_no, found.peak_session) == (4, DATES[LAST - 3])


def test_a_loud_day_six_sessions_ago_is_forgotten() -> None:
    (five,) = anomalies(scored(loud(loud(CALM, 12, t=LAST - 5), 10)))
    (six,) = anomalies(scored(loud(loud(CALM, 12, t=LAST - 6), 10)))

    assert (five.day_no, five.continuing) == (2, True)
    assert (six.day_no, six.continuing, six.peak_session) == (1, False, None)


def test_all_that_pass_the_gates_hold_the_alertable_ones_in_the_same_order() -> None:
    low = replace(RULE, min_z=1.0, min_adv_usd=1e5)
    scores = scored(GAPPY, rule=low)

    every, alertable = anomalies(scores, every=True), anomalies(scores)

    assert len(every) > len(alertable) > 3
    assert [a.ticker for a in every if a.alertable] == [a.ticker for a in alertable]
    for found in (every, alertable):
        assert [a.rank for a in found] == list(range(1, len(found) + 1))
        assert [a.score for a in found] == sorted((a.score for a in found), reverse=True)


def numbers(found: Anomaly) -> list[float]:
    return [v for v in astuple(found) if isinstance(v, float)]


def odd() -> Rows:
    """Names that could divide by zero: never a move, one trade a day, shares out of nowhere."""
    flat = [bar("FLAT", t, 1e6) for t in range(82)]
    single = [bar("ONE", t, 1e6, transactions=1) for t in range(82)]
    idle = [bar("IDLE", t, 1e6 * (t > 60), transactions=5) for t in range(82)]
    huge = [bar("HUGE", t, 1e12 if t == LAST else 1e-3) for t in range(82)]
    unpriced = [bar("NOPX", t, 1e6, open=None, high=None, low=None) for t in range(82)]
    return flat + single + idle + huge + unpriced


def test_no_anomaly_holds_a_number_that_is_none() -> None:
    no_floor = Rule(-99.0, 20, 0.0, 0.0, 0.0, 0, 0.0)
    found = anomalies(scored(GAPPY + odd(), rule=no_floor), every=True)

    assert {"FLAT", "ONE", "HUGE", "NOPX"} <= {a.ticker for a in found}
    assert all(math.isfinite(n) for a in found for n in numbers(a))


def test_the_market_is_counted() -> None:
    rows = CALM + noisy("NEW", 1e6, "", range(75, 82))
    double = [{**r, "volume": r["volume"] * 2} if r["session"] == DATES[LAST] else r for r in rows]

    found = market(scored(rows), RULE)

    assert (found.names, found.eligible, found.no_baseline) == (9, 8, 1)
    assert market(scored(double), RULE).typical_x == pytest.approx(found.typical_x * 2)


def test_a_step_like_a_split_is_named_beside_what_it_made_loud() -> None:
    after = changed(CALM, "LOUD", LAST, lambda r: {
        "volume": r["volume"] * 20,
        **{c: r["close"] / 20 * x for c, x in (("open", 1), ("high", 1.01), ("low", 0.99))},
        "close": r["close"] / 20,
    })  # fmt: skip

    (found,) = anomalies(scored(after, rule=Rule(min_close_usd=0.01)))

    assert (found.ticker, found.suspected, found.suspected_on) == ("LOUD", "20-for-1", DATES[LAST])
    known = scored(after, [Split(DATES[LAST], "LOUD", 1, 20)])
    assert line(known)["suspected"] is None


def test_a_repeat_says_how_many_of_the_sessions_were_loud() -> None:
    rows = loud(loud(loud(CALM, 9, t=LAST - 3), 12, t=LAST - 1), 6)

    (found,) = anomalies(scored(rows))

    assert (found.day_no, found.day_of, found.peak_session) == (3, 4, DATES[LAST - 1])
    assert found.before_ratio == found.peak_ratio
    assert found.before_ratio is not None
    assert found.ratio < found.before_ratio


def test_what_was_loud_and_is_still_elevated_lingers() -> None:
    def after(volume_x: float, ret: float = 0.2) -> pl.DataFrame:
        return scored(loud(loud(CALM, 12, t=LAST - 1), volume_x, ret=ret))

    (still,) = lingering(after(2.2))

    assert (still.ticker, still.day_no, still.day_of) == ("LOUD", 2, 2)
    assert RULE.still_z <= still.z < RULE.min_z
    assert not still.alertable
    assert lingering(after(2.2, 0.0)) == [], "its price is quiet again"
    assert lingering(after(0.9)) == lingering(after(12)) == []
    assert lingering(scored(loud(CALM, 2.2, ret=0.2))) == [], "it was not flagged before"


@pytest.mark.parametrize(("days_before", "named"), [(0, True), (1, False), (3, False)])
def test_a_split_is_named_on_its_first_session(days_before: int, named: bool) -> None:
    on = DATES[LAST] - timedelta(days=days_before)
    assert line(scored(CALM, [Split(on, "LOUD", 1, 2)]))["split"] == ("2-for-1" if named else None)


def test_a_split_of_a_sunday_is_named_on_monday() -> None:
    monday = next(t for t in range(LAST, 0, -1) if DATES[t].weekday() == 0)
    sunday = DATES[monday] - timedelta(days=1)
    days, bars = SESSIONS[: monday + 1], frame(CALM).filter(pl.col("session") <= DATES[monday])
    found = score(measured(bars, days, [Split(sunday, "LOUD", 1, 2)]), RULE)
    assert line(found)["split"] == "2-for-1"


def test_raw_hits_are_those_that_only_the_market_made() -> None:
    # Enough names for a bucket's factor; all trade tenfold, so nobody stands out.
    many = [r for n in range(40) for r in noisy(f"M{n}", 1.2e6)]
    rows = [{**r, "volume": r["volume"] * 10, "transactions": r["transactions"] * 10}
            if r["session"] == DATES[LAST] else r for r in many]  # fmt: skip
    scores = scored(rows)

    hits = raw_hits(scores, RULE)

    assert anomalies(scores) == []
    assert market(scores, RULE).held_back == len(hits) > 30
    assert all(a.ratio * a.market_x == pytest.approx(10, rel=0.9) for a in hits)
    assert raw_hits(scored(many), RULE) == []


def test_a_raw_hit_names_the_feature_that_is_over_the_cut() -> None:
    # All trade tenfold the shares; LOUD has more trades than others and hardly more than usual.
    many = [r for n in range(40) for r in noisy(f"M{n}", 1.2e6)] + noisy("LOUD", 1.2e6)
    rows = [{**r, "volume": r["volume"] * (5 if r["ticker"] == "LOUD" else 10),
             "transactions": round(r["transactions"] * (1.6 if r["ticker"] == "LOUD" else 1.0))}
            if r["session"] == DATES[LAST] else r for r in many]  # fmt: skip
    scores = scored(rows)
    row = line(scores)
    assert row["feature"] == "trades"
    assert row["raw_volume"] > RULE.min_z > row["raw_trades"]

    (hit,) = (a for a in raw_hits(scores, RULE) if a.ticker == "LOUD")

    assert (hit.feature, hit.unit, hit.value) == ("volume", "shares", row["volume"])
    assert math.log(hit.ratio) == pytest.approx(row["dev_volume"])
    assert math.log(hit.market_x) == pytest.approx(row["m_volume"])
    assert hit.z == row["z_volume"]


def test_a_rarity_recomputes_from_the_record() -> None:
    found = anomalies(scored(GAPPY), every=True)

    assert found
    for a in found:
        assert a.pool is not None
        assert a.exceeding is not None
        assert a.rarity_is_floor == (a.exceeding < 10)
        assert a.rarity == (a.pool / 10 if a.rarity_is_floor else (1 + a.pool) / (1 + a.exceeding))


def test_a_market_of_which_nothing_is_eligible_is_as_usual() -> None:
    assert market(scored([bar("A", LAST, 5.0)]), RULE).typical_x == 1.0


@pytest.mark.parametrize(
    ("z", "name"),
    [
        (3.99, "usual"),
        (4, "notable"),
        (4.99, "notable"),
        (5, "rare"),
        (6, "extreme"),
        (40, "extreme"),
    ],
)
def test_tiers_begin_at_whole_z(z: float, name: str) -> None:
    assert tier(z) == name


def test_a_rule_with_any_other_number_has_another_stamp() -> None:
    stamps = {replace(RULE, **{f.name: getattr(RULE, f.name) + 1}).stamp() for f in fields(RULE)}

    assert len(stamps | {RULE.stamp()}) == len(fields(RULE)) + 1
    assert Rule().stamp() == RULE.stamp()
