"""Settings of a cluster, what travels there, and who is refused; a real one is in test_cluster."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from distributed.comm.core import CommClosedError

from alerts.message import stamp
from bot.app import opened
from bot.cluster import Cluster, here
from bot.settings import load
from bot.worker import work
from core.elsewhere import NobodyToWork, WorkerLost, WorkerUnfit
from core.errors import ConfigError
from core.jobs import JobState
from core.ledger import Status
from tests.bot.small_market import ask, told
from tests.filled import DAYS, EVE, Kind, until
from tests.grid import free_port
from tests.market import NEWEST, NOW
from tests.shared import Shared

ADDRESS = "tcp://10.0.0.5:8786"
SECRET = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t"


@pytest.mark.parametrize("address", [ADDRESS, "tls://dask.example.com:1", "tcp://[::1]:8786"])
def test_an_address_of_a_scheduler(address: str, tmp_path: Path) -> None:
    assert load(data_dir=tmp_path, backfill_scheduler=address).backfill_scheduler == address


@pytest.mark.parametrize(
    "address",
    ["10.0.0.5:8786", "http://h:8786", "tcp://h", "tcp://h:0", "tcp://h:99999", "tcp://u@h:8786"],
)
def test_what_is_no_address_of_a_scheduler(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKFILL_SCHEDULER", address)
    with pytest.raises(ConfigError, match=r"^BACKFILL_SCHEDULER=.*should be"):
        load(data_dir=tmp_path)


def test_without_dask_a_scheduler_is_a_fault_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = r"^BACKFILL_SCHEDULER is set, but Dask is not installed: pip install '.\[cluster\]'"
    with pytest.raises(ConfigError, match=said):
        load(data_dir=tmp_path, backfill_scheduler=ADDRESS)
    with pytest.raises(OSError, match=said):
        Cluster(ADDRESS).hire()
    assert load(data_dir=tmp_path).backfill_scheduler is None


def test_calls_are_shared_among_all_who_work(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, polygon_calls_per_minute=101)
    assert settings.backfill_calls == 100
    unlimited = load(data_dir=tmp_path, polygon_calls_per_minute=0)
    assert unlimited.backfill_calls is None


async def test_no_key_and_no_path_travels(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(
        load,
        data_dir=tmp_path / "own",
        backfill_scheduler=ADDRESS,
        polygon_api_key=SECRET,
        flatfiles_access_key_id="0a1b2c3d-ids",
        discord_token=f"{SECRET}.discord",
        polygon_calls_per_minute=101,
    )
    async with opened(settings, now=lambda: NOW) as app:
        runner = app.backfilling.runner
        sources = app.ladder.top.chain.sources
        tasks = [await runner.task(source, NEWEST) for source in sources]
        assert isinstance(runner.pool.crew, Cluster)
        assert runner.pool.do is work
    for task in tasks:
        sent = cloudpickle.dumps((work, task))
        assert [name for name in settings.secrets if name.encode() in sent] == []
        assert str(tmp_path).encode() not in sent
        assert task.place is None


def test_what_goes_wrong_there_has_a_name_here() -> None:
    meant = Cluster(ADDRESS).meant
    assert isinstance(meant(CancelledError()), WorkerLost)
    assert isinstance(meant(CommClosedError("closed")), WorkerLost)
    for error in (ModuleNotFoundError("No module named 'bot'"), PermissionError(13, "denied")):
        unfit = meant(error)
        assert isinstance(unfit, WorkerUnfit)
        assert ADDRESS in str(unfit)
    ours = KeyError("ours")
    assert meant(ours) is ours


@dataclass(slots=True)
class Others:
    """The two calls of a client that tell who stands over there."""

    scheduler: Mapping[str, str] | Exception
    worker: Mapping[str, str] | Exception

    def run_on_scheduler(self, function: object, callback_timeout: float) -> Any:
        if isinstance(self.scheduler, Exception):
            raise self.scheduler
        return self.scheduler

    def run(self, function: object, on_error: str, callback_timeout: float) -> Any:
        return {"tcp://10.0.0.6:1": self.worker}


MISSING = ModuleNotFoundError("No module named 'bot'")


@pytest.mark.parametrize(
    ("scheduler", "worker", "said"),
    [
        (MISSING, here(), r"the scheduler of .* cannot take tasks \(.*No module named 'bot'\)"),
        (here(), MISSING, r"the worker tcp://10.0.0.6:1 of .* cannot take tasks"),
        (here(), {**here(), "Python": "3.9"}, r"10.0.0.6:1 of .* has Python 3.9, the bot has 3."),
        ({**here(), "Dask": "2020.1"}, here(), r"the scheduler of .* has Dask 2020.1, the bot has"),
        (here(), {"Python": here()["Python"]}, r"has Dask None"),
        (here(), OSError("no line"), r"the worker .* cannot take tasks \(no line\)"),
        (TimeoutError(), here(), r"cannot be reached: TimeoutError"),
    ],
)
def test_who_differs_is_named(scheduler: Any, worker: Any, said: str) -> None:
    with pytest.raises(OSError, match=said):
        Cluster(ADDRESS)._same_everywhere(Others(scheduler, worker))


def test_those_who_are_the_same_are_let_in() -> None:
    Cluster(ADDRESS)._same_everywhere(Others(here(), here()))


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """A server that is no scheduler; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    with server.accept()[0] as line:
                        line.sendall(said)
            except OSError:
                return  # it is closed

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_who_is_no_scheduler_is_said_and_leaves_no_thread(said: bytes) -> None:
    before = threading.active_count()
    with answering(said) as address, pytest.raises(OSError, match=f"{address} .*no Dask"):
        Cluster(address, connect_s=5).hire()
    assert not [t for t in threading.enumerate() if t.name in ("dask", "IO loop")]
    assert threading.active_count() <= before + 1  # tornado resolves names in a thread


