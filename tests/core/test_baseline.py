"""core.baseline against the same rule written slowly from its formulas."""

import math
from functools import cache
from typing import Any

import polars as pl
import pytest

from core.baseline import FEATURES, LOOKBACK_SESSIONS, activity, grid, returns
from tests.core import slow_rule
from tests.core.panel import LAST, SESSIONS, Rows, bar, changed, frame, gappy, noisy

DATES = [s.date for s in SESSIONS]
GAPPY = gappy(60)
# Enough names in one bucket for its dispersion to count.
CROWDED = [r for n in range(115) for r in noisy(f"C{n:03}", 1e6)]


def dense(rows: Rows) -> pl.DataFrame:
    return grid(frame(rows), pl.Series("session", DATES, pl.Date))


@cache
def slow(name: str, feature: str) -> tuple[slow_rule.Panel, slow_rule.Feature]:
    panel = slow_rule.panel({"gappy": GAPPY, "crowded": WILD}[name], DATES)
    return panel, slow_rule.activity(panel, FEATURES[feature])


def louder(row: dict[str, Any]) -> dict[str, Any]:
    return {"volume": row["volume"] * 2}


def quieter(row: dict[str, Any]) -> dict[str, Any]:
    return {"volume": row["volume"] / 2}


def wild_today(rows: Rows) -> Rows:
    """Today every second name trades double and every third half: a day of wide z."""
    for n in range(115):
        rows = changed(rows, f"C{n:03}", LAST, louder if n % 2 else quieter)
    return rows


WILD = wild_today(CROWDED)


@pytest.mark.parametrize("feature", ["volume", "trades"])
@pytest.mark.parametrize("name", ["gappy", "crowded"])
def test_every_number_of_every_ticker_day_is_that_of_the_formulas(name: str, feature: str) -> None:
    panel, expected = slow(name, feature)
    table = dense({"gappy": GAPPY, "crowded": WILD}[name])
    found = table.select("ticker", "t", "bucket", "adv").hstack(activity(table, feature))

    assert len(found) == len(panel.tickers) * LOOKBACK_SESSIONS
    compared = 0
    for row in found.iter_rows(named=True):
        ticker, t = row["ticker"], row["t"]
        assert row["bucket"] == panel.bucket(ticker)
        if row["bucket"] is None:
            continue
        assert row["adv"] == pytest.approx(panel.adv(ticker), rel=1e-9)
        for column in ("m", "y", "level", "s", "z"):
            wanted = getattr(expected, column)[ticker][t]
            assert row[column] == (None if wanted is None else pytest.approx(wanted, abs=1e-9)), (
                ticker, t, column,
            )  # fmt: skip
            compared += wanted is not None
        if t:
            assert row["n"] == expected.n[ticker][t]
    assert compared > 10_000


def test_the_panels_reach_every_part_of_the_rule() -> None:
    panel, _ = slow("gappy", "volume")
    assert len(panel.buckets()) >= 4
    assert any(panel.bucket(t) is None for t in panel.tickers)
    _, crowded = slow("crowded", "volume")
    assert any(line[LAST] != 0 for line in crowded.m.values())
    bare = [(crowded.y[t][LAST] or 0.0) - (crowded.level[t][LAST] or 0.0) for t in crowded.y]
    wide = [d / (crowded.s[t][LAST] or 1.0) for t, d in zip(crowded.y, bare, strict=True)]
    # The bucket's dispersion of today divides every z.
    assert wide[0] / (crowded.z["C000"][LAST] or 1.0) > 1.5


@pytest.mark.parametrize(("column", "price"), [("ret_z", "close"), ("gap_z", "open")])
@pytest.mark.parametrize("name", ["gappy", "crowded"])
def test_moves_are_those_of_the_formulas(name: str, column: str, price: str) -> None:
    expected = slow_rule.move_z(slow(name, "volume")[0], price)

    table = dense({"gappy": GAPPY, "crowded": WILD}[name])
    found = {r["ticker"]: r for r in returns(table).iter_rows(named=True)}

    assert found.keys() == expected.keys()
    for ticker, wanted in expected.items():
        got = found[ticker][column]
        assert got == (None if wanted is None else pytest.approx(wanted, abs=1e-9)), ticker
    assert sum(v is not None for v in expected.values()) > 40


