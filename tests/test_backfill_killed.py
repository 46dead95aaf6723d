"""`python -m bot backfill` killed again and again: every session once, as if nothing had been."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import polars as pl
import pytest

from core.calendar import sessions_ending, trading_day
from core.files import parquet
from core.migrate import migrate
from tests.crash.runs import ROOT
from tests.market import NEWEST

SESSIONS = 12
DAYS = sessions_ending(trading_day(NEWEST.date), SESSIONS)
SEEDS = range(1, 1 + int(os.environ.get("TAPEWATCH_BACKFILL_KILLS", "1")))


def begin(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bot", "backfill", str(DAYS[0]), str(DAYS[-1]), *words]
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder), "BACKFILL_WORKERS": "2"}
    with (folder.parent / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def log_of(folder: Path) -> str:
    return (folder.parent / "log").read_text()[-2_000:]


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("bars/*/*.parquet"))}


def ledger(folder: Path) -> list[tuple[str, int, str]]:
    with closing(sqlite3.connect(folder / "state.db")) as db:
        return db.execute("SELECT session, revision, status FROM sessions ORDER BY 1").fetchall()


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    with suppress(OSError):
        return [
            int(child) for task in tasks.iterdir()
            for child in (task / "children").read_text().split()
        ]  # fmt: skip
    return []


def killed(folder: Path, chance: random.Random, *words: str) -> None:
    """Until a run is left in peace, and comes to its end."""
    for _ in range(chance.randint(1, 4)):
        process = begin(folder, *words)
        time.sleep(chance.uniform(0.5, 5.0))
        of = [process.pid, *children(process.pid)]
        with suppress(ProcessLookupError):
            os.kill(chance.choice(of), signal.SIGKILL)
        # A worker's death costs a retry; whoever outlives it is killed a little later.
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.1, 2.0))
        process.kill()
        process.wait()
    process = begin(folder, *words)
    assert process.wait(60) == 0, log_of(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "data"
    assert begin(folder).wait(60) == 0, log_of(folder)
    return folder


@pytest.mark.timeout(150)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_session_is_there_once_and_as_it_would_have_been(
    seed: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    killed(folder, random.Random(seed))
    assert ledger(folder) == [(str(day), 1, "finished") for day in DAYS]
    assert ledger(folder) == ledger(undisturbed)
    assert stored(folder) == stored(undisturbed)
    # Half a file that a killed writer left is never read (core.whole), and is not looked for here.


@pytest.fixture(scope="module")
def otherwise(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every third session as if the source had served other bars then."""
    folder = tmp_path_factory.mktemp("otherwise") / "data"
    shutil.copytree(undisturbed, folder)
    for day in DAYS[::3]:
        (file,) = folder.glob(f"bars/*/{day}.parquet")
        file.write_bytes(parquet(pl.read_parquet(file).with_columns(pl.col("volume") + 1)))
    return folder


@pytest.mark.timeout(150)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_has_changed_is_the_second_revision_of_its_session_and_nothing_else_is(
    seed: int, undisturbed: Path, otherwise: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(otherwise, folder)
    killed(folder, random.Random(seed), "all")
    revisions = [1 + (day in DAYS[::3]) for day in DAYS]
    assert ledger(folder) == [
        (str(day), revision, "finished") for day, revision in zip(DAYS, revisions, strict=True)
    ]
    before = {f"{day}.parquet": f"{day}.r1.parquet" for day in DAYS[::3]}
    earlier = {before[name]: body for name, body in stored(otherwise).items() if name in before}
    assert stored(folder) == stored(undisturbed) | earlier


@pytest.mark.parametrize("times", [1, 3])
def test_a_person_who_presses_ctrl_c_reads_no_traceback_of_anybody(
    tmp_path: Path, times: int
) -> None:
    """A terminal tells all processes at once, at whatever they are: here their imports."""
    command = [sys.executable, "-m", "bot", "backfill", "2020-01-02", str(DAYS[-1])]
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    while not children(process.pid):
        assert process.poll() is None
        time.sleep(0.01)
    for _ in range(times):
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    # The plan, and who goes on with it.
    assert "Backfill · plan" in said
    *_, footer, last = said.splitlines()
    assert footer == "nothing is announced of the past"
    assert last.startswith("not over: a service goes on with it")


FULL = """
import resource, sys
from bot.shell import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2**15, 2**15))  # of any file; SQLite needs as much
sys.exit(main(sys.argv[1:]))
"""


def test_a_database_without_room_is_said_in_words(tmp_path: Path) -> None:
    migrate(tmp_path / "state.db")
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", FULL, "backfill", "2020-01-02", str(DAYS[-1])]
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 75
    assert done.stderr.splitlines()[-1].startswith("the state database cannot be written (")
    assert "Traceback" not in done.stderr
