"""The running copy: what ends it, and with what."""

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import polars as pl
import pytest

from alerts.model import Destination
from bot.app import App, Copy, opened, utc_now
from bot.once import Exit
from bot.service import Service
from bot.settings import load
from core.errors import DeliveryDeferred
from core.lease import Lease
from tests.contracts.senders import CHANNELS, letter


async def service(folder: Path, kind: type[Service] = Service, **given: Any) -> Service:
    settings = await asyncio.to_thread(load, data_dir=folder, **given)
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


async def test_paused_it_is_alive_and_touches_nothing(tmp_path: Path) -> None:
    """Another one works on the folder meanwhile, or somebody puts a backup into it."""
    waits = await service(tmp_path, paused=True, port=0)
    running = asyncio.create_task(waits.run())
    async with asyncio.timeout(5):
        while not waits.door.is_open:  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.01)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{waits.door.bound}") as host:
        async with host.get("/healthz") as answer:
            assert (answer.status, (await answer.json())["standing"]) == (200, "paused")
        async with host.get("/readyz") as answer:
            assert (answer.status, (await answer.json())["lacking"]) == (503, ["paused"])
    assert await asyncio.to_thread(os.listdir, tmp_path) == []
    waits.stop.set()
    assert await asyncio.wait_for(running, 5) is Exit.DONE


class Overtaken(Service):
    """Another copy takes over between its opening and its first word."""

    async def _serve(self, app: App) -> None:
        async with app.db.transaction() as writer:
            await writer.execute("UPDATE lease SET holder = 'another'")
        await super()._serve(app)


async def test_a_lease_that_is_lost_while_it_opens_is_no_fault_of_ours(tmp_path: Path) -> None:
    late = await service(tmp_path, Overtaken)
    assert await asyncio.wait_for(late.run(), 30) is Exit.TRY_AGAIN


async def test_a_copy_that_may_have_been_replaced_asks_no_platform_anything(
    tmp_path: Path,
) -> None:
    nobody = "http://127.0.0.1:9"
    given = {"discord_token": "x" * 30, "discord_api_url": nobody, "slack_api_url": nobody}
    settings = await asyncio.to_thread(
        partial(load, data_dir=tmp_path, slack_bot_token="xoxb-1", **given)
    )
    async with opened(settings, copy=Copy(sure=lambda: False)) as app:
        for name in ("discord", "slack"):
            with pytest.raises(DeliveryDeferred, match="silent for too long"):
                await app.senders[name].send(Destination(name, CHANNELS[name]), letter())


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
