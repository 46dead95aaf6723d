"""What the shell's commands say on the way."""

import errno
import io
import os
import re
from contextlib import redirect_stdout
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


def test_a_session_that_was_judged_by_other_settings_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder))
    told = f"Judged with other settings then (LETTERS; now LETTERS): /anomalies {NEWEST} as:now"
    for z, is_said in (("4", False), ("5", True)):
        monkeypatch.setenv("ALERT_MIN_Z", z)
        assert main(["once", "--session", str(NEWEST)]) == Exit.DONE
        once = re.sub("[0-9a-f]{6}(?=[;)])", "LETTERS", capsys.readouterr().err)
        assert (f"{NEWEST}: {told}" in once) is is_said
        assert main(["ask", f"/anomalies {NEWEST}"]) == Exit.DONE
        asked = re.sub("[0-9a-f]{6}(?=[;)])", "LETTERS", capsys.readouterr().out)
        assert (" ".join(told.split()) in " ".join(asked.split())) is is_said


def test_a_session_of_another_series_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setenv("DARK_POOL_ONLY", "true")
    assert main(["once", "--session", str(NEWEST)]) == Exit.DONE
    assert "Judged from another series than today's settings ask for" in capsys.readouterr().err


class Gone(io.StringIO):
    """What is written to by nobody's reader."""

    def write(self, text: str) -> int:
        """As a pipe whose other end is closed."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_the_channels_have_the_digest_though_nobody_reads_it_here(
    words: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder))
    with redirect_stdout(Gone()), pytest.raises(BrokenPipeError):
        main(["once", "--session", str(NEWEST), *words])
    said = capsys.readouterr().err
    assert f"{NEWEST}/digest/r1/console:terminal state=expired" in said, "it was looked at, at last"
