"""The service on a disk without room: it ends with what makes systemd start it again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.once import Exit

ROOT = Path(__file__).parent.parent
_WITHIN_S = 60
_SMALL = 'mount -t tmpfs -o "$1" small "$DATA_DIR" && shift && exec "$@"'


def on_a_small_disk(folder: Path, size: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Words run where DATA_DIR is a disk of its own, which nobody else sees."""
    folder.mkdir()
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _SMALL, "sh", size]
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder)}
    return subprocess.run(
        [*alone, *words], cwd=ROOT, env=environment, text=True, capture_output=True,
        timeout=_WITHIN_S, check=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _can_mount(tmp_path: Path) -> None:
    try:
        tried = on_a_small_disk(tmp_path / "tried", "size=200k", "true")
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if tried.returncode:
        pytest.skip(f"no disks of one's own here: {tried.stderr.strip()}")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("size=200k", "database or disk is full"),
        ("size=1M,nr_inodes=1", "No space left on device"),
    ],
)
def test_a_full_disk_at_the_start_is_nobodys_setting(tmp_path: Path, size: str, said: str) -> None:
    ended = on_a_small_disk(tmp_path / "data", size, sys.executable, "-m", "bot", "run")
    assert said in ended.stderr
    assert "the state database cannot be written" in ended.stderr
    assert ended.returncode == Exit.TRY_AGAIN
