"""One trading day end to end: vendor servers, boto3 and httpx, SQLite, Parquet, the terminal."""

import asyncio
import contextlib
import gzip
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.message import digest
from alerts.model import TERMINAL, Message
from bot import once
from bot.app import App, opened
from bot.commands import CommandRequest
from bot.once import Exit, day_json, one_day
from bot.platforms.console import ConsoleSender
from bot.settings import load
from core.ledger import Status
from core.sources.day_aggs import key
from tests import market
from tests.filled import EVE, Kind, until
from tests.market import NEWEST, NOW, Vendor
from tests.servers.faults import Status as Answered
from tests.shared import Shared
from tests.typed import Typist

ROOT = Path(__file__).parent.parent
DAYS = market.window()
PROMISED = {
    *("session", "rank", "ticker", "scope", "value", "normal", "ratio", "z", "rarity", "label"),
    *("ret_pct", "volume", "transactions", "text"),
}


@pytest.fixture
async def vendor(shared: Shared, tmp_path: Path) -> AsyncIterator[Vendor]:
    """All sessions published, both servers up."""
    async with market.vendor(tmp_path / "vendor", DAYS, shared=shared) as running:
        yield running


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typist:
    return Typist(monkeypatch, capsys)


@pytest.fixture
def eve(shared: Shared, tmp_path: Path) -> Path:
    """A data folder the night before the newest session comes in: nobody was told anything."""
    return until(shared, Kind.FLAT_FILES, EVE, tmp_path / "data")


async def swept(app: App) -> list[str]:
    """One round of the day loop; what the terminal was given."""
    shown: list[str] = []
    app.senders["console"] = ConsoleSender(shown.append)
    await app.sweep(lambda step: None)
    await app.courier.drain()
    return shown


async def test_a_first_run_fills_the_baseline_silently_and_announces_the_newest(
    vendor: Vendor, tmp_path: Path
) -> None:
    async with opened(await vendor.settings(tmp_path / "data"), now=lambda: NOW) as app:
        shown = await swept(app)
        assert len(shown) == 1
        assert "Fri 6 Mar 2026" in shown[0]
        planted = {p.ticker for p in market.MARKET.planted(NEWEST)}
        said = await app.commands.digests.report(NEWEST)
        assert said.pushed
        assert {a.ticker for a in said.pushed} <= planted
        assert said.judged.source == "flat files (day aggregates)"
        assert await swept(app) == []


async def test_rest_and_flat_files_say_the_same(vendor: Vendor, eve: Path, tmp_path: Path) -> None:
    async def told(folder: Path, **changes: Any) -> dict[str, Any]:
        async with opened(await vendor.settings(folder, **changes), now=lambda: NOW) as app:
            await swept(app)
            return day_json(await app.commands.digests.report(NEWEST))

    files, rest = await told(eve), await told(tmp_path / "rest", use_flat_files="false")
    assert rest.pop("source") == "REST grouped daily"
    assert files.pop("source") == "flat files (day aggregates)"
    assert files == rest
    assert files["anomalies"]


async def test_a_403_on_flat_files_falls_back_to_rest_in_the_same_round(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.FLAT_FILES, DAYS[-7], folder)
    vendor.s3.entitled = lambda name: False
    async with opened(await vendor.settings(folder), now=lambda: NOW) as app:
        (shown,) = await swept(app)
        assert "flat files (day aggregates): plan lacks this data set" in shown
        assert "REST grouped daily served" in " ".join(shown.split())
        entry = await app.ladder.top.ledger.entry(NEWEST)
        assert entry is not None
        assert [(r.source, r.verdict) for r in entry.refused] == [
            ("flat files (day aggregates)", "plan lacks this data set")
        ]
    refused = [r for r in vendor.s3.requests if r.status == 403]
    assert len(refused) <= 2, "a plan that lacks the data set is not asked for every session"


async def test_an_outage_loses_nothing_and_floods_nobody(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.FLAT_FILES, DAYS[-7], folder)
    settings = await vendor.settings(folder)
    before = DAYS[-6].tape_end + timedelta(hours=15)
    async with opened(settings, now=lambda: before) as app:
        assert len(await swept(app)) == 1
    async with opened(settings, now=lambda: NOW) as app:
        shown = await swept(app)
        assert [f"{d.date:%a} {d.date.day} {d.date:%b %Y}" in s for d, s in
                zip(DAYS[-2:], shown, strict=True)] == [True, True]  # fmt: skip
        entries = await app.ladder.top.ledger.entries(DAYS)
        assert all(entries[d.date].status is Status.FINISHED for d in DAYS[-6:])


