"""Bars that are gone, though the state knows of them: a disk was lost, a backup had no bars.

A file that is there and cannot be read is gone as well, from the moment when somebody tries.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from alerts.model import TERMINAL
from bot.app import App, opened
from bot.attempts import Attempts
from bot.fill import fill
from core.bars import Bars
from core.calendar import TradingDay
from core.errors import Verdict
from core.jobs import JobState, Policy, Unit
from core.ledger import Status
from core.pipeline import Pipeline
from tests import market
from tests.bot.small_market import ask
from tests.bot.test_backfilling import There, at, refused
from tests.chat import FakePlatform
from tests.filled import Kind, until
from tests.market import NEWEST, NOW, compiled_once, window
from tests.shared import Shared, copied

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


def half(had: bytes) -> bytes:
    return had[: len(had) // 2]


def misspelt(had: bytes) -> bytes:
    """The table is as good as before, the name of a column is another one."""
    return had.replace(b"transactions", b"transa#tions")


@pytest.mark.parametrize("spoil", [half, misspelt])
@pytest.mark.parametrize("policy", ["", " all"])
async def test_a_damaged_file_is_set_aside_and_its_session_read_again(
    shared: Shared,
    tmp_path: Path,
    policy: str,
    spoil: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, tmp_path / "data")
    async with at(folder) as there:
        top = there.app.ladder.top
        name = f"bars/{top.series.key}/{WEEK[2]}.parquet"
        had = await asyncio.to_thread((folder / name).read_bytes)
        await asyncio.to_thread((folder / name).write_bytes, spoil(had))
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
        assert await asyncio.to_thread(aside.read_bytes) == spoil(had)


@pytest.fixture
async def taped(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[There]:
    """The newest session of the sample market, counted off exchange; it was told."""
    monkeypatch.setenv("DARK_POOL_ONLY", "true")

    async def tell(folder: Path) -> None:
        async with at(folder, running=False) as there:
            await there.app.ladder.top.trading_day(NEWEST, announce=True)

    def make(folder: Path) -> None:
        compiled_once(folder)
        asyncio.run(tell(folder))

    made = await asyncio.to_thread(shared.once, "taped-and-told", make)
    async with at(await asyncio.to_thread(copied, made, tmp_path / "data")) as there:
        there.app.senders[TERMINAL.platform] = FakePlatform()
        yield there


def beside(there: There) -> Path:
    """The file of all venues."""
    folder = there.app.settings.data_dir
    return folder / "bars" / "all-sample-raw" / f"{NEWEST}.parquet"


async def planned(app: App, day: TradingDay = NEWEST, policy: str = "missing") -> dict[str, str]:
    message = (await ask(app, f"/backfill plan {day} {day} {policy}")).message
    return {"lead": message.lead, **dict(message.facts)}


async def said(app: App) -> list[tuple[object, ...]]:
    """All that anybody was or will be told, and the line of the series that is judged."""
    rows = await app.db.rows("SELECT id, kind, revision FROM deliveries ORDER BY id")
    entry = await app.ladder.top.ledger.entry(NEWEST)
    assert entry is not None
    return [*map(tuple, rows), (entry.status, entry.announced, entry.revision, entry.stored_at)]


async def test_what_came_with_a_series_is_missing_too_and_put_back_silently(
    taped: There,
) -> None:
    app, run = taped.app, f"/backfill run {NEWEST} {NEWEST}"
    had, told = await asyncio.to_thread(beside(taped).read_bytes), await said(app)
    assert told[-1] == (Status.FINISHED, True, 1, NOW)
    assert (await planned(app))["stored"] == "1"

    await asyncio.to_thread(beside(taped).write_bytes, bytes(len(had)))
    await app.ladder.top.record.bars([NEWEST])
    plan = await planned(app)
    assert (plan["stored"], plan["missing"]) == ("0", "1")
    assert (await ask(app, run)).ok
    assert await taped.ended() == "1 of 1 session: done."
    assert await asyncio.to_thread(beside(taped).read_bytes) == had

    assert "nothing to read" in (await planned(app))["lead"]
    assert not (await ask(app, run)).ok, "there is nothing left to read"
    assert not await app.ladder.top.revisit(NEWEST)
    assert await said(app) == told


async def test_what_nobody_has_any_more_failed_before_and_is_not_called_stored(
    taped: There,
) -> None:
    app = taped.app
    await asyncio.to_thread(beside(taped).unlink)
    taped.doing.faults = {NEWEST: [refused("SourceRefused", Verdict.DATE_OUTSIDE_PLAN)]}
    done = await fill(app, [str(NEWEST), str(NEWEST)])
    assert (done.stored, done.failed) == (0, 1)
    plan = await planned(app)
    assert (plan["stored"], plan["missing"]) == ("0", "0")
    assert plan["failed before"].startswith("1 failed (1 date outside the plan)")
    done = await fill(app, [str(NEWEST), str(NEWEST)])
    assert (done.stored, done.failed) == (0, 0)
    assert done.unread == "1 failed (1 date outside the plan)"
    assert taped.doing.asked == [NEWEST], "once"


async def test_own_bars_that_turn_out_to_be_others_are_said_as_republished_ones_are(
    taped: There,
) -> None:
    app, top = taped.app, taped.app.ladder.top
    rows = await asyncio.to_thread(top.store.read, top.series, [NEWEST])
    await asyncio.to_thread(top.store.write, top.series, NEWEST, Bars(rows[1:]), 1)
    await asyncio.to_thread(beside(taped).unlink)

    assert (await ask(app, f"/backfill run {NEWEST} {NEWEST}")).ok
    await taped.ended()

    entry = await top.ledger.entry(NEWEST)
    assert entry is not None
    assert (entry.status, entry.announced, entry.revision) == (Status.FINISHED, True, 2)
    assert (await app.db.rows("SELECT max(revision) FROM digests"))[0][0] == 2


@pytest.fixture
async def finra(shared: Shared, tmp_path: Path) -> AsyncIterator[App]:
    """FINRA's volumes, and prices of all venues beside them; the newest session was told."""
    folder = await asyncio.to_thread(until, shared, Kind.FINRA, EVE, tmp_path / "data")
    async with market.vendor(tmp_path / "vendor", window(), shared=shared) as vendor:
        settings = await vendor.settings(folder, dark_pool_only="true")
        async with opened(settings, now=lambda: NOW) as app:
            app.senders[TERMINAL.platform] = FakePlatform()
            await app.sweep(lambda step: None)
            yield app