def test_an_open_far_from_the_close_before_counts_though_the_close_came_back() -> None:
    gapped = changed(CROWDED, "C000", LAST, lambda r: {"open": r["close"] * 1.2})

    (found,) = returns(dense(gapped)).filter(pl.col("ticker") == "C000").iter_rows(named=True)

    assert found["gap"] == pytest.approx(0.2, abs=0.05)
    assert found["ret_z"] < 5 < found["gap_z"]
    assert found["move_z"] == found["gap_z"]


def test_a_jump_of_the_days_before_does_not_hide_the_next() -> None:
    def jumps(rows: Rows, t: int) -> Rows:
        return changed(rows, "C000", t, lambda r: {"close": r["close"] * 1.5})

    def ret_z(rows: Rows) -> float:
        found = returns(dense(rows)).filter(pl.col("ticker") == "C000").row(0, named=True)
        return float(found["ret_z"])

    once, again = jumps(CROWDED, LAST), jumps(jumps(CROWDED, LAST), LAST - 3)

    # Left as it is, the earlier jump and its way back would divide it by six.
    assert ret_z(again) > 0.4 * ret_z(once) > 10


def test_without_an_open_the_close_alone_counts() -> None:
    unknown = changed(CROWDED, "C000", LAST, lambda _: {"open": None})

    (found,) = returns(dense(unknown)).filter(pl.col("ticker") == "C000").iter_rows(named=True)

    assert (found["gap"], found["gap_z"]) == (None, None)
    assert found["move_z"] == found["ret_z"]


def test_a_plain_return_is_against_the_close_one_session_before() -> None:
    rows = [bar("A", t, 1e6, 10.0) for t in range(LAST)] + [bar("A", LAST, 1e6, 10.5)]

    (found,) = returns(dense(rows)).iter_rows(named=True)

    assert found["ret"] == pytest.approx(0.05)
    assert found["prev_close"] == 10.0


def test_there_is_no_return_across_a_gap() -> None:
    rows = [bar("A", t, 1e6) for t in range(LAST + 1) if t != LAST - 1] + noisy("B", 1e6)

    found = returns(dense(rows)).filter(pl.col("ticker") == "A").row(0, named=True)

    assert (found["ret"], found["ret_z"], found["prev_close"]) == (None, None, None)


def test_the_grid_has_every_ticker_at_every_session_in_order() -> None:
    rows = [bar("B", 3, 5.0), bar("A", 80, 7.0), bar("A", LAST, 0.0)]

    made = dense(rows)

    assert made.select("ticker", "t").rows() == [(k, t) for k in "AB" for t in range(82)]
    assert made["volume"].count() == 2
    assert made.filter(pl.col("t") == LAST)["volume"].to_list() == [None, None]
    assert made.filter(pl.col("t") == LAST)["transactions"].to_list() == [None, None]


def test_a_missing_session_is_null_and_not_skipped() -> None:
    # 14 of the last 20 sessions are there: too few for a level, however many came before.
    gap = set(range(LAST - 6, LAST))
    rows = [r for n in range(40) for r in noisy(f"N{n:02}", 1e6)]
    rows = [r for r in rows if not (r["ticker"] == "N00" and DATES.index(r["session"]) in gap)]

    made = dense(rows)
    today = made.select("ticker", "t").hstack(activity(made, "volume")).filter(pl.col("t") == LAST)

    assert today.filter(pl.col("ticker") == "N00")["level"].to_list() == [None]
    assert today.filter(pl.col("ticker") == "N01")["level"].null_count() == 0


def test_the_tested_session_is_not_in_its_own_baseline() -> None:
    table = dense(CROWDED)
    shouted = dense(changed(CROWDED, "C000", LAST, lambda r: {"volume": r["volume"] * 50}))

    before, after = (
        t.select("ticker", "t")
        .hstack(activity(t, "volume"))
        .filter(pl.col("t") == LAST, pl.col("ticker") == "C000")
        .row(0, named=True)
        for t in (table, shouted)
    )

    assert (after["level"], after["s"], after["n"]) == (before["level"], before["s"], before["n"])
    assert table["adv"].equals(shouted["adv"])
    assert after["y"] > before["y"] + math.log(40)