async def test_a_republished_file_is_a_new_revision_and_a_word_if_a_name_leaves(
    vendor: Vendor, eve: Path, tmp_path: Path
) -> None:
    settings = await vendor.settings(eve)

    async def ask(text: str) -> Message:
        reply = await app.commands.answer(
            CommandRequest.parse(text, "console:@me", "console:here", operator=True)
        )
        return reply.message

    async with opened(settings, now=lambda: NOW) as app:
        await swept(app)
        first = await app.commands.digests.report(NEWEST)
        gone = first.pushed[-1].ticker
        path = tmp_path / "vendor" / key("day_aggs_v1", NEWEST.date)
        await asyncio.to_thread(path.write_bytes, _without(market.day_file(NEWEST), -1))
        assert await swept(app) == [], "numbers are updated without a word"
        second = await app.commands.digests.report(NEWEST)
        assert second.judged.revision == 2
        assert "data revision 2 updated numbers only" in (await ask("anomalies as:sent")).banners[0]

        await asyncio.to_thread(path.write_bytes, _without(market.day_file(NEWEST), gone))
        (shown,) = await swept(app)
        told = " ".join(shown.split())
        assert f"{gone} leaves the list" in told
        assert "data revision 3, before: 1" in told
        assert await swept(app) == []

        sent, now, plain = [await ask(f"anomalies {how}") for how in ("as:sent", "as:now", "")]
        assert gone in " ".join(row.head for row in sent.rows)
        assert f"data revision 3 changed the list: −{gone}" in sent.banners[0]
        assert now.banners[0] == "As judged now: the list that was last sent."
        assert now.rows == plain.rows
        assert gone not in " ".join(row.head for row in plain.rows)
    stored = eve / "bars/all-daily-raw"
    assert (stored / f"{NEWEST}.r1.parquet").exists()


def _without(payload: bytes, row: str | int) -> bytes:
    """The file less one row: by place, or a ticker's."""
    lines = gzip.decompress(payload).splitlines()
    if isinstance(row, int):
        del lines[row]
    else:
        lines = [line for line in lines if not line.startswith(f"{row},".encode())]
    return gzip.compress(b"\n".join(lines) + b"\n")


