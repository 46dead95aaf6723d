"""Records as the judge makes them, for tests of words and delivery."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from alerts.model import Report
from alerts.rank import report
from core.anomaly import Anomaly, Market, Rule
from core.bars import Family, Scope, Series
from core.errors import Refusal, Verdict
from core.judged import Judged

DAILY = Series(Scope.ALL, Family.DAILY)
SESSION = date(2026, 12, 17)

FRESH = Anomaly(
    session=SESSION,
    rank=1,
    ticker="XYZQ",
    scope=Scope.ALL,
    feature="volume",
    unit="shares",
    value=12_400_000.0,
    normal=2_000_000.0,
    ratio=6.2,
    z=6.4,
    score=9.1,
    rarity=912.0,
    rarity_is_floor=False,
    pool=36_480,
    exceeding=39,
    tier="extreme",
    label="news-like",
    alertable=True,
    continuing=False,
    day_no=1,
    peak_ratio=None,
    peak_session=None,
    bucket="$20-100M",
    adv_usd=41_000_000.0,
    market_x=1.1,
    sessions_seen=60,
    close=24.5,
    ret_pct=-18.2,
    ret_z=5.4,
    volume=12_400_000.0,
    volume_ratio=6.2,
    z_volume=6.4,
    transactions=41_200,
    trades_ratio=4.8,
    z_trades=5.1,
    dollar_volume_usd=303_800_000.0,
    split=None,
)


def anomaly(ticker: str = "XYZQ", **changes: Any) -> Anomaly:
    """A plausible anomaly; name what should differ."""
    return replace(FRESH, ticker=ticker, **changes)


def judged(*anomalies: Anomaly, **changes: Any) -> Judged:
    """A judged session with these anomalies, ranked in this order."""
    ranked = tuple(replace(a, rank=n) for n, a in enumerate(anomalies, 1))
    plain = Judged(
        session=SESSION,
        series=DAILY,
        revision=1,
        source="flat files (day aggregates)",
        refused=(),
        notes=(),
        stored_at=datetime(2026, 12, 18, 5, 52, tzinfo=UTC),
        row_count=12_093,
        rule=Rule(),
        market=Market(names=12_093, eligible=5_230, no_baseline=0, typical_x=1.04),
        anomalies=ranked,
        closest=anomaly("ABCD", ratio=2.9, z=3.8, alertable=False),
    )
    return replace(plain, **changes)


def said(*anomalies: Anomaly, top: int = 10, **changes: Any) -> Report:
    """What is said of such a session."""
    return report(judged(*anomalies, **changes), top)


PLAN = Refusal("flat files (day aggregates)", Verdict.PLAN_LACKS_DATA_SET, "listed, 403")
