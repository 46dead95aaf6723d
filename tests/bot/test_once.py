"""What the shell's commands say on the way."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.once import Exit, reading
from bot.shell import main
from core.progress import Reading
from tests.market import NEWEST

START = datetime(2026, 3, 7, 5, tzinfo=UTC)


def at(seconds: int, done_bytes: int) -> Reading:
    """A file of 4 GB, so many seconds after it was begun."""
    now = START + timedelta(seconds=seconds)
    return Reading(NEWEST, "flat files (trades)", done_bytes, 4 * 10**9, 10**6, START, now)


def test_a_long_reading_says_a_line_every_quarter_of_a_minute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell = reading()
    for seconds in range(0, 60):
        tell(at(seconds, seconds * 10**7))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        "reading 2026-03-06, flat files (trades): 150 MB of 4.0 GB (4%), 1.0M trades,"
        " about 6 min left"
    )


def test_a_short_reading_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tell = reading()
    tell(at(0, 0))
    tell(at(14, 4 * 10**9))
    assert capsys.readouterr().err == ""


def test_where_nothing_is_held_nothing_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["once", "--session", str(NEWEST), "--release"]) == Exit.NOTHING_STORED
    caught = capsys.readouterr()
    assert caught.err == f"the gate holds nothing of {NEWEST}: leave out --release\n"
    assert caught.out == ""


def test_an_address_that_cannot_be_made_has_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["invite"]) == Exit.CONFIG
    assert "put it into .env" in capsys.readouterr().err
    monkeypatch.setenv("DISCORD_TOKEN", "a-token")
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:1")
    assert main(["invite"]) == Exit.TRY_AGAIN
    assert re.search(r"whose token that is: .*\. Is discord\.com reached", capsys.readouterr().err)