async def test_sample_bars_never_meet_real_ones(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(until, shared, Kind.SAMPLE, EVE, folder)
    async with opened(await vendor.settings(folder), now=lambda: NOW) as app:
        real = app.ladder.top.ledger.series
        assert await app.ladder.entries(DAYS) == {}
    keyless = await asyncio.to_thread(load, data_dir=folder)
    async with opened(keyless, now=lambda: NOW) as app:
        assert app.ladder.top.ledger.series != real
        (shown,) = await swept(app)
        assert "SAMPLE" in shown


async def test_a_crash_between_publishing_and_telling_tells_at_the_next_start(
    vendor: Vendor, eve: Path
) -> None:
    settings = await vendor.settings(eve)
    async with opened(settings, now=lambda: NOW) as app:
        # No sender: as if the process died after the commit.
        await app.sweep(lambda step: None)
        await app.courier.drain()
    async with opened(settings, now=lambda: NOW) as app:
        assert len(await swept(app)) == 1


async def started(
    environment: dict[str, str], *words: str, folder: Path
) -> asyncio.subprocess.Process:
    """`python -m bot …` as a person would start it, warnings as errors, no terminal."""
    mine = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *words),
        cwd=folder,
        env=mine | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(environment: dict[str, str], *words: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = await started(environment, *words, folder=folder)
    out, err = await asyncio.wait_for(process.communicate(), 50)
    return process.returncode or 0, out.decode(), err.decode()


async def written(stream: asyncio.StreamReader | None, text: str) -> str:
    """What a process writes up to and with a text."""
    assert stream is not None
    seen = ""
    async with asyncio.timeout(50):
        while text not in seen:
            line = (await stream.readline()).decode()
            assert line, f"the process ended after {seen!r}"
            seen += line
    return seen


@pytest.fixture
def before(shared: Shared, tmp_path: Path) -> Path:
    """A data folder that lacks the last two sessions; nobody was told anything."""
    return until(shared, Kind.FLAT_FILES, DAYS[-3], tmp_path / "before")


async def test_the_command_line_does_a_day(
    vendor: Vendor, before: Path, tmp_path: Path, typed: Typist
) -> None:
    environment, day = vendor.environment(before), str(DAYS[-2])
    code, out, err = await run(environment, "once", "--session", day, "--json", folder=tmp_path)
    assert code == Exit.DONE, err
    told = json.loads(out)
    assert told["session"] == day
    assert told["status"] == "finished"
    again = await typed(environment, "once", "--session", day, "--json")
    assert json.loads(again[1]) == told
    code, out, _ = await typed(environment, "anomalies", day, "--json")
    assert code == Exit.DONE
    assert json.loads(out) == told["anomalies"]
    code, out, _ = await typed(environment, "anomalies", day, "--all", "--csv")
    header, *rows = out.splitlines()
    assert len(rows) == told["market"]["eligible"]
    assert set(header.split(",")) >= PROMISED
    code, out, _ = await typed(environment, "ask", f"/anomalies {day}")
    assert code == Exit.DONE
    assert day[:4] in out


async def test_the_shell_is_told_how_it_went(vendor: Vendor, tmp_path: Path, typed: Typist) -> None:
    environment = vendor.environment(tmp_path / "data")
    vendor.s3.faults.always(Answered(500))
    vendor.rest.faults.always(Answered(503))
    day = str(DAYS[-1])
    code, out, err = await run(environment, "once", "--session", day, "--json", folder=tmp_path)
    assert code == Exit.TRY_AGAIN
    assert json.loads(out)["status"] == "vendor fault"
    assert "503" in err
    wrong = environment | {"POLYGON_API_KEY": "wrongwrong", "USE_FLAT_FILES": "false"}
    vendor.rest.faults.clear()
    vendor.s3.faults.clear()
    code, _, err = await typed(wrong, "once", "--session", day)
    assert code == Exit.REFUSED
    assert "wrongwrong" not in err
    code, _, err = await typed(environment, "once", "--session", "2026-03-07")
    assert (code, "Saturday" in err) == (Exit.USAGE, True)
    code, _, err = await typed({"ALERT_TOP": "many"}, "once")
    assert (code, "ALERT_TOP='many'" in err) == (Exit.CONFIG, True)


async def test_the_service_without_a_terminal_prints_the_digest_and_leaves_on_sigterm(
    tmp_path: Path,
) -> None:
    process = await started({}, "run", folder=tmp_path)
    shown = await written(process.stdout, "not advice")
    assert "SAMPLE" in shown
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert "Traceback" not in err.decode()


async def test_a_killed_run_leaves_nothing_half_done(
    vendor: Vendor, shared: Shared, before: Path, tmp_path: Path, typed: Typist
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.FLAT_FILES, DAYS[-26], tmp_path / "data")
    environment, day = vendor.environment(folder), str(DAYS[-2])
    process = await started(environment, "once", "--session", day, folder=tmp_path)
    await written(process.stderr, "10 of ")
    process.kill()
    await process.communicate()
    code, out, err = await typed(environment, "once", "--session", day, "--json")
    assert code == Exit.DONE, err
    clean = vendor.environment(before)
    _, undisturbed, _ = await typed(clean, "once", "--session", day, "--json")
    assert json.loads(out)["anomalies"] == json.loads(undisturbed)["anomalies"]
    with sqlite3.connect(tmp_path / "data/state.db") as db:
        (count,) = db.execute("SELECT count(*) FROM deliveries WHERE state = 'sent'").fetchone()
    db.close()
    assert count == 1


async def test_deliveries_name_their_destination(vendor: Vendor, eve: Path) -> None:
    async with opened(await vendor.settings(eve), now=lambda: NOW) as app:
        await swept(app)
        (row,) = await app.db.rows("SELECT * FROM deliveries")
        assert row["destination"] == str(TERMINAL)
        assert row["state"] == "sent"
        assert digest(await app.commands.digests.report(NEWEST)).lead


async def test_two_processes_on_one_folder_do_the_same_day_once(
    vendor: Vendor, shared: Shared, tmp_path: Path
) -> None:
    folder = await asyncio.to_thread(until, shared, Kind.FLAT_FILES, DAYS[-7], tmp_path / "data")
    environment, day = vendor.environment(folder), str(DAYS[-2])
    both = [
        asyncio.create_task(run(environment, "once", "--session", day, "--json", folder=tmp_path))
        for _ in range(2)
    ]
    (code, out, err), (code2, out2, err2) = await asyncio.gather(*both)
    assert (code, code2) == (Exit.DONE, Exit.DONE), err + err2
    assert json.loads(out)["anomalies"] == json.loads(out2)["anomalies"]
    with contextlib.closing(sqlite3.connect(tmp_path / "data/state.db")) as db:
        assert db.execute("SELECT attempts, state FROM deliveries").fetchall() == [(1, "sent")]


async def test_a_finished_day_is_shown_though_the_source_is_away(
    vendor: Vendor, before: Path, typed: Typist
) -> None:
    environment, day = vendor.environment(before), str(DAYS[-2])
    first = await typed(environment, "once", "--session", day)
    away = environment | {"FLATFILES_ENDPOINT_URL": "http://127.0.0.1:1"}
    again = await typed(away, "once", "--session", day)
    assert (first[0], again[0]) == (Exit.DONE, Exit.DONE)
    assert again[1] == first[1]
    assert "whether it was republished is not known" in again[2]


async def test_one_day_asked_for_leaves_other_messages_to_the_service(
    vendor: Vendor, eve: Path
) -> None:
    settings = await vendor.settings(eve)
    async with opened(settings, now=lambda: NOW) as app:
        await app.sweep(lambda step: None)  # published, and nobody was told
        shown: list[str] = []
        app.senders["console"] = ConsoleSender(shown.append)
        await one_day(app, DAYS[-2], release=False)
        await once.delivered(app, DAYS[-2])
        assert len(shown) == 1
        assert len(await swept(app)) == 1


async def test_a_long_time_down_is_caught_up_from_the_last_session_that_was_said(
    tmp_path: Path,
) -> None:
    long_ago = market.window(count=100)[0]
    keyless = await asyncio.to_thread(load, data_dir=tmp_path)
    async with opened(keyless, now=lambda: NOW) as app:
        await app.ladder.top.trading_day(long_ago, announce=True)
        await swept(app)
        entries = await app.ladder.top.ledger.entries(market.window(count=100))
        assert len(entries) == 100
