"""The running copy: what ends it, and with what."""

import asyncio
from pathlib import Path

import polars as pl
import pytest

from bot.app import App, utc_now
from bot.once import Exit
from bot.service import Service
from bot.settings import load
from core.lease import Lease


async def service(folder: Path, kind: type[Service] = Service) -> Service:
    settings = await asyncio.to_thread(load, data_dir=folder)
    return kind(settings, Lease(settings.state_db, utc_now), utc_now)


async def test_told_to_stop_while_it_waits_for_its_turn_it_ends_at_once(tmp_path: Path) -> None:
    first = Lease(tmp_path / "state.db", utc_now)
    async with first.held():
        waits = await service(tmp_path)
        running = asyncio.create_task(waits.run())
        async with asyncio.timeout(5):
            while waits.lease.other is None:  # noqa: ASYNC110 - nobody sets an event for it
                await asyncio.sleep(0.01)
        assert waits.health.standing == "passive"
        waits.stop.set()
        assert await asyncio.wait_for(running, 5) is Exit.DONE
    assert first.lost.is_set() is False


class Panics(Service):
    """Its source meets what is no Exception, and so passes every handler."""

    async def _serve(self, app: App) -> None:
        async def broken(day: object) -> None:
            raise pl.exceptions.PanicException("slice index starts at 1 but ends at 0")

        source = app.ladder.top.chain.sources[0]
        source.bars = broken  # type: ignore[method-assign, assignment]
        await super()._serve(app)


async def test_half_a_service_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = await service(tmp_path, Panics)
    with pytest.raises(pl.exceptions.PanicException):
        await asyncio.wait_for(broken.run(), 30)
    assert "a part has ended, and so all does" in caplog.text
    assert not broken.lease.is_held
