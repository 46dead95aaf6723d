"""Bars that are gone, though the state knows of them: a disk was lost, a backup had no bars.

A file that is there and cannot be read is gone as well, from the moment when somebody tries.
"""

import asyncio
import logging
from pathlib import Path

import pytest

from core.jobs import JobState
from core.ledger import Status
from tests.bot.small_market import ask
from tests.bot.test_backfilling import at
from tests.filled import Kind, until
from tests.market import window
from tests.shared import Shared

EVE = window()[-2]
WEEK = window()[-6:-1]


@pytest.mark.parametrize("policy", ["", " all"])
async def test_they_are_missing_are_read_again_and_are_as_they_were(
    shared: Shared, tmp_path: Path, policy: str
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as there:
        top = there.app.ladder.top
        files = [folder / "bars" / top.series.key / f"{day}.parquet" for day in WEEK[1:4]]
        had = [await asyncio.to_thread(file.read_bytes) for file in files]
        for file in files:
            await asyncio.to_thread(file.unlink)
        plan = (await ask(there.app, f"/backfill plan {WEEK[0]} {WEEK[-1]}")).message
        assert "3 sessions to read" in plan.lead

        assert (await ask(there.app, f"/backfill run {WEEK[0]} {WEEK[-1]}{policy}")).ok
        await there.ended()
        assert [await asyncio.to_thread(file.read_bytes) for file in files] == had
        standing = await there.app.backfilling.standing()
        assert standing is not None
        if policy:
            # Nobody can tell whether what is gone was the same.
            assert standing.compared is not None
            assert (standing.compared.changed, standing.compared.new) == (0, 3)
        entries = await top.entries(WEEK)
        assert [entries[day.date].status for day in WEEK] == [Status.FINISHED] * 5
        plan = (await ask(there.app, f"/backfill plan {WEEK[0]} {WEEK[-1]}")).message
        assert "nothing to read" in plan.lead


@pytest.mark.parametrize("way", ["/anomalies", "/why XVAL", "/ticker XVAL", f"/why XVAL {WEEK[3]}"])
@pytest.mark.parametrize("is_gone", [True, False])
async def test_what_was_stored_and_is_gone_is_not_said_to_have_been_quiet(
    shared: Shared, tmp_path: Path, way: str, *, is_gone: bool
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as there:
        top = there.app.ladder.top
        for day in (WEEK[3], EVE):
            file = folder / "bars" / top.series.key / f"{day}.parquet"
            damage = file.unlink if is_gone else lambda file=file: file.write_bytes(bytes(9))
            await asyncio.to_thread(damage)
        day = WEEK[3] if way.endswith(str(WEEK[3])) else EVE
        if not is_gone:
            await ask(there.app, way)  # whoever meets it first has it set aside
        reply = await ask(there.app, way)
        assert not reply.ok
        said = f"The bars of {day} were stored and are gone, or were damaged: /backfill run {day}"
        assert said in reply.message.lead
        assert (await ask(there.app, f"/backfill run {WEEK[0]} {EVE}")).ok
        await there.ended()
        assert (await ask(there.app, way)).ok


@pytest.mark.parametrize("policy", ["", " all"])
async def test_a_damaged_file_is_set_aside_and_its_session_read_again(
    shared: Shared, tmp_path: Path, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as there:
        top = there.app.ladder.top
        name = f"bars/{top.series.key}/{WEEK[2]}.parquet"
        had = await asyncio.to_thread((folder / name).read_bytes)
        await asyncio.to_thread((folder / name).write_bytes, had[: len(had) // 2])
        if not policy:
            # Whoever meets it first has an answer all the same.
            with caplog.at_level(logging.ERROR):
                answered = (await ask(there.app, "/ticker XWUP")).message
            assert "damaged" in caplog.text
            assert answered.lead.startswith("XWUP $")

        assert (await ask(there.app, f"/backfill run {WEEK[0]} {WEEK[-1]}{policy}")).ok
        await there.ended()
        standing = await there.app.backfilling.standing()
        assert standing is not None
        assert (standing.job.state, standing.failures) == (JobState.DONE, [])
        assert await asyncio.to_thread((folder / name).read_bytes) == had
        aside = folder / "damaged" / name
        assert await asyncio.to_thread(aside.read_bytes) == had[: len(had) // 2]
