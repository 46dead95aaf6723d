"""The local S3 server in a process of its own, for large files and for what is to be measured.

Standard library only: what measures memory must not be large itself.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request and the status it got; `key` is empty for a listing."""

    method: str
    key: str
    query: Mapping[str, str]
    range: str | None
    if_match: str | None
    status: int
    sent_bytes: int = 0
    """Of the body; a client that hangs up gets less."""


@dataclass(slots=True)
class S3Apart:
    """A server that serves a folder."""

    url: str
    pid: int
    log: Path
    _seen: list[SeenRequest] = field(default_factory=list)
    _read_bytes: int = 0

    @property
    def requests(self) -> list[SeenRequest]:
        """What it was asked so far; each is there before its answer goes out."""
        if self.log.exists() and self.log.stat().st_size > self._read_bytes:
            with self.log.open("rb") as file:
                file.seek(self._read_bytes)
                # The last line may be half written.
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._read_bytes += len(whole) + 1
                self._seen += [SeenRequest(**json.loads(line)) for line in whole.splitlines()]
        return self._seen


@contextmanager
def apart(root: Path, log: Path, *, access_key_id: str, secret: str) -> Iterator[S3Apart]:
    """It ends with the block; `log` must not be in the folder that it serves."""
    command = [sys.executable, "-m", "tests.servers.s3", str(root), "--log", str(log)]
    command += ["--access-key-id", access_key_id, "--secret", secret]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield S3Apart(server.stdout.readline().strip(), server.pid, log)
        finally:
            server.terminate()
