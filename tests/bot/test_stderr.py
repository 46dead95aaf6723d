"""What a program that reads our standard error gets: an object a line, whatever happens."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.once import Exit
from tests.filled import until_today
from tests.shared import Shared

ROOT = Path(__file__).parent.parent.parent


SECRET = "s3cr3t/s3cr3t+s3cr3t"
KEY = "AbCdEfGhIjKlMnOpQrStUvWxYz012345"


async def ended(
    folder: Path,
    environment: Mapping[str, str],
    *words: str,
    stdout: int = asyncio.subprocess.DEVNULL,
    program: str = sys.executable,
) -> tuple[int, str]:
    """The code and what was written to stderr, of `PROGRAM WORDS` in that folder."""
    process = await asyncio.create_subprocess_exec(
        *(program, *words),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    return process.returncode or 0, said.decode()


def records(said: str) -> list[dict[str, Any]]:
    """Every line."""
    return [json.loads(line) for line in said.splitlines()]


async def test_a_start_that_fails_is_one_record_for_a_program(tmp_path: Path) -> None:
    wrong = {"ALERT_TOP": "many", "LOG_FORMAT": "json"}
    code, said = await ended(tmp_path, wrong, "-m", "bot", "run")
    (record,) = records(said)
    assert code == Exit.CONFIG
    assert record["level"] == "CRITICAL"
    assert record["message"].startswith("Tapewatch cannot start:\n  - ALERT_TOP='many': should be")


LOTS = "from bot.unread import ended\nraise SystemExit(ended(lambda: print('x' * 100_000) or 0))"
HELP = "from bot.unread import ended\nraise SystemExit(ended(lambda: exit(print('x') or 0)))"
OTHER = "import os\nfrom bot.unread import ended\nr, w = os.pipe()\nos.close(r)\n"
OTHER += "raise SystemExit(ended(lambda: os.write(w, b'x')))"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words",
    [("-m", "bot", "ask", "/help"), ("-c", HELP), ("-c", LOTS)],
    ids=["at its end", "help", "more than a buffer has"],
)
async def test_a_reader_that_has_gone_is_no_fault_of_ours(
    tmp_path: Path, words: tuple[str, ...], unbuffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        environment = {"PYTHONUNBUFFERED": unbuffered}
        code, said = await ended(tmp_path, environment, *words, stdout=writer)
    finally:
        os.close(writer)
    assert (code, said) == (Exit.UNREAD, "")


@pytest.mark.parametrize(
    ("asked", "closed"),
    [
        ("ask /help", ">&-"),
        ("backfill 2026-11-20 2026-11-20", "<&- 2>&-"),
        ("bars 2026-11-20 --csv", "<&- >&- 2>&-"),
    ],
)
async def test_where_there_is_no_input_or_output_that_is_no_fault(
    tmp_path: Path, asked: str, closed: str
) -> None:
    """As some begin what is done at night."""
    words = ("-c", f"exec {sys.executable} -m bot {asked} {closed}")
    code, said = await ended(tmp_path, {"DATA_DIR": "data"}, *words, program="/bin/sh")
    assert code == (Exit.NOTHING_STORED if asked.startswith("bars") else Exit.DONE)
    assert "Traceback" not in said


async def test_another_pipe_that_is_broken_is_a_fault(tmp_path: Path) -> None:
    code, said = await ended(tmp_path, {}, "-c", OTHER)
    assert code == 1
    assert "BrokenPipeError" in said


async def test_words_that_are_wrong_are_one_record_for_a_program(tmp_path: Path) -> None:
    words = ("-m", "bot", "once", "--colour")
    code, said = await ended(tmp_path, {"LOG_FORMAT": "json"}, *words)
    (record,) = records(said)
    assert code == Exit.USAGE
    assert record["level"] == "ERROR"
    assert record["message"].startswith("usage: python -m bot")
    assert record["message"].endswith(": error: unrecognized arguments: --colour")
    _, plain = await ended(tmp_path, {}, *words)
    assert plain == record["message"] + "\n"


async def test_to_a_person_it_is_said_as_it_is(tmp_path: Path) -> None:
    code, said = await ended(tmp_path, {"ALERT_TOP": "many"}, "-m", "bot", "run")
    assert code == Exit.CONFIG
    assert said.startswith("Tapewatch cannot start:\n  - ALERT_TOP='many': should be")


async def test_notices_and_progress_are_records_as_well(shared: Shared, tmp_path: Path) -> None:
    await asyncio.to_thread(until_today, shared, tmp_path / "data", lacks_few=True)
    environment = {"ALERT_TOPP": "5", "LOG_FORMAT": "json"}
    code, said = await ended(tmp_path, environment, "-m", "bot", "once")
    told = [(record["level"], record["message"]) for record in records(said)]
    assert code == Exit.DONE
    assert told[0] == ("WARNING", "ALERT_TOPP is no setting: did you mean ALERT_TOP?")
    assert any(said.startswith("filling the baseline: 10 of ") for _, said in told)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("where", ["environment", ".env"])
async def test_a_key_in_the_place_of_its_file_is_not_told(
    tmp_path: Path, form: str, where: str
) -> None:
    pasted = {"POLYGON_API_KEY_FILE": KEY, "DATA_SECRET_ACCESS_KEY_FILE": SECRET}
    if where == ".env":
        lines = [f"{name}={value}" for name, value in pasted.items()]
        await asyncio.to_thread((tmp_path / ".env").write_text, "\n".join(lines))
        pasted = {}
    code, said = await ended(tmp_path, {**pasted, "LOG_FORMAT": form}, "-m", "bot", "doctor")
    assert code == Exit.CONFIG
    assert "POLYGON_API_KEY_FILE='(hidden)': should be the path of a file, not the" in said
    assert KEY not in said
    assert SECRET not in said


async def test_a_bot_that_tries_to_log_in_again_and_again_is_not_told_each_time(
    tmp_path: Path,
) -> None:
    said = "import logging; from bot import logs; logs.set_up([])\n" + "\n".join(
        f"logging.getLogger('{name}').info('from {name}')"
        for name in ("discord.client", "discord.gateway")
    )
    _, told = await ended(tmp_path, {}, "-c", said)
    assert told.endswith("INFO discord.gateway: from discord.gateway\n")
    assert "discord.client" not in told


HALF = f"'{SECRET[:7]}' + '{SECRET[7:]}'"
"""Python shows the line that raised, and a person's code has no secret in it."""
RAISE = f"1/0 if False else (_ for _ in ()).throw(ValueError({HALF}))"
UNCAUGHT = {
    "the main thread": f"""
from bot import shell
async def broken(settings, chosen): {RAISE}
shell._run = broken
sys.argv = ["bot", "run"]
runpy.run_module("bot", run_name="__main__")""",
    "another thread": f"""
from bot import shell
import threading
async def broken(settings, chosen):
    thread = threading.Thread(target=lambda: {RAISE}); thread.start(); thread.join()
    return 1
shell._run = broken
sys.argv = ["bot", "run"]
runpy.run_module("bot", run_name="__main__")""",
    "the event loop": f"""
from bot import shell
import asyncio
async def broken(settings, chosen):
    asyncio.get_running_loop().call_soon(lambda: {RAISE})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return 1
shell._run = broken
sys.argv = ["bot", "run"]
runpy.run_module("bot", run_name="__main__")""",
    "a finalizer": f"""
from bot import shell
class Broken:
    def __del__(self): {RAISE}
async def broken(settings, chosen):
    Broken()
    return 1
shell._run = broken
sys.argv = ["bot", "run"]
runpy.run_module("bot", run_name="__main__")""",
    "the settings": f"""
from bot import shell
def broken(): {RAISE}
shell.load = broken
sys.argv = ["bot", "run"]
runpy.run_module("bot", run_name="__main__")""",
}


