"""The page for a scraper: read back by Prometheus' own parser, and nothing in it is a name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.app import App
from bot.health import Health
from bot.metrics import Metrics
from bot.platforms.console import ConsoleSender
from bot.timings import Timings
from core.lease import Lease
from tests.bot.small_market import at, stored_market
from tests.servers.local import utc_now
from tests.shared import Shared
from tests.states import overwrite


@pytest.fixture
def stored(shared: Shared, tmp_path: Path) -> Path:
    """A market of its own for each test."""
    return stored_market(shared, tmp_path / "data")


async def samples(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    """By name and the labels' values, in the order of the labels' names."""
    body, _ = await metrics.page()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[
                tuple(v for _, v in sorted(sample.labels.items()))
            ] = sample.value
    return found


@asynccontextmanager
async def measured(app: App, timings: Timings | None = None) -> AsyncIterator[Metrics]:
    lease = Lease(app.settings.data_dir / "state.db", utc_now)
    async with lease.held():
        yield Metrics(Health(lease, utc_now, app), timings or Timings())


async def test_what_a_day_left_behind(stored: Path) -> None:
    async with at(stored) as app, measured(app) as metrics:
        before = await samples(metrics)
        assert before["tapewatch_outbox_messages"][("pending",)] == 2
        assert ("console",) not in before.get("tapewatch_delivery_lag_seconds", {})
        app.senders["console"] = ConsoleSender(lambda text: None)
        await app.courier.drain()
        after = await samples(metrics)
    assert after["tapewatch_outbox_messages"] == {("sent",): 2}
    attempts = after["tapewatch_delivery_attempts_total"]
    assert {k: n for k, n in attempts.items() if n} == {("console", "delivered", "send"): 2}
    assert attempts["console", "no permission", "send"] == 0
    assert after["tapewatch_standing"][("active",)] == 1
    assert after["tapewatch_sessions_behind"] == {(): 0}
    # From Friday's end at 20:00 until Saturday 11:05.
    assert after["tapewatch_data_lag_seconds"] == {(): 15 * 3600 + 300}
    assert after["tapewatch_source_verdict"] == {("built-in sample market", "ok"): 1}
    assert after["tapewatch_publish_lag_seconds"][("console",)] == 0
    assert after["tapewatch_delivery_lag_seconds"][("console",)] == 0
    assert after["process_resident_memory_bytes"][()] > 1e6
    assert after["tapewatch_resident_memory_bytes"][()] > 1e6


async def test_a_source_that_is_not_asked_any_more_refuses_nobody(stored: Path) -> None:
    """What it answered last, under other settings, would be its last word for ever."""
    async with at(stored) as app, measured(app) as metrics:
        async with app.db.transaction() as writer:
            await writer.execute(
                "INSERT INTO attempts (at, series, session, source, verdict, seen)"
                " SELECT '2026-11-27', series, session, 'flat files', 'no access', ''"
                " FROM sessions LIMIT 1"
            )
        found = await samples(metrics)
    assert found["tapewatch_source_verdict"] == {("built-in sample market", "ok"): 1}


async def test_waiting_and_the_loops_lag_are_in_histograms(stored: Path) -> None:
    timings = Timings()
    async with at(stored) as app, measured(app, timings) as metrics:
        watching = asyncio.create_task(metrics.watch_loop())
        timings.acknowledged("slack", 0.02)
        timings.answered("discord", 1.5)
        await asyncio.sleep(0.25)
        watching.cancel()
        found = await samples(metrics)
    assert found["tapewatch_acknowledgement_seconds_bucket"][("0.025", "slack")] == 1
    assert found["tapewatch_answer_seconds_sum"][("discord",)] == 1.5
    assert found["tapewatch_loop_lag_seconds_count"][()] >= 1


async def test_no_label_names_a_channel_or_a_ticker(stored: Path) -> None:
    async with at(stored) as app, measured(app) as metrics:
        text = (await metrics.page())[0].decode()
        rows = await app.db.rows("SELECT DISTINCT ticker FROM anomalies")
        assert rows
        for row in rows:
            assert f'"{row["ticker"]}"' not in text
    assert "console:" not in text


async def test_a_copy_that_waits_has_a_page_as_well(tmp_path: Path) -> None:
    found = await samples(Metrics(Health(Lease(tmp_path / "s.db", utc_now), utc_now), Timings()))
    assert found["tapewatch_standing"][("passive",)] == 1
    assert "tapewatch_sessions_behind" not in found


async def test_what_cannot_be_read_is_left_out_counted_and_logged_once(
    stored: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(overwrite, stored / "state.db", "deliveries")
    async with at(stored) as app, measured(app) as metrics:
        for times in (1, 2):
            found = await samples(metrics)
            errors = found["tapewatch_scrape_errors_total"]
            assert {part for (part,), n in errors.items() if n == times} >= {"outbox", "lags"}
            assert errors["freshness",] == errors["sources",] == 0
    assert "tapewatch_outbox_messages" not in found
    assert found["tapewatch_sessions_behind"] == {(): 0}
    assert found["tapewatch_source_verdict"] == {("built-in sample market", "ok"): 1}
    said = [r for r in caplog.records if r.message == "not on /metrics"]
    assert [r.__dict__["part"] for r in said].count("outbox") == 1
    assert said[0].__dict__["seen"] == "database disk image is malformed"