async def attempted(app: App, pipeline: Pipeline, policy: Policy) -> str:
    """The unit of the newest session, which a job has asked for."""
    wish = app.backfilling.wish("run", [str(NEWEST), str(NEWEST), policy])
    unread = await app.backfilling.unread(wish)
    assert unread == {NEWEST: 1}, "what is there of the series itself is no less for that"
    jobs = app.backfilling.runner.jobs
    job = await jobs.begin(
        pipeline.series.key, unread, policy, who="console:@terminal", place="console:terminal",
        span=wish.span,
    )  # fmt: skip
    assert await jobs.take(job) == NEWEST
    assert (
        await Attempts(jobs, app.ladder, app.turn).made(job, pipeline, NEWEST, waits=False) is None
    )
    await jobs.state(job, JobState.DONE)
    (unit,) = await app.db.rows("SELECT state FROM job_sessions WHERE job = ?", (job.id,))
    return str(unit["state"])


@pytest.mark.parametrize("policy", [Policy.MISSING, Policy.ALL])
async def test_prices_beside_volumes_are_missing_too_and_put_back_silently(
    finra: App, policy: Policy
) -> None:
    top, told = finra.ladder.top, await said(finra)
    assert top.beside is not None
    file = finra.settings.data_dir / "bars" / top.beside.series.key / f"{NEWEST}.parquet"
    had = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.unlink)
    assert (await planned(finra))["missing"] == "1"

    assert await attempted(finra, top, policy) == Unit.STORED

    assert await asyncio.to_thread(file.read_bytes) == had
    assert "nothing to read" in (await planned(finra))["lead"]
    await finra.sweep(lambda step: None)
    assert await said(finra) == told
