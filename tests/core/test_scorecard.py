"""core.scorecard against a slow rendition, and by hand where a name is missing."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from core.anomaly import Rule
from core.calendar import sessions_ending
from core.detect import score
from core.scorecard import HORIZONS, MIN_OF_LABEL, Scorecard, scorecard, sides
from core.splits import Split
from tests.core import panel
from tests.core.slow_scorecard import outcome, side
from tests.frames import day

DAYS = [d.date for d in sessions_ending(day("2026-11-20"), 100)]
SIDES = {"session": pl.Date, "ticker": pl.String, "bucket": pl.String, "label": pl.String}
SIDES |= {"flagged": pl.Boolean}
Rows = list[dict[str, Any]]


def row(t: int, ticker: str, flagged: bool | None, bucket: str = "$1-5M") -> dict[str, Any]:
    """One judged name of the t-th session."""
    label = "volume" if ticker < "M" else "crowd"
    return {"session": DAYS[t], "ticker": ticker, "bucket": bucket, "label": label,
            "flagged": flagged}  # fmt: skip


def carded(judged: Rows, closes: Rows, days: Sequence[date] = tuple(DAYS)) -> Scorecard:
    """The scorecard of rows."""
    prices = pl.DataFrame(closes, schema={"session": pl.Date, "ticker": pl.String, "close": float})
    return scorecard(pl.DataFrame(judged, schema=SIDES), prices, days)


def priced(prices: dict[str, dict[int, float]]) -> Rows:
    """Closes by ticker and session; 10 dollars in every session that is not named."""
    return [
        {"session": DAYS[t], "ticker": ticker, "close": changed.get(t, 10.0)}
        for ticker, changed in prices.items()
        for t in range(len(DAYS))
    ]


def market(seed: int) -> tuple[Rows, Rows]:
    """A small market with gaps, sessions that are not stored, repeats and lonely flags."""
    draw = random.Random(seed)
    names = [(f"{letter}{n}", draw.choice(["$1-5M", "over $100M"]))
             for letter in "CRX" for n in range(6)]  # fmt: skip
    lost = set(draw.sample(range(62, 100), 2))
    judged, closes = Rows(), Rows()
    for ticker, bucket in [*names, ("LONE", "$5-20M")]:
        close, ends = 10.0, draw.choice([100, 100, 90])
        for t in range(ends):
            close *= 1 + draw.gauss(0, 0.02)
            if t in lost or draw.random() < 0.03:
                continue
            closes.append({"session": DAYS[t], "ticker": ticker, "close": close})
            if t >= 62:
                kind = draw.choices([True, False, None], [0.2, 0.75, 0.05])[0]
                judged.append(row(t, ticker, kind, bucket))
    return judged, closes


@pytest.mark.parametrize("seed", range(8))
def test_it_says_what_plain_loops_say(seed: int) -> None:
    judged, closes = market(seed)
    found = carded(judged, closes)
    for o in found.horizons:
        slow = outcome(judged, closes, DAYS, o.horizon)
        for count in ("flags", "later", "gone", "alone"):
            assert getattr(o, count) == slow[count], count
        for name in ("size", "above", "mean", "median"):
            compared = getattr(o, name)
            assert (compared.flags, compared.base) == pytest.approx(slow[name]), name
    assert found.flags == sum(r["flagged"] is True for r in judged)
    for label, o in found.labels:
        own = [r for r in judged if r["label"] == label or not r["flagged"]]
        assert o.flags == outcome(own, closes, DAYS, o.horizon)["flags"] >= MIN_OF_LABEL


def test_a_flag_is_beside_names_of_its_own_bucket_and_session() -> None:
    judged = [row(70, "FLAG", True), row(70, "SAME", False), row(70, "FLAT", False),
              row(70, "BIG", False, "over $100M"), row(71, "NEXT", False)]  # fmt: skip
    closes = priced({"FLAG": {71: 12.0}, "SAME": {71: 11.0}, "FLAT": {}, "BIG": {71: 20.0},
                     "NEXT": {}})  # fmt: skip
    tomorrow = carded(judged, closes).horizons[0]
    assert tomorrow.mean is not None
    assert tomorrow.above is not None
    # The market's median of 20, 10, 0 and 100 percent is 15.
    assert tomorrow.mean.flags == pytest.approx(0.05)
    assert tomorrow.mean.base == pytest.approx(-0.10)
    assert (tomorrow.above.flags, tomorrow.above.base) == (1.0, 0.0)


def test_a_name_that_is_gone_is_counted_and_said() -> None:
    judged = [row(70, t, t < "C") for t in "ABCD"]
    closes = [c for c in priced({t: {} for t in "ABCD"})
              if c["ticker"] not in "BD" or c["session"] <= DAYS[70]]  # fmt: skip
    tomorrow = carded(judged, closes).horizons[0]
    assert (tomorrow.flags, tomorrow.gone, tomorrow.gone_base) == (1, 1, 0.5)


def test_a_session_that_is_not_stored_is_no_delisting() -> None:
    judged = [row(70, t, t == "A") for t in "ABC"]
    closes = [c for c in priced({t: {} for t in "ABC"}) if c["session"] != DAYS[71]]
    tomorrow, week, month = carded(judged, closes).horizons
    assert (tomorrow.flags, tomorrow.gone, tomorrow.later) == (0, 0, 1)
    assert tomorrow.mean is None
    assert (week.flags, month.flags) == (1, 1)


def test_what_is_not_over_yet_waits() -> None:
    found = carded([row(96, t, t == "A") for t in "ABC"], priced({t: {} for t in "ABC"}))
    assert [o.later for o in found.horizons] == [0, 1, 1]


def test_a_flag_without_a_base_is_counted_apart() -> None:
    judged = [row(70, "A", True), row(70, "B", False, "over $100M"), row(70, "C", None)]
    tomorrow = carded(judged, priced({t: {} for t in "ABC"})).horizons[0]
    assert (tomorrow.flags, tomorrow.alone) == (0, 1)


def test_no_flag_at_all_is_no_fault() -> None:
    found = carded([row(70, "A", False)], priced({"A": {}}))
    assert found.flags == 0
    assert all(o.flags == 0 and o.size is None and o.median is None for o in found.horizons)
    assert found.labels == ()


def test_the_interval_is_the_same_every_time_and_needs_sessions_enough() -> None:
    judged, closes = market(3)
    first, again = carded(judged, closes), carded(judged, closes)
    assert first == again
    tomorrow, week, month = first.horizons
    for compared in (tomorrow.mean, tomorrow.above, tomorrow.size):
        assert compared is not None
        assert compared.low is not None
        assert compared.high is not None
        assert compared.low < compared.flags - compared.base < compared.high
    for o in (week, month):  # 5 blocks of 10, or of 40, are more than these sessions
        assert o.mean is not None
        assert o.mean.low is None


def test_chance_is_inside_the_interval_about_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(40):
        tomorrow = carded(*market(100 + seed)).horizons[0]
        assert tomorrow.mean is not None
        assert tomorrow.mean.low is not None
        assert tomorrow.mean.high is not None
        inside += tomorrow.mean.low <= 0 <= tomorrow.mean.high
    assert inside >= 33


def test_sides_leave_repeats_and_splits_out() -> None:
    rows = [r for n in range(4) for r in panel.noisy(f"M{n}", 2e6)]
    for ticker in ("LOUD", "SPLIT"):
        rows += panel.changed(panel.noisy(ticker, 2e6), ticker, panel.LAST,
                              lambda r: {"volume": r["volume"] * 30})  # fmt: skip
    twice = panel.noisy("AGAIN", 2e6)
    for t in (panel.LAST - 1, panel.LAST):
        twice = panel.changed(twice, "AGAIN", t, lambda r: {"volume": r["volume"] * 30})
    split = Split(panel.SESSIONS[panel.LAST].date, "SPLIT", 1, 2)
    bars = panel.frame([*rows, *twice, *panel.noisy("TINY", 100)])
    scores = score(panel.measured(bars, splits=[split]), replace(Rule(), min_transactions=1))
    found = dict(sides(scores).select("ticker", "flagged").iter_rows())
    assert found == {"LOUD": True, "SPLIT": None, "AGAIN": None} | dict.fromkeys(
        ("M0", "M1", "M2", "M3"), False
    )
    assert sides(scores).columns == list(SIDES)


def test_repeats_and_splits_that_are_quiet_today_are_no_base() -> None:
    rows = [r for n in range(4) for r in panel.noisy(f"M{n}", 2e6)] + panel.noisy("SPLIT", 2e6)
    for ticker in ("WAS", "HALVED"):
        rows += panel.noisy(ticker, 2e6)
    rows = panel.changed(rows, "WAS", panel.LAST - 1, lambda r: {"volume": r["volume"] * 30})
    (usual,) = (r["close"] for r in rows
                if r["ticker"] == "HALVED" and r["session"] == panel.SESSIONS[-3].date)  # fmt: skip
    halved = {c: usual / 2 * x for c, x in zip(("open", "high", "low", "close"),
                                               (1, 1.01, 0.99, 1), strict=True)}  # fmt: skip
    for t in (panel.LAST - 1, panel.LAST):  # a split that nobody reported
        rows = panel.changed(rows, "HALVED", t, lambda r: {"volume": r["volume"] * 2, **halved})
    split = Split(panel.SESSIONS[panel.LAST].date, "SPLIT", 1, 2)
    # As published, so that restated it trades as usual today.
    before = [
        {**r, "volume": r["volume"] / 2, "close": r["close"] * 2, "open": r["open"] * 2}
        if r["ticker"] == "SPLIT" and r["session"] < split.execution_date
        else r
        for r in rows
    ]
    scores = score(panel.measured(panel.frame(before), splits=[split]), Rule())
    quiet = scores.filter(pl.col("ticker").is_in(["WAS", "HALVED", "SPLIT"]))
    assert not quiet["alertable"].any()
    assert quiet["eligible"].all()

    found = dict(sides(scores).select("ticker", "flagged").iter_rows())

    others = dict.fromkeys(("M0", "M1", "M2", "M3"), False)
    assert found == {"WAS": None, "HALVED": None, "SPLIT": None} | others


@pytest.mark.parametrize("seed", range(4))
def test_sides_are_what_plain_loops_say(seed: int) -> None:
    draw, rows = random.Random(seed), panel.gappy(60, seed)
    names = sorted({r["ticker"] for r in rows})
    for ticker in draw.sample(names, 30):
        t = draw.choice([panel.LAST, panel.LAST, panel.LAST - 1, panel.LAST - 3])
        rows = panel.changed(rows, ticker, t, lambda r: {"volume": r["volume"] * 30})
    on = panel.SESSIONS[panel.LAST].date
    splits = [Split(on, ticker, 1, 2) for ticker in draw.sample(names, 10)]
    scores = score(panel.measured(panel.frame(rows), splits=splits), Rule())

    found = dict(sides(scores).select("ticker", "flagged").iter_rows())

    eligible = scores.filter("eligible").iter_rows(named=True)
    assert found == {r["ticker"]: side(r) for r in eligible}
    assert {True, False, None} <= set(found.values())


def test_horizons_are_those_that_were_promised() -> None:
    assert HORIZONS == (1, 5, 20)