CASES = [
    *((where, "text") for where in UNCAUGHT),
    ("the main thread", "json"),
    ("a finalizer", "json"),
]
EACH_IN_A_FORK = """
import gc, os, runpy, sys
import bot.shell
gc.freeze()
for path in sys.argv[1:]:
    if (child := os.fork()) == 0:
        os.dup2(os.open(f"{path}.said", os.O_CREAT | os.O_WRONLY, 0o600), sys.stderr.fileno())
        os.environ["LOG_FORMAT"] = path.rpartition(".")[2]
        runpy.run_path(path, run_name="__main__")
        os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.stderr, flush=True)
"""
"""Every one dies as the process that it is; what they import takes a second, and is shared."""


async def test_what_nobody_catches_is_told_without_secrets(tmp_path: Path) -> None:
    for where, form in CASES:
        (tmp_path / f"{where}.{form}").write_text("import runpy, sys" + UNCAUGHT[where])
    environment = {"DISCORD_TOKEN": SECRET, "DISCORD_OPERATORS": "123456789012345678"}
    programs = [f"{where}.{form}" for where, form in CASES]
    _, codes = await ended(tmp_path, environment, "-c", EACH_IN_A_FORK, *programs)
    assert codes.split() == ["1"] * len(CASES)
    for where, form in CASES:
        said = (tmp_path / f"{where}.{form}.said").read_text()
        assert SECRET not in said, where
        assert "ValueError: (hidden)" in said, where
        if form == "json":
            (record,) = records(said)
            assert "ValueError: (hidden)" in record["trace"]
