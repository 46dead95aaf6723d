"""ALERT_DETAIL=derived: everything is answered, without a price or a count of the vendor's."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from alerts.chart_data import alt, indexed
from alerts.letters import details, pushed
from alerts.model import Detail, Message
from alerts.words import usd
from bot.app import App, opened
from bot.charts import Charts
from bot.settings import load
from core.anomaly import Rule
from tests.bot.small_market import STORED, ask, stored_market
from tests.market import NOW
from tests.shared import Shared

RULE = Rule()
FLOORS = {usd(floor) for floor in (RULE.min_adv_usd, RULE.min_dollar_volume_usd)} | {
    usd(RULE.min_off_dollar_volume_usd),
    "$1.00",
}
RAW = re.compile(r"\$\d[\d.,]*[kMB]?|\d[\d.,]*[kMB]? (?:shares|trades|sh\b)")


@pytest.fixture
def stored(shared: Shared, tmp_path: Path) -> Path:
    """A market of its own for each test."""
    return stored_market(shared, tmp_path / "data")


@pytest.fixture
async def app(stored: Path) -> AsyncIterator[App]:
    settings = await asyncio.to_thread(load, data_dir=stored, alert_detail="derived")
    async with opened(settings, now=lambda: NOW) as one:
        yield one


def raw_of(message: Message) -> list[str]:
    """Every number that is the vendor's; floors and classes of liquidity are ours."""
    text = re.sub(r"floor of [\d.,$kMB]+|liquid \([^)]*\)", "", str(asdict(message)))
    return [found for found in RAW.findall(text) if found not in FLOORS]


async def flagged(app: App) -> list[str]:
    rows = await app.db.rows("SELECT DISTINCT ticker FROM anomalies ORDER BY ticker")
    return [str(row["ticker"]) for row in rows]


@pytest.mark.parametrize(
    "line",
    ["/anomalies", "/anomalies all", "/anomalies raw", "/anomalies as:now", "/anomalies csv"],
)
async def test_a_digest_has_multiples_and_no_amounts(app: App, line: str) -> None:
    reply = await ask(app, line)
    assert reply.ok
    assert raw_of(reply.message) == []
    assert "×" in str(asdict(reply.message))


async def test_a_name_is_explained_without_amounts(app: App) -> None:
    names = (await flagged(app))[:4]
    assert names
    for name in names:
        for line in ("/ticker {}", "/ticker {} text", "/why {}", "/watch add {}"):
            reply = await ask(app, line.format(name))
            assert reply.ok, line
            assert raw_of(reply.message) == [], line
    assert raw_of((await ask(app, "/anomalies mine")).message) == []
    reply = await ask(app, f"/feedback useful {names[0]}")
    assert raw_of(reply.message) == []


async def test_why_still_says_which_side_of_a_floor_a_name_is_on(app: App) -> None:
    name = (await flagged(app))[0]
    reply = await ask(app, f"/why {name}")
    heads = [row.head for row in reply.message.rows]
    assert "✔ close: not under the floor of $1.00" in heads
    assert any("expected, z" in head for head in heads)


async def test_the_file_leaves_them_out(app: App) -> None:
    reply = await ask(app, "/anomalies csv")
    (file,) = reply.message.files
    frame = pl.read_csv(io.StringIO(file.content))
    for column in ("value", "normal", "close", "volume"):
        assert frame[column].null_count() == len(frame) > 0
    assert frame["ratio"].null_count() == 0


async def test_what_is_sent_by_itself_says_so_and_differs_in_nothing_else(app: App) -> None:
    report = await app.commands.digests.report(STORED[-1])
    full, derived = pushed(report), pushed(report, Detail.DERIVED)
    assert raw_of(full) != []
    assert raw_of(derived) == raw_of(details(report, Detail.DERIVED)) == []
    assert (full.title, full.lead, full.table) == (derived.title, derived.lead, derived.table)
    assert any("licence" in line for line in derived.context)


async def test_a_picture_has_the_shape_and_no_scale_of_the_vendors(app: App) -> None:
    name = (await flagged(app))[0]
    reply = await ask(app, f"/ticker {name}")
    (chart,) = reply.message.charts
    charts = Charts(app.ladder)
    data = await charts._data(chart)
    assert data is not None
    shown = indexed(data)
    first = next(d.close for d in shown.days if d.close is not None)
    assert first == pytest.approx(100)
    assert "$" in alt(data)
    assert RAW.findall(alt(shown)) == []
    beside = zip(data.days, shown.days, strict=True)
    ratios = [a.volume / b.volume for a, b in beside if a.volume and b.volume]
    assert max(ratios) == pytest.approx(min(ratios))
    assert shown.change == pytest.approx(data.change)
    await charts.close()


async def test_a_floor_that_is_tried_tells_no_name_that_is_under_it(app: App) -> None:
    lost = {}
    for line in ("price:50", "floor:500M", "price:50 min:5", "min:6", "price:1 min:6"):
        reply = await ask(app, f"/preview {line}")
        assert reply.ok
        lost[line] = dict(reply.message.facts)["lost"]
        assert ("last " in lost[line]) is (line in ("min:6", "price:1 min:6"))
        assert any("licence" in said for said in reply.message.footer) is ("50" in line)
    assert re.fullmatch(r"\d+ names?, \d+ lines?", lost["price:50"])
    assert lost["price:1 min:6"] == lost["min:6"]
