"""core.vendor_tables: asked for weekly, kept over restarts, never lost to a vendor who is away."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.conditions import BUNDLED_VERSION, VOLUME_ONLY, Rules, bundled
from core.db import Db
from core.errors import SourceUnavailable
from core.vendor_tables import VendorTables
from tests.fakes import FakeClock
from tests.states import new_state

NOW = datetime(2026, 11, 21, 16, 5, tzinfo=UTC)
CHANGED = replace(bundled(), updates={**bundled().updates, 17: VOLUME_ONLY}, version="vendor-1")


@dataclass
class FakeReference:
    """Gives these tables, or cannot be asked."""

    rules: Rules = field(default_factory=bundled)
    error: SourceUnavailable | None = None
    no_exchanges: SourceUnavailable | None = None
    names: dict[int, str] = field(default_factory=lambda: {4: "FINRA Alternative Display Facility"})
    asked: int = 0

    async def conditions(self) -> Rules:
        """core.vendor_tables.Asked."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.rules

    async def exchanges(self) -> dict[int, str]:
        """core.vendor_tables.Asked."""
        if self.no_exchanges is not None:
            raise self.no_exchanges
        return self.names


@dataclass
class House:
    """One database, a vendor, a clock."""

    db: Db
    vendor: FakeReference = field(default_factory=FakeReference)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def tables(self) -> VendorTables:
        """As after a restart."""
        return VendorTables(self.db, self.vendor, self.clock)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Db.open(await new_state(tmp_path)) as db:
        yield House(db)


async def test_without_a_key_the_bundled_table_serves(house: House) -> None:
    tables = VendorTables(house.db, None, house.clock)
    await tables.refresh()
    assert (await tables.rules()).version == BUNDLED_VERSION
    assert "FINRA" in (await tables.exchanges())[4]


async def test_what_was_fetched_is_kept_and_asked_for_again_after_a_week(house: House) -> None:
    house.vendor.rules = CHANGED
    await house.tables().refresh()
    for _ in range(3):
        await house.tables().refresh()
    assert house.vendor.asked == 1
    assert await house.tables().rules() == CHANGED
    assert await house.tables().exchanges() == {4: "FINRA Alternative Display Facility"}

    house.clock.at += timedelta(days=7)
    house.vendor.rules = bundled()
    await house.tables().refresh()
    assert house.vendor.asked == 2
    assert (await house.tables().rules()).version == BUNDLED_VERSION


async def test_a_vendor_who_is_away_changes_nothing_and_is_asked_again(house: House) -> None:
    house.vendor.rules = CHANGED
    await house.tables().refresh()
    house.clock.at += timedelta(days=8)
    house.vendor.error = SourceUnavailable("HTTP 503")

    await house.tables().refresh()
    await house.tables().refresh()

    assert house.vendor.asked == 3
    assert await house.tables().rules() == CHANGED


async def test_a_rule_that_changed_is_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await house.tables().refresh()
        assert not caplog.records
        house.clock.at += timedelta(days=8)
        house.vendor.rules = CHANGED
        await house.tables().refresh()
    assert ["begin anew" in record.message for record in caplog.records] == [True]


async def test_an_off_exchange_id_that_means_something_else_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.vendor.names = {4: "Some Other Exchange"}
    with caplog.at_level(logging.WARNING):
        await house.tables().refresh()
    assert ["is another" in record.message for record in caplog.records] == [True]


async def test_one_table_that_cannot_be_had_takes_nothing_from_the_other(house: House) -> None:
    house.vendor.rules, house.vendor.no_exchanges = CHANGED, SourceUnavailable("HTTP 500")
    await house.tables().refresh()
    await house.tables().refresh()
    assert await house.tables().rules() == CHANGED
    assert house.vendor.asked == 1
    assert "FINRA" in (await house.tables().exchanges())[4]


async def test_a_stored_table_that_is_garbage_gives_way_to_the_bundled_one(house: House) -> None:
    await house.tables().refresh()
    async with house.db.transaction() as writer:
        await writer.execute("UPDATE vendor_tables SET body = '{' WHERE name = 'conditions'")
    assert (await house.tables().rules()).version == BUNDLED_VERSION
