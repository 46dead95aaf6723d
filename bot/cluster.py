"""A crew that is a Dask cluster: whoever works for the scheduler at BACKFILL_SCHEDULER.

Dask is an optional extra: it is imported here alone, and not before it is used. Nothing but tasks
goes there and nothing but receipts comes back; a worker reads its keys in its own environment.
"""

import asyncio
import logging
import pickle
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.checkout import checkout
from core.elsewhere import NobodyToWork, WorkerLost, WorkerUnfit

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S, _ANSWER_S, _CLOSE_S = 5.0, 10.0, 3.0
_PATIENCE_S = 30.0
_SAID_CHARS = 200

NOT_INSTALLED = (
    "BACKFILL_SCHEDULER is set, but Dask is not installed: pip install '.[cluster]' (or unset it)"
)

# Whoever answers there need not be a scheduler: what its first bytes make of Dask is anything.
_NO_SCHEDULER = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError),
    *(MemoryError, RuntimeError, TypeError, ValueError),
)
# What a worker meets that has another Tapewatch than the bot, or a disk that it may not write to.
_UNFIT = (AttributeError, ImportError, OSError, RuntimeError, pickle.PickleError)


def is_installed() -> bool:
    """Can there be a cluster at all?"""
    return find_spec("distributed") is not None


def here() -> Mapping[str, str]:
    """What must be the same wherever tasks go, by its name; asked for over there as well."""
    return {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "Dask": version("distributed"),
        "Tapewatch": checkout(),
    }


