"""A disk without room: a command ends with what says so, the service tries again by itself."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.once import Exit

ROOT = Path(__file__).parent.parent
_WITHIN_S = 60
_SMALL = 'mount -t tmpfs -o "$1" small "$DATA_DIR" && shift && exec "$@"'


def begun(folder: Path, size: str, *words: str) -> "subprocess.Popen[str]":
    """Words run where DATA_DIR is a disk of its own, which nobody else sees."""
    folder.mkdir()
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _SMALL, "sh", size]
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder)}
    return subprocess.Popen(
        [*alone, *words], cwd=ROOT, env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def on_a_small_disk(folder: Path, size: str, *words: str) -> tuple[int, str]:
    """How they end, and what they said."""
    process = begun(folder, size, *words)
    _, said = process.communicate(timeout=_WITHIN_S)
    return process.returncode, said


@pytest.fixture(autouse=True)
def _can_mount(tmp_path: Path) -> None:
    try:
        code, said = on_a_small_disk(tmp_path / "tried", "size=200k", "true")
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if code:
        pytest.skip(f"no disks of one's own here: {said.strip()}")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("size=200k", "database or disk is full"),
        ("size=1M,nr_inodes=1", "No space left on device"),
    ],
)
def test_a_full_disk_at_the_start_is_nobodys_setting(tmp_path: Path, size: str, said: str) -> None:
    words = (sys.executable, "-m", "bot", "ask", "/help")
    code, told = on_a_small_disk(tmp_path / "data", size, *words)
    assert said in told
    assert "the state database cannot be written" in told
    assert code == Exit.TRY_AGAIN


def test_the_service_goes_on_trying_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """Ten starts within a minute, and a host such as Railway leaves it alone."""
    service = begun(tmp_path / "data", "size=200k", sys.executable, "-m", "bot", "run")
    assert service.stderr is not None
    try:
        assert service.stderr.readline().endswith("again in 5 s\n")
        assert service.stderr.readline().endswith("again in 10 s\n")
        service.terminate()
        # It may have been told so before it rests.
        assert service.wait(_WITHIN_S) in (Exit.DONE, -signal.SIGTERM)
    finally:
        service.kill()
        service.communicate()
