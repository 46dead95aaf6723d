"""The dashboard and the alert rules: every expression parses, every name in it exists."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from alerts.model import State
from bot.app import opened
from bot.health import Health, Standing
from bot.metrics import Metrics
from bot.settings import load
from bot.timings import Timings
from core.errors import Reason, Verdict
from core.lease import Lease
from tests.bot.small_market import at, stored_market
from tests.market import NOW
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


def counted(found: Any) -> Iterator[Any]:
    """Every selector whose growth an expression asks about."""
    if isinstance(found, promql_parser.Call) and found.func.name in ("increase", "rate", "delta"):
        yield from selectors(found)
    for name in ("expr", "lhs", "rhs", "args", "param"):
        part = getattr(found, name, None)
        for one in part if isinstance(part, list) else [part]:
            if one is not None and not isinstance(one, str | int | float):
                yield from counted(one)


async def test_every_count_whose_growth_is_asked_about_begins_at_zero(
    shared: Shared, tmp_path: Path
) -> None:
    """To Prometheus a count that appears as 1 has not grown: the first of a kind woke nobody."""
    stored = await asyncio.to_thread(stored_market, shared, tmp_path / "data")
    tokens = {"discord_token": "x" * 30, "slack_bot_token": "xoxb-1", "slack_app_token": "xapp-1"}
    settings = await asyncio.to_thread(partial(load, data_dir=stored, **tokens))
    async with opened(settings, now=lambda: NOW) as app:
        lease = Lease(settings.state_db, utc_now)
        async with lease.held():
            text = (await Metrics(Health(lease, utc_now, app), Timings()).page())[0].decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    asked = [s for e in rules for s in counted(promql_parser.parse(e))]
    assert {s.name for s in asked} >= {"tapewatch_delivery_attempts_total"}
    for selector in asked:
        there = [s for s in samples if s.name == selector.name]
        assert {s.value for s in there} == {0.0}, selector.name
        if any("platform" in s.labels for s in there):
            assert {s.labels["platform"] for s in there} >= {"discord", "slack"}, selector.name
        for matcher in selector.matchers.matchers:
            assert {s.labels[matcher.name] for s in there} >= set(matcher.value.split("|"))


@pytest.mark.parametrize(
    ("words", "file"), [("check", "tapewatch.rules.yml"), ("test", "tapewatch.tests.yml")]
)
def test_promtool_agrees(words: str, file: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    told = subprocess.run(
        [promtool, words, "rules", file], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_alert_of_the_rules_tests_is_in_the_rules() -> None:
    """promtool takes the name of an alert that nobody has for one that is silent."""
    tests = yaml.safe_load((FOLDER / "tapewatch.tests.yml").read_text())["tests"]
    rules = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
    for one in (asked for test in tests for asked in test["alert_rule_test"]):
        labels = rules[one["alertname"]]["labels"]
        assert all(labels.items() <= alert["exp_labels"].items() for alert in one["exp_alerts"])


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
