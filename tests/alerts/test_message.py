"""The words of a digest, as snapshots to be reviewed, and that they recompute from the record."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.message import digest, explain
from alerts.model import Message, Report
from alerts.words import count, percent, times
from bot.platforms.console import render
from bot.rungs import ALL_VENUES_ONLY, WITHOUT_TRADES
from core.anomaly import Market
from core.bars import Family, Scope, Series
from core.errors import Refusal, Verdict
from core.judged import Listing
from core.labels import OFF_EXCHANGE_SHIFT
from core.news import Headline, Headlines
from tests.records import PLAN, anomaly, judged, said

REPEAT = anomaly(
    "OLDN", continuing=True, day_no=3, peak_ratio=8.1, peak_session=date(2026, 12, 15), ratio=4.0
)
FIVE = [
    anomaly("XYZQ"),
    anomaly("ACMX", label="crowd", feature="trades", unit="trades", value=41_200.0, normal=4_338.0,
            ratio=9.5, trades_ratio=9.5, z_trades=7.0, ret_pct=9.4),
    anomaly("BRAV", label="quiet volume", ret_pct=0.3, ret_z=0.2, rarity=523.0,
            rarity_is_floor=True),
    anomaly("CHAR", label="volume", trades_ratio=None, z_trades=None, transactions=None,
            ret_pct=None, ret_z=None, rarity=None),
    anomaly("DELT", label="block-like", day_no=2, peak_ratio=2.0, peak_session=date(2026, 12, 14),
            sessions_seen=31),
]  # fmt: skip

SHIFT = anomaly("MOVD", label=OFF_EXCHANGE_SHIFT, shifted=True, z=3.4, ratio=3.4,
                normal=3_600_000.0, ret_pct=0.4, ret_z=0.3, share=0.88, usual_share=0.41,
                z_share=5.2)  # fmt: skip
OFF = anomaly(scope=Scope.OFF_EXCHANGE, share=0.62, usual_share=0.41)
COUNTED = Series(Scope.OFF_EXCHANGE, Family.TRADES, rules="bundled-2026-11")
FREE = Series(Scope.OFF_EXCHANGE, Family.FINRA)
TRADES = Refusal("flat files (trades)", Verdict.PLAN_LACKS_DATA_SET, "listed, 403")
NO_FINRA = Refusal("FINRA daily file", Verdict.UNREACHABLE, "no connection")

HEADLINE = Headline(
    "Newsco [lowers](https://example.org) its outlook", "Example Wire",
    "https://example.org/a", datetime(2026, 12, 17, 21, 5, tzinfo=UTC),
)  # fmt: skip

CASES: dict[str, Report] = {
    "first alert": said(anomaly()),
    "five kinds": said(*FIVE),
    "five kinds, top three": said(*FIVE, top=3),
    "quad-witching": said(
        anomaly(), session=date(2026, 12, 18), market=Market(12_093, 5_230, 0, 1.64)
    ),
    "half day": said(anomaly(), session=date(2026, 11, 27), market=Market(11_800, 5_100, 3, 0.39)),
    "fallback to REST": said(anomaly(), source="REST grouped daily", refused=(PLAN,)),
    "repeats folded": said(anomaly(), REPEAT),
    "only repeats": said(REPEAT),
    "split today": said(anomaly("SPLT", label="corporate action", split="1-for-10")),
    "possible split": said(
        anomaly(), anomaly("MAYB", suspected="2-for-1", suspected_on=date(2026, 12, 16))
    ),
    "raw hits held back": said(
        anomaly(), session=date(2026, 6, 30), market=Market(12_093, 5_230, 0, 1.12, held_back=31)
    ),
    "still rising": said(
        anomaly(
            day_no=2, day_of=3, before_ratio=3.1, peak_ratio=3.1, peak_session=date(2026, 12, 15)
        )
    ),
    "ETFs, headlines and listings": said(
        anomaly("FUND", kind="ETF", label="volume"),
        anomaly("NEWS"),
        anomaly("MUTE"),
        new=(Listing("NEWC", 45.2e6), Listing("NEWD", 2.1e6)),
        news=Headlines({"NEWS": HEADLINE}, whole=True, asked=("FUND", "MUTE", "NEWS")),
    ),
    "some headlines unknown": said(anomaly(), news=Headlines({}, whole=False)),
    "nothing today": said(),
    "no baseline yet": said(market=Market(12_093, 0, 12_093, 1.0), closest=None),
    "rows set aside, splits unknown": said(
        anomaly(), notes=("3 rows set aside: zero or negative price (AB, CD, EF)", "splits unknown")
    ),
    "second revision": said(anomaly(), revision=2),
    "off exchange, counted": said(OFF, series=COUNTED, source="flat files (trades)"),
    "off exchange, counted, nothing today": said(series=COUNTED, source="flat files (trades)"),
    "off exchange, FINRA's volume": said(
        replace(OFF, usual_share=None, transactions=None, trades_ratio=None, z_trades=None),
        series=FREE,
        source="FINRA daily file",
        refused=(TRADES,),
        notes=(WITHOUT_TRADES,),
    ),
    "off exchange asked for, none to be had": said(
        anomaly(),
        refused=(TRADES, NO_FINRA),
        source="REST grouped daily",
        notes=(ALL_VENUES_ONLY,),
    ),
    "every trade counted, all venues": said(
        anomaly(share=0.38, usual_share=0.4),
        source="flat files (trades)",
        series=replace(COUNTED, scope=Scope.ALL),
    ),
    "shares far out, counted": said(
        replace(OFF, z_share=3.1),
        replace(SHIFT, scope=Scope.OFF_EXCHANGE),
        replace(OFF, ticker="LOWQ", share=0.08, z_share=-3.4),
        series=COUNTED,
        source="flat files (trades)",
    ),
    "a shift, all venues": said(
        replace(SHIFT, volume_ratio=1.1, ratio=1.1, z=0.4, normal=11_300_000.0, trades_ratio=None),
        source="flat files (trades)",
        series=replace(COUNTED, scope=Scope.ALL),
    ),
    "sample": said(anomaly(), series=Series(Scope.ALL, Family.SAMPLE)),
}


@pytest.mark.parametrize("case", CASES)
def test_digests_read_as_reviewed(case: str, snapshot: SnapshotAssertion) -> None:
    message = digest(CASES[case])
    assert f"{message.lead}\n\n{render(message, 100)}" == snapshot


def test_a_digest_fits_a_narrow_terminal() -> None:
    for report in CASES.values():
        assert max(map(len, render(digest(report), 40).splitlines())) <= 40


def test_the_line_recomputes_from_the_record() -> None:
    for a in FIVE:
        line = explain(a)
        assert times(a.value / a.normal) in line
        assert count(a.value) in line
        assert count(a.normal) in line
        assert percent(a.ret_pct) in line
        assert a.label in line


def test_an_open_further_out_than_the_close_is_said() -> None:
    quiet = anomaly(ret_z=0.4, gap_z=5.2, gap_pct=8.25)

    assert "within its usual range, opened +8.2% (5.2× usual)" in explain(quiet)
    assert "opened" not in explain(replace(quiet, ret_z=6.0))
    assert "opened" not in explain(replace(quiet, gap_z=1.4))
    assert "opened" not in explain(replace(quiet, gap_z=None, gap_pct=None))


def test_what_is_said_of_a_share_recomputes_from_the_record() -> None:
    for a in (OFF, SHIFT, replace(SHIFT, z_share=-5.2)):
        line = explain(a)
        assert f"off exchange {a.share:.0%} of its volume, usually {a.usual_share:.0%}" in line
        assert (": unusually high" in line) == ((a.z_share or 0) >= 3)
        assert (": unusually low" in line) == ((a.z_share or 0) <= -3)


def test_a_shift_says_first_what_flagged_it() -> None:
    head, activity, *rest = explain(SHIFT).split(" · ")[1:]
    assert head == "off exchange 88% of its volume, usually 41%: unusually high"
    assert activity.startswith("volume 3.4× expected")
    assert "off-exchange shift" in rest
    assert "1 in" not in explain(SHIFT)
    assert digest(said(SHIFT)).lead.startswith("MOVD +0.4%, 88% off exchange · Thu 17 Dec 2026.")


def test_the_lead_works_alone_as_a_notification() -> None:
    lead = digest(CASES["five kinds"]).lead
    assert lead.startswith("XYZQ −18.2% on 6.2× volume, ")
    assert lead.endswith("; 2 more · Thu 17 Dec 2026.")


def test_no_causal_word_and_no_false_promise() -> None:
    for report in CASES.values():
        text = render(digest(report), 100).lower()
        for word in ("because", "caused", "due to", "fdr", "dark pool", "buy", "sell", "guarantee"):
            assert not re.search(rf"\b{word}\b", text), word


def test_every_sample_message_is_stamped() -> None:
    assert "SAMPLE" in digest(CASES["sample"]).stamp
    assert digest(CASES["first alert"]).stamp == ""


@given(
    ratio=st.floats(1e-3, 1e9),
    normal=st.floats(1e-3, 1e12),
    z=st.floats(-50, 50),
    rarity=st.none() | st.floats(1, 1e9),
    ret=st.none() | st.floats(-99.99, 1e6),
    text=st.text(max_size=200),
)
def test_whatever_the_numbers_and_names_a_digest_can_be_shown(
    ratio: float, normal: float, z: float, rarity: float | None, ret: float | None, text: str
) -> None:
    made = anomaly(text or "X", ratio=ratio, normal=normal, value=ratio * normal, z=z)
    made = replace(made, rarity=rarity, ret_pct=ret)
    message: Message = digest(replace(said(made), judged=judged(made, notes=(text,))))
    shown = render(message, 80)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
