"""Bars on object storage, through the application: the same market, and the same answers."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.app import App, opened, utc_now
from bot.once import Exit
from bot.settings import load
from bot.shell import main
from bot.storage import DISK, copied, keep_at, opened_files
from bot.worker import work
from core.alone import alone
from core.aside import PLACE
from core.bars import Bars
from core.conditions import bundled
from core.elsewhere import Receipt, Task
from core.errors import ConfigError, Verdict
from core.files import Folder
from core.lease import Lease
from core.sources.next_step import Part
from tests.bot.small_market import STORED, ask, at, shown, stored_market
from tests.grid import free_port
from tests.market import NOW
from tests.servers.faults import Reset
from tests.servers.s3_writable import WritableS3Server
from tests.shared import Shared
from tests.typed import Typist

ROOT = Path(__file__).parent.parent.parent
KEY_ID, SECRET = "AKIDAKIDAKIDAKIDAKID", "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr"


@dataclass
class There:
    """A data folder with the small market, and an empty bucket."""

    folder: Path
    server: WritableS3Server
    typed: Typist

    @property
    def environment(self) -> dict[str, str]:
        """All that makes bars go into the bucket."""
        return {
            "DATA_DIR": str(self.folder),
            "DATA_URL": "s3://tape/market",
            "DATA_ENDPOINT_URL": self.server.url,
            "DATA_ACCESS_KEY_ID": KEY_ID,
            "DATA_SECRET_ACCESS_KEY": SECRET,
        }

    @asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        """The application over the bucket."""
        given = {name.lower(): value for name, value in self.environment.items()}
        settings = await asyncio.to_thread(load, **given)
        async with opened(settings, now=lambda: NOW) as app:
            yield app

    async def moved(self) -> None:
        """All bars are in the bucket, and none is on this machine."""
        async with at(self.folder) as app:
            keys = [app.ladder.top.series.key]
        given = {name.lower(): value for name, value in self.environment.items()}

        def move() -> None:
            settings = load(**given)
            assert copied(Folder(self.folder), opened_files(settings), keys).count
            keep_at(settings, "s3://tape/market")
            shutil.rmtree(self.folder / "bars")
            shutil.rmtree(self.folder / "cached")

        await asyncio.to_thread(move)

    async def copy_bars(self, *words: str) -> tuple[int, str]:
        """`python -m bot copy-bars`: exit code, and what was said."""
        code, _, said = await self.typed(self.environment, "copy-bars", *words)
        return code, said

    async def copy_bars_apart(self) -> tuple[int | None, str]:
        """The same by a process of its own."""
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "copy-bars"),
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **self.environment},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await done.communicate()
        return done.returncode, said.decode()


@pytest.fixture
async def there(
    shared: Shared,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[There]:
    async with WritableS3Server(
        access_key_id=KEY_ID, secret_access_key=SECRET, bucket="tape"
    ) as server:
        folder = await asyncio.to_thread(stored_market, shared, tmp_path / "data")
        yield There(folder, server, Typist(monkeypatch, capsys))


def stored_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("bars/*/*.parquet")}


async def test_bars_of_a_disk_move_to_a_bucket_and_every_answer_stays(there: There) -> None:
    questions = ("/ticker XWUP", "/anomalies today", f"/anomalies {STORED[-2]}", "/why XWUP")
    async with at(there.folder) as app:
        replies = [await ask(app, text) for text in questions]
        assert all(reply.ok for reply in replies)
        before = [reply.message for reply in replies]

    with pytest.raises(
        ConfigError, match=r"the bars are in DATA_DIR=.*: `python -m bot copy-bars`"
    ):
        async with there.app():
            pass
    code, said = await there.copy_bars_apart()
    assert code == 0, said
    assert "files copied" in said
    code, said = await there.copy_bars()
    where = f"s3://tape/market of {there.server.url}"
    assert (code, said) == (2, f"the bars are in {where}, not in disk: nothing to copy\n")

    on_disk = await asyncio.to_thread(stored_bytes, there.folder)
    in_bucket = {key.removeprefix("market/"): body for key, body in there.server.objects.items()}
    assert {k: v for k, v in in_bucket.items() if k.startswith("bars/")} == on_disk
    await asyncio.to_thread(shutil.rmtree, there.folder / "bars")
    async with there.app() as app:
        after = [(await ask(app, text)).message for text in questions]
    assert after == before

    with pytest.raises(ConfigError, match="the bars are in s3://tape/market: set DATA_URL="):
        async with at(there.folder):
            pass
    await asyncio.to_thread(shutil.rmtree, there.folder / "cached")
    assert (await there.copy_bars("--back"))[0] == 0
    assert await asyncio.to_thread(stored_bytes, there.folder) == on_disk
    async with at(there.folder) as app:
        assert (await ask(app, "/ticker XWUP")).ok


async def test_a_bucket_of_the_same_name_on_another_server_is_another_one(there: There) -> None:
    await there.moved()
    async with (
        there.app() as app
    ):  # which writes down the server, as the first start of old did not
        assert (await ask(app, "/ticker XWUP")).ok
    async with WritableS3Server(
        access_key_id=KEY_ID, secret_access_key=SECRET, bucket="tape"
    ) as other:
        elsewhere = replace(there, server=other)
        with pytest.raises(ConfigError, match=rf"the bars are in that of {there.server.url}: set"):
            async with elsewhere.app():
                pass
        assert (await elsewhere.copy_bars())[0] == 2
        # The same storage by another name.
        other.objects.update(there.server.objects)
        mark = there.folder / "bars.at"
        await asyncio.to_thread(mark.write_text, "s3://tape/market")
        async with elsewhere.app() as app:
            assert (await ask(app, "/ticker XWUP")).ok
        assert await asyncio.to_thread(mark.read_text) == f"s3://tape/market {other.url}"


async def test_bars_are_not_copied_beside_whoever_stores_some(there: There) -> None:
    async with Lease(there.folder / "state.db", utc_now).held():
        code, said = await there.copy_bars()
        assert code == 75, said
        assert "a service (" in said
    for lock, who in (("backfill.lock", "a backfill"), ("turn.lock", "another process")):
        async with alone(there.folder / lock) as mine:
            assert mine
            code, said = await there.copy_bars()
            assert (code, said) == (
                75,
                f"{who} stores bars here: end it first, or what it stores meanwhile stays behind\n",
            )
    assert there.server.objects == {}
    code, said = await there.copy_bars()
    assert code == 0, said


async def test_what_came_in_meanwhile_is_what_counts_on_the_way_back(there: There) -> None:
    """Old files still lie where the bars were first."""
    await there.copy_bars()
    async with there.app() as app:
        top = app.ladder.top
        read = await asyncio.to_thread(top.store.read, top.series, [STORED[-1]])
        changed = Bars(read.head(len(read) - 5))
        await asyncio.to_thread(top.store.write, top.series, STORED[-1], changed, 2)
        await app.ladder.compact()
    async with there.app() as app:
        assert (await ask(app, "/ticker XWUP")).ok, "it starts again after its files by ticker"
    code, said = await there.copy_bars("--back")
    assert (code, said.split(" files")[0]) == (0, "2"), "the new revision, and the one before it"
    async with at(there.folder) as app:
        top = app.ladder.top
        assert (await asyncio.to_thread(top.store.read, top.series, [STORED[-1]])).equals(changed)


async def test_what_the_bucket_has_of_an_earlier_stay_is_put_aside_and_said(there: There) -> None:
    """By the ledger the disk has lost a session: an older revision of it is not to stand for it."""
    await there.copy_bars()
    await there.copy_bars("--back")
    had, objects = await asyncio.to_thread(stored_bytes, there.folder), there.server.objects
    lost, never = sorted(had)[0], f"{sorted(had)[0].rpartition('/')[0]}/2026-01-02.parquet"
    objects[f"market/{never}"] = b"of a session that no ledger knows"
    objects[f"market/damaged/{never}"] = b"put aside before"
    await asyncio.to_thread((there.folder / lost).unlink)
    code, said = await there.copy_bars()
    assert code == 0, said
    assert "2 files that were in s3://tape/market/ before, and are not in" in said
    assert f"they are of 2026-01-02, {Path(lost).stem}." in said
    bars = {key.removeprefix("market/") for key in objects if key.startswith("market/bars/")}
    assert bars == had.keys() - {lost}
    assert objects[f"market/damaged/{lost}"] == had[lost]
    assert objects[f"market/damaged/{never}"] == b"put aside before"
    again = f"market/damaged/{never.removesuffix('.parquet')}.2.parquet"
    assert objects[again] == b"of a session that no ledger knows"
    assert "damaged" not in (await there.copy_bars("--back"))[1]


async def test_where_nothing_is_to_be_copied_the_bucket_keeps_what_it_has(there: There) -> None:
    """A volume that is not mounted has no sessions."""
    await there.copy_bars()
    await there.copy_bars("--back")
    had = dict(there.server.objects)
    await asyncio.to_thread(shutil.rmtree, there.folder / "bars")
    code, said = await there.copy_bars()
    assert code == 78, said
    assert f"{there.folder} has no sessions in bars/" in said
    assert "nothing is copied" in said
    assert there.server.objects == had
    assert await asyncio.to_thread((there.folder / PLACE).read_text) == DISK


async def test_a_folder_that_a_console_made_is_not_in_the_way_back(there: There) -> None:
    had = await asyncio.to_thread(stored_bytes, there.folder)
    await there.moved()
    folders = {f"{key.rpartition('/')[0]}/" for key in there.server.objects}
    there.server.objects.update(dict.fromkeys(folders, b""))
    code, said = await there.copy_bars("--back")
    assert code == 0, said
    assert await asyncio.to_thread(stored_bytes, there.folder) == had


async def test_a_session_that_comes_in_is_in_the_bucket_and_nowhere_else(there: There) -> None:
    await asyncio.to_thread(shutil.rmtree, there.folder)
    async with there.app() as app:
        for day in STORED:
            await app.ladder.top.trading_day(day, announce=False)
        assert "XWUP" in await shown(app, "/ticker XWUP")
    key = app.ladder.top.series.key
    wanted = {f"market/bars/{key}/{day}.parquet" for day in STORED}
    assert wanted <= set(there.server.objects)
    assert not await asyncio.to_thread((there.folder / "bars").exists)


async def test_a_storage_that_is_away_is_said_and_nothing_is_lost(there: There) -> None:
    await there.moved()
    there.server.faults.always(Reset())
    async with there.app() as app:
        reply = await ask(app, "/ticker XWUP")
        assert not reply.ok
        assert reply.message.lead.startswith("The bars cannot be read at the moment (s3://tape/")
        assert reply.message.lead.endswith("; ask again soon")
        probes = {p.part: p for p in await app.doctor.examine(NOW.date())}
        assert probes[Part.BARS].verdict is Verdict.UNREACHABLE
        assert there.server.url in probes[Part.BARS].next_step
        there.server.faults.clear()
        assert (await ask(app, "/ticker XWUP")).ok
        probes = {p.part: p for p in await app.doctor.examine(NOW.date())}
        assert probes[Part.BARS].verdict is Verdict.OK


async def test_a_worker_leaves_in_the_bucket_what_the_bot_takes(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    await there.moved()
    for name, value in there.environment.items():
        monkeypatch.setenv(name, value)
    async with there.app() as app:
        (source,) = app.ladder.top.chain.sources
        task = Task(source.name, source.series.key, STORED[-1], bundled(), NOW)
        assert SECRET not in repr(task)
        receipt = await asyncio.to_thread(work, task)
        assert isinstance(receipt, Receipt)
        ((series, name),) = receipt.files
        staged = app.backfilling.runner.staged
        taken = await asyncio.to_thread(staged.take, series, name)
        stored = await asyncio.to_thread(app.ladder.top.store.read, source.series, [STORED[-1]])
        assert taken.equals(stored)
        assert not [key for key in there.server.objects if "staged" in key]


@pytest.mark.parametrize(
    "words", [["2026-03-02", "2026-03-03"], ["plan", "2026-03-02", "2026-03-03"]]
)
async def test_a_shell_whose_bucket_is_away_says_so_and_is_to_be_run_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATA_URL", "s3://tape/kept")
    monkeypatch.setenv("DATA_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("DATA_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("DATA_SECRET_ACCESS_KEY", "s" * 32)
    assert await asyncio.to_thread(main, ["backfill", *words]) == Exit.TRY_AGAIN
    said = capsys.readouterr().err
    assert "the bars cannot be had: s3://tape/kept" in said
    assert "Traceback" not in said
