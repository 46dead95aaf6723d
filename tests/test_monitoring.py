"""The dashboard and the alert rules: every expression parses, every name in it exists."""

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from alerts.model import State
from bot.health import Health, Standing
from bot.metrics import Metrics
from bot.timings import Timings
from core.errors import Reason, Verdict
from core.lease import Lease
from tests.bot.small_market import at, stored_market
from tests.servers.local import utc_now
from tests.shared import Shared

FOLDER = Path(__file__).parent.parent / "docs" / "monitoring"
RULES = yaml.safe_load((FOLDER / "tapewatch.rules.yml").read_text())
BOARD = json.loads((FOLDER / "grafana.json").read_text())
OF_PROMETHEUS = {"up", "job"}


def expressions() -> list[str]:
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    return rules + [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def selectors(found: Any) -> Iterator[Any]:
    """Every `metric{label="value"}` of an expression."""
    if isinstance(found, promql_parser.VectorSelector):
        yield found
    for name in ("expr", "lhs", "rhs", "args", "vector_selector", "param"):
        part = getattr(found, name, None)
        for one in part if isinstance(part, list) else [part]:
            if one is not None and not isinstance(one, str | int | float):
                yield from selectors(one)


@pytest.mark.parametrize("text", expressions())
def test_every_expression_parses_and_selects_something(text: str) -> None:
    assert list(selectors(promql_parser.parse(text)))


async def test_every_metric_that_is_asked_for_is_on_the_page(
    shared: Shared, tmp_path: Path
) -> None:
    timings = Timings()
    stored = await asyncio.to_thread(stored_market, shared, tmp_path / "data")
    async with at(stored) as app:
        lease = Lease(app.settings.data_dir / "state.db", utc_now)
        async with lease.held():
            metrics = Metrics(Health(lease, utc_now, app), timings)
            text = (await metrics.page())[0].decode()
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    there |= {f"{name}_{more}" for name in there for more in ("bucket", "total")} | {"up"}
    asked = {s.name for e in expressions() for s in selectors(promql_parser.parse(e))}
    assert asked
    assert asked <= there


VALUES = {
    "state": {*State, "quiet"},
    "standing": set(Standing),
    "reason": set(Reason),
    "verdict": set(Verdict),
    "job": {"tapewatch"},
}


def test_label_values_are_of_the_closed_lists() -> None:
    matchers = [
        (m.name, m.value)
        for e in expressions()
        for s in selectors(promql_parser.parse(e))
        for m in s.matchers.matchers
    ]
    assert matchers
    for name, value in matchers:
        assert set(value.split("|")) <= set(map(str, VALUES[name])), (name, value)


def test_rules_have_what_prometheus_asks_of_them() -> None:
    names = []
    for group in RULES["groups"]:
        assert set(group) <= {"name", "interval", "rules"}
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert rule["annotations"]["summary"]
            assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
            names.append(rule["alert"])
    assert len(names) == len(set(names))


def test_panels_lie_beside_each_other() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    for a in places:
        assert 0 <= a["x"] <= 24 - a["w"]
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above
