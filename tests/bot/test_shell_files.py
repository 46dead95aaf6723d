"""`python -m bot backup` and `restore`: a market moved to another folder, and what is said."""

import asyncio
from pathlib import Path

import pytest

from bot.once import Exit
from bot.shell import main
from core.alone import SERVICE, locked
from tests.bot.small_market import ask, at, stored_market
from tests.shared import Shared


def shell(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setenv("DATA_DIR", str(folder))
    return main(list(words))


def test_a_market_that_was_put_back_gives_the_same_answers(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    old, new = stored_market(shared, tmp_path / "old"), tmp_path / "new"
    file = str(tmp_path / "market.tar")
    assert shell(old, monkeypatch, "backup", file) == Exit.DONE
    assert shell(new, monkeypatch, "restore", file) == Exit.DONE
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("written: the state, and ")
    assert said[1].startswith("put back: the state, and ")

    async def answers(folder: Path) -> list[object]:
        async with at(folder) as app:
            asked = [await ask(app, text) for text in ("/anomalies today", "/ticker XWUP 20")]
        assert all(reply.ok for reply in asked)
        return [reply.message for reply in asked]

    assert asyncio.run(answers(new)) == asyncio.run(answers(old))


def test_a_market_is_put_back_where_another_state_is(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """As on a volume, whose mount point cannot be moved away; the backup lies on it as well."""
    folder = stored_market(shared, tmp_path / "data")
    file = str(folder / "market.tar")
    assert shell(folder, monkeypatch, "backup", file) == Exit.DONE
    assert shell(folder, monkeypatch, "restore", file) == Exit.USAGE
    assert "--set-aside" in capsys.readouterr().err
    assert shell(folder, monkeypatch, "restore", file, "--set-aside") == Exit.DONE
    assert (folder / "set-aside-1" / "state.db").exists()
    assert Path(file).exists()

    async def answers() -> bool:
        async with at(folder) as app:
            return (await ask(app, "/anomalies today")).ok

    assert asyncio.run(answers())


def test_beside_a_service_a_restore_says_that_alone(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder, file = stored_market(shared, tmp_path / "data"), str(tmp_path / "market.tar")
    assert shell(folder, monkeypatch, "backup", file) == Exit.DONE
    capsys.readouterr()
    lock = locked(folder / SERVICE)
    assert lock is not None
    with lock:
        assert shell(folder, monkeypatch, "restore", file, "--set-aside") == Exit.TRY_AGAIN
    said = capsys.readouterr().err
    assert said.startswith(f"a copy of the service works on DATA_DIR={folder}: stop it first (")
    assert len(said.splitlines()) == 1


def test_a_place_that_may_not_be_written_to_stays_so(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Unlike a full disk it is no use to try again."""
    folder = stored_market(shared, tmp_path / "data")
    assert shell(folder, monkeypatch, "backup", "/proc/market.tar") == Exit.CONFIG
    assert "not written: " in capsys.readouterr().err


def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell(tmp_path / "new", monkeypatch, "backup", str(tmp_path / "b.tar")) == Exit.USAGE
    assert "nothing to back up" in capsys.readouterr().err
    nowhere = str(tmp_path / "no.tar")
    assert shell(tmp_path / "new", monkeypatch, "restore", nowhere) == Exit.USAGE
    assert f"there is no file {nowhere}" in capsys.readouterr().err