def test_tls_without_certificates_is_said() -> None:
    with answering(b"") as address:
        address = address.replace("tcp:", "tls:")
        with pytest.raises(OSError, match="tls:// needs certificates"):
            Cluster(address).hire()


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


async def test_a_cluster_that_is_away_disturbs_nobody(folder: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    settings = await asyncio.to_thread(load, data_dir=folder, backfill_scheduler=address)
    async with opened(settings, now=lambda: NOW) as app:
        runner = app.backfilling.runner
        runner.rest_s = 0.01
        working = asyncio.create_task(runner.run())
        await told(app, f"/backfill run {DAYS[0]} {DAYS[1]} all")
        await rested(app)
        await app.sweep(lambda step: None)
        entry = await app.ladder.entry(NEWEST)
        assert entry is not None
        assert (entry.status, entry.announced) == (Status.FINISHED, True)
        card = (await ask(app, "/backfill")).message
        assert card.banners == (
            (
                f"at rest: the scheduler at {address} cannot be reached: Connection refused; it"
                " goes on by itself when that is over"
            ),
        )
        assert "0 of 2 sessions: under way" in card.lead
        assert card.stamp == stamp(app.ladder.top.series)
        rows = await app.db.rows("SELECT state FROM job_sessions")
        assert {row["state"] for row in rows} == {"waiting"}
        assert await app.db.rows("SELECT 1 FROM job_attempts") == []
        plan = (await ask(app, f"/backfill plan {DAYS[0]} {DAYS[1]}")).message
        assert plan.banners[0] == (
            f"the scheduler at {address} cannot be reached: Connection refused; the time is that"
            " of one worker"
        )
        assert "cancelled" in await told(app, "/backfill cancel")
        job = await runner.jobs.newest()
        assert job is not None
        assert job.state is JobState.CANCELLED
        working.cancel()
        await asyncio.wait([working])


async def rested(app: Any) -> None:
    for _ in range(500):
        job = await app.backfilling.runner.jobs.newest()
        if job.reason:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(job)


def test_nobody_is_there_after_a_client_was_closed() -> None:
    from distributed.client import ClosedClientError

    assert isinstance(Cluster(ADDRESS).meant(ClosedClientError()), NobodyToWork)