@dataclass(slots=True)
class Cluster:
    """core.pool.Crew over the client of a scheduler."""

    address: str
    connect_s: float = _CONNECT_S
    patience_s: float = _PATIENCE_S
    """So long a cluster without a worker is waited for: one that died is begun again by then."""
    lets_end: bool = False
    """A task may wait there for hours, behind the work of others."""
    _threads: int = 1
    _client: "Client | None" = None
    _line: "_Line | None" = None
    _empty_since_s: float | None = None

    @property
    def size(self) -> int:
        """The threads of all workers, as the scheduler last counted them."""
        return max(1, self._threads)

    def count(self) -> int:
        """Asked of the scheduler by a line of its own: another one may be in use."""
        if self._client is not None:
            return self.size
        other = Cluster(self.address, self.connect_s)
        executor = other.hire()
        try:
            return other.size
        finally:
            other.dismiss(executor)

    def hire(self) -> Executor:
        """Raises OSError in words: no Dask, no scheduler, no worker, another version."""
        if not is_installed():
            raise OSError(NOT_INSTALLED)
        self._reach()
        self._line = _Line()
        try:
            self._client = self._connected(self._line)
            self._count()
            if self._empty_since_s is not None:
                raise OSError(
                    f"the scheduler at {self.address} has no workers: begin one by"
                    f" `dask worker {self.address}`"
                )
            self._same_everywhere(self._client)
            executor: Executor = self._client.get_executor(pure=False)
        except BaseException:
            self._hang_up()
            raise
        return executor

    def look(self) -> None:
        """Is the scheduler there, and has it somebody who works?"""
        self._count()
        since_s = self._empty_since_s
        if since_s is not None and time.monotonic() - since_s >= self.patience_s:
            raise OSError(f"the scheduler at {self.address} has no workers any more")

    def meant(self, error: BaseException) -> BaseException:
        """What Dask, or a worker that differs from us, makes of a task."""
        from distributed.client import ClosedClientError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        match error:
            case CancelledError():
                return WorkerLost("the cluster let go of it: its scheduler is gone, or began anew")
            case KilledWorker():
                return WorkerLost("the workers that read it died one after another: out of memory?")
            case CommClosedError():
                return WorkerLost("the line to the cluster broke")
            case ClosedClientError():
                return NobodyToWork(f"the scheduler at {self.address} is gone")
            case _ if isinstance(error, _UNFIT):
                return WorkerUnfit(f"a worker of {self.address} cannot do it: {_said(error)}")
        return error

    def dismiss(self, executor: Executor) -> None:
        """What waits there is taken back; what a thread is reading there ends unheard."""
        if self._client is not None and self._client.status == "running":
            executor.shutdown(wait=False)
        self._hang_up()

    def _reach(self) -> None:
        """Dask would ask again and again for all of its time; the system knows at once."""
        parts = urlsplit(self.address)
        try:
            socket.create_connection((parts.hostname, parts.port), self.connect_s).close()
        except OSError as error:
            raise self._away(error.strerror or str(error)) from error

    def _connected(self, line: "_Line") -> "Client":
        from distributed import Client
        from distributed.comm.core import CommClosedError
        from distributed.security import Security

        # It sets levels of its own when it is first imported.
        logging.getLogger("distributed").setLevel(logging.WARNING)
        secured = Security().get_connection_args("client").get("ssl_context") is not None
        if self.address.startswith("tls:") and not secured:
            raise self._away("tls:// needs certificates, in DASK_DISTRIBUTED__COMM__TLS__*")

        class Ours(Client):  # type: ignore[misc]
            def __del__(self) -> None:
                """We close it; one that could not connect would ask a loop that has ended."""

        try:
            return Ours(self.address, loop=line.loop, timeout=self.connect_s, set_as_default=False)
        except (CommClosedError, *_NO_SCHEDULER) as error:
            raise self._away("what answers there is no Dask scheduler of our version") from error
        except OSError as error:
            raise self._away(_said(error)) from error

    def _count(self) -> None:
        client = self._client
        if client is None or client.status != "running" or client.scheduler is None:
            raise self._away("the connection is lost")
        try:
            found: Mapping[str, Any] = client.sync(
                client.scheduler.identity, n_workers=0, callback_timeout=_ANSWER_S
            )
        except OSError as error:
            raise self._away(_said(error)) from error
        self._threads = found["total_threads"]
        if found["n_workers"]:
            self._empty_since_s = None
        elif self._empty_since_s is None:
            self._empty_since_s = time.monotonic()

    def _same_everywhere(self, client: "Client") -> None:
        try:
            there = {"the scheduler": client.run_on_scheduler(here, callback_timeout=_ANSWER_S)}
        except OSError as error:
            raise self._away(_said(error)) from error
        except _UNFIT as error:
            raise self._differs("the scheduler", error) from error
        try:
            answers = client.run(here, on_error="return", callback_timeout=_ANSWER_S)
        except OSError as error:
            raise self._away(f"its workers do not answer: {_said(error)}") from error
        there |= {f"the worker {name}": answer for name, answer in answers.items()}
        for who, answer in there.items():
            if isinstance(answer, Exception):
                raise self._differs(who, answer)
            for name, own in here().items():
                if (its := answer.get(name)) != own:
                    raise OSError(
                        f"{who} of {self.address} has {name} {its}, the bot has {own}: tasks need"
                        " the same on both"
                    )

    def _differs(self, who: str, error: Exception) -> OSError:
        return OSError(
            f"{who} of {self.address} cannot take tasks ({_said(error)}): it needs the bot's own"
            " version of Tapewatch and Dask"
        )

    def _away(self, seen: str) -> OSError:
        return OSError(f"the scheduler at {self.address} cannot be reached: {seen}")

    def _hang_up(self) -> None:
        client, line = self._client, self._line
        self._client = self._line = None
        if line is None:
            return
        with closing(line):
            if client is None:
                return
            with suppress(OSError):  # a scheduler that does not answer keeps nobody
                client.close(timeout=_CLOSE_S)


class _Line:
    """A thread and a loop for a client: one that cannot connect leaves those of its own behind."""

    def __init__(self) -> None:
        self._begun = Future[Any]()
        self._thread = Thread(target=asyncio.run, args=(self._run(),), name="dask", daemon=True)
        self._thread.start()
        self.loop = self._begun.result()

    async def _run(self) -> None:
        from tornado.ioloop import IOLoop

        self._over = asyncio.Event()
        self._begun.set_result(IOLoop.current())
        await self._over.wait()

    def close(self) -> None:
        """Whatever the client has left there ends as well."""
        self.loop.add_callback(self._over.set)
        self._thread.join(_CLOSE_S)


def _said(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0][:_SAID_CHARS]
    if isinstance(error, OSError) and first:
        return first
    return f"{type(error).__name__}: {first}"
