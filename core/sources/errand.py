"""Runs an errand in a process of its own, listens to it, and ends it whatever happens."""

import asyncio
import logging
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from core.compiled_cache import cache_folder
from core.errors import SourceError, SourceUnavailable
from core.sources.errand_child import Heard, Told

logger = logging.getLogger(__name__)

_STARTS = 3
_COMPLAINT_BYTES = 4096
_ROOT = Path(__file__).parents[2]

# What the child is given of our environment. It reaches S3 the way we do; keys it gets by its pipe.
_KEPT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


class Errand(Protocol):
    """What there is to do. Keys in it go through a pipe, nowhere else."""

    @property
    def program(self) -> str:
        """The module that does it."""

    @property
    def name(self) -> str:
        """What it is about, for people."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be quoted."""

    @property
    def errors(self) -> Mapping[str, type[SourceError]]:
        """What it raises on purpose, by name."""

    def line(self) -> bytes:
        """For the child's stdin."""


class _Died(Exception):
    """The child is gone and has not said how it ended."""

    happened = f"died {_STARTS} times"


class _NotStarted(_Died):
    """There was no child: no memory, no process left, no interpreter."""

    happened = "could not be started"


async def run(
    errand: Errand, cache: Path | None, told: Told, python: str = sys.executable
) -> bytes:
    """The child's result; `told` hears of its progress.

    `cache` is where compiled code is kept; None is beside the sources.
    Raises the errand's own errors, and SourceUnavailable if the child dies, or cannot be, each
    time it is started. When this is cancelled the child is killed at once.
    """
    environment = await asyncio.to_thread(_environment, cache)
    for start in range(1, _STARTS + 1):
        try:
            return await _once(errand, (python, environment), told)
        except _Died as error:
            happened, why = error.happened, str(error)
            logger.warning(
                "reading process died", extra={"what": errand.name, "start": start, "why": why}
            )
    raise SourceUnavailable(f"the reader of {errand.name} {happened}: {why}")


async def _once(errand: Errand, start: tuple[str, dict[str, str]], told: Told) -> bytes:
    async with _child(errand.program, *start) as child:
        # One that is gone already is found out by what it does not say.
        with suppress(ConnectionError):
            child.stdin.write(errand.line())
            await child.stdin.drain()
        try:
            return await _result(child.stdout, errand, told)
        except EOFError:
            status = await child.process.wait()
            raise _Died(_why(status, await child.complaint, errand)) from None


@dataclass(frozen=True, slots=True)
class _Child:
    process: Process
    stdin: StreamWriter
    """While it is open the child lives."""
    stdout: StreamReader
    complaint: asyncio.Task[str]
    """The last line that it wrote to stderr."""


@asynccontextmanager
async def _child(program: str, python: str, environment: dict[str, str]) -> AsyncIterator[_Child]:
    """The process; when the block ends it has ended."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(python, "-P", "-m", program),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal is for us, and we end it
        )
    except OSError as error:
        raise _NotStarted(str(error)) from error
    stdin, stdout = cast(StreamWriter, process.stdin), cast(StreamReader, process.stdout)
    complaint = asyncio.create_task(_last_line(cast(StreamReader, process.stderr)))
    try:
        yield _Child(process, stdin, stdout, complaint)
    finally:
        _end(process)
        stdin.close()
        # To their ends, or asyncio keeps the pipes.
        await stdout.read()
        await complaint
        await process.wait()


def _end(process: Process) -> None:
    # Its kill() asks first whether the process has ended, which takes the answer away from asyncio:
    # that then speaks of an unknown child.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _environment(cache: Path | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    # One thread of numpy's is enough, and each costs memory.
    own = {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    with suppress(OSError):  # then the place is beside the sources, or it compiles each time
        own |= {"NUMBA_CACHE_DIR": str(cache_folder(cache))} if cache else {}
    return kept | own


async def _result(stdout: StreamReader, errand: Errand, told: Told) -> bytes:
    """What follows the last line; EOFError if the child ends without one."""
    while True:
        heard = await _heard(stdout)
        if failure := heard.failure(errand.errors):
            raise failure
        if heard.result_bytes is not None:
            return await stdout.readexactly(heard.result_bytes)
        told(heard.done_bytes, heard.rows)


async def _heard(stdout: StreamReader) -> Heard:
    try:
        return Heard.from_line(await stdout.readline())
    except ValueError as error:
        raise EOFError("nothing that could be a line of the child's") from error


async def _last_line(stderr: StreamReader) -> str:
    tail = b""
    while more := await stderr.read(_COMPLAINT_BYTES):
        tail = (tail + more)[-_COMPLAINT_BYTES:]
    return tail.decode(errors="replace").strip().rpartition("\n")[2]


def _why(status: int, complaint: str, errand: Errand) -> str:
    if status == -signal.SIGKILL:
        return f"killed (signal {signal.SIGKILL}): out of memory?"
    if status < 0:
        return f"ended by signal {-status}"
    for secret in errand.secrets:
        complaint = complaint.replace(secret, "...")
    return f"ended with status {status}: {complaint[:200] or 'no word'}"
