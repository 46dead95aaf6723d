"""A Dask cluster of this machine: a scheduler and workers that are real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.cluster import Cluster
from core.elsewhere import Receipt, Refused, Task

ROOT = Path(__file__).parent.parent
WORKERS = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
"""What docs/backfill.md has workers begun with."""


def free_port() -> int:
    """One that nobody listens on, and nobody will soon."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass(slots=True)
class Grid:
    """Nothing is started by itself; whatever runs at the end is to be ended by `close`."""

    folder: Path
    """The workers' DATA_DIR is in it."""
    port: int = field(default_factory=free_port)
    settings: Mapping[str, str] = field(default_factory=dict)
    """The workers', beside DATA_DIR."""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """BACKFILL_SCHEDULER"""
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """DATA_DIR of bot and workers."""
        return self.folder / "data"

    def begin_scheduler(self) -> None:
        """One that gives a task up with the first worker that dies of it."""
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        self.scheduler = self._begin("scheduler", *where)

    def answers(self) -> None:
        """Wait until the scheduler has a worker; blocking."""
        ends_at = time.monotonic() + 30
        while True:
            try:
                Cluster(self.address).count()
            except OSError:
                assert time.monotonic() < ends_at
                time.sleep(0.1)
            else:
                return

    def begin_worker(self) -> None:
        """It waits for a scheduler to come, and ends with it."""
        own = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--death-timeout", "30")
        at = ("--local-directory", str(self.folder / "scratch"))
        self.workers.append(self._begin("worker", self.address, *own, *at))

    def kill_worker(self) -> None:
        """The oldest of them."""
        oldest = self.workers.pop(0)
        oldest.kill()
        oldest.wait(20)

    def kill_scheduler(self) -> None:
        """Its workers end with it."""
        assert self.scheduler is not None
        self.scheduler.kill()
        for process in (self.scheduler, *self.workers):
            process.wait(20)
        self.scheduler = None
        self.workers.clear()

    def log(self) -> str:
        """What they said last."""
        return (self.folder / "log").read_text()[-3_000:]

    def close(self) -> None:
        """Everything that was started has ended."""
        processes = [p for p in (*self.workers, self.scheduler) if p is not None]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in processes:
            process.wait(20)

    def _begin(self, *words: str) -> subprocess.Popen[bytes]:
        env = {
            "PATH": os.environ["PATH"],
            **self.settings,
            "DATA_DIR": str(self.data),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
            **WORKERS,
            "DASK_CONFIG": str(self.folder / "no-config"),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "dask", *words]
            return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)


def dies(task: Task) -> Receipt | Refused:
    """What is done with a task in the place of bot.worker.work: the process is gone at once."""
    os._exit(1)
