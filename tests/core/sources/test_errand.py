"""Processes of our own: they die, lie and hang, are killed, and never outlive who started them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadBars, SourceError, SourceUnavailable, Verdict
from core.sources.errand import run
from tests import files

WORD = files.SECRET


@dataclass(frozen=True, slots=True)
class Odd:
    """An errand for tests.core.sources.odd_child."""

    do: str
    more: dict[str, Any] = field(default_factory=dict)
    program: str = "tests.core.sources.odd_child"
    name: str = "the odd file"
    secrets: tuple[str, ...] = files.SECRETS
    errors: Mapping[str, type[SourceError]] = field(
        default_factory=lambda: {"BadBars": BadBars, "SourceUnavailable": SourceUnavailable}
    )

    def line(self) -> bytes:
        """As JSON."""
        return json.dumps({"do": self.do} | self.more).encode() + b"\n"


class Pids:
    """The children there were, as they told."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.first = asyncio.Event()

    def __call__(self, pid: int, rows: int) -> None:
        """A Told."""
        assert rows == 7
        self.seen.append(pid)
        self.first.set()


def alive(pid: int) -> bool:
    """Is there such a process, and is it more than a name on a list?"""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return shown.stdout.strip()[:1] not in (b"", b"Z")


def gone_within(seconds: float, *pids: int) -> bool:
    """Do they end in time?"""
    end = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


async def failure(odd: Odd, cache: Path, pids: Pids) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await run(odd, cache, pids)
    assert files.says_no_secret(caught.value)
    assert await asyncio.to_thread(gone_within, 0, *pids.seen)
    return caught.value


async def test_a_result_of_any_size_comes_back(tmp_path: Path) -> None:
    pids, times = Pids(), 300_000
    result = await run(Odd("echo", {"with": "tape", "times": times}), tmp_path, pids)
    assert result == b"tape" * times
    assert len(pids.seen) == 1
    assert await asyncio.to_thread(gone_within, 0, *pids.seen)
    assert await run(Odd("echo"), tmp_path, pids) == b""


async def test_nothing_is_said_of_those_that_have_ended_by_themselves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.gather(*(run(Odd("echo"), tmp_path, Pids()) for _ in range(12)))
    assert [record.getMessage() for record in caplog.records] == []


async def test_errors_are_the_errands_own(tmp_path: Path) -> None:
    error = await failure(Odd("refuse"), tmp_path, Pids())
    assert (type(error), error.seen) == (BadBars, "a header and no trade")
    error = await failure(Odd("fail"), tmp_path, Pids())
    assert (type(error), error.verdict) == (SourceUnavailable, Verdict.RATE_LIMITED)
    error = await failure(Odd("surprise"), tmp_path, Pids())
    assert (type(error), error.seen) == (SourceUnavailable, "nobody expects this of it")


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (Odd("die", {"signal": signal.SIGKILL}), "killed (signal 9): out of memory?"),
        (Odd("die", {"signal": signal.SIGSEGV}), "ended by signal 11"),
        (Odd("exit"), "ended with status 3: no word"),
        (Odd("crash", {"with": f"a {WORD} b"}), "status 1: RuntimeError: no use for a ... b"),
        (Odd("babble"), "died 3 times"),
        (Odd("boast"), "ended with status 0: no word"),
        (Odd("wait", program="core.sources.nothing"), "No module named core.sources.nothing"),
    ],
    ids=lambda given: given.do if isinstance(given, Odd) else "",
)
async def test_one_that_dies_is_started_again_and_told_of(
    odd: Odd, why: str, tmp_path: Path
) -> None:
    pids = Pids()
    error = await failure(odd, tmp_path, pids)
    assert type(error) is SourceUnavailable
    assert error.seen.startswith("the reader of the odd file died 3 times: ")
    assert why in error.seen
    assert len(set(pids.seen)) == (0 if "nothing" in odd.program else 3)


@pytest.mark.parametrize("there", [False, True], ids=["missing", "no program"])
async def test_one_that_cannot_be_started_is_told_of(
    there: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    python = tmp_path / "python"
    if there:
        await asyncio.to_thread(python.touch)
    with pytest.raises(SourceUnavailable) as caught:
        await run(Odd("echo"), tmp_path, Pids(), str(python))
    assert caught.value.seen.startswith("the reader of the odd file could not be started: [Errno ")
    assert len(caplog.records) == 3


async def test_complaints_without_end_stop_nobody(tmp_path: Path) -> None:
    assert await run(Odd("complain", {"with": "done"}), tmp_path, Pids()) == b"done"


@pytest.mark.parametrize("frozen", [False, True], ids=["waiting", "frozen"])
async def test_a_cancelled_errand_is_killed_at_once(frozen: bool, tmp_path: Path) -> None:
    pids = Pids()
    task = asyncio.create_task(run(Odd("wait"), tmp_path, pids))
    await pids.first.wait()
    if frozen:
        os.kill(pids.seen[0], signal.SIGSTOP)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 0.5
    assert await asyncio.to_thread(gone_within, 0, *pids.seen)


@pytest.mark.parametrize("after_s", [0, 0.002, 0.02])
async def test_so_is_one_that_has_hardly_begun(after_s: float, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after_s):
            await run(Odd("wait"), tmp_path, Pids())


async def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.core.sources.odd_parent", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert await asyncio.to_thread(alive, child)
    parent.kill()
    assert await parent.wait() == -signal.SIGKILL
    assert await asyncio.to_thread(gone_within, 1, child)


async def test_a_child_is_nice_and_knows_no_secret_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POLYGON_API_KEY", "MASSIVE_API_KEY", "FLATFILES_SECRET_ACCESS_KEY", "MY_OWN"):
        monkeypatch.setenv(name, WORD)
    for name in ("AWS_SECRET_ACCESS_KEY", "SLACK_BOT_TOKEN", "DISCORD_TOKEN"):
        monkeypatch.setenv(name, WORD)
    monkeypatch.setenv("SSL_CERT_FILE", "/some/where.pem")
    about = json.loads(await run(Odd("look", {"with": WORD}), tmp_path, Pids()))
    assert WORD not in str(about)
    assert about["environment"]["SSL_CERT_FILE"] == "/some/where.pem"
    assert about["environment"]["NUMBA_CACHE_DIR"].startswith(str(tmp_path))
    assert about["nice"] >= min(os.nice(0) + 10, 19)


async def test_a_cache_that_cannot_be_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "file"
    await asyncio.to_thread(file.touch)
    about = json.loads(await run(Odd("look"), file / "cache", Pids()))
    assert "NUMBA_CACHE_DIR" not in about["environment"]
