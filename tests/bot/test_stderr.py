"""What a program that reads our standard error gets: an object a line, whatever happens."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.once import Exit

ROOT = Path(__file__).parent.parent.parent


async def ended(folder: Path, environment: Mapping[str, str], *words: str) -> tuple[int, str]:
    """The code and what was written to stderr, of `python WORDS` in that folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
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


async def test_to_a_person_it_is_said_as_it_is(tmp_path: Path) -> None:
    code, said = await ended(tmp_path, {"ALERT_TOP": "many"}, "-m", "bot", "run")
    assert code == Exit.CONFIG
    assert said.startswith("Tapewatch cannot start:\n  - ALERT_TOP='many': should be")


async def test_notices_and_progress_are_records_as_well(tmp_path: Path) -> None:
    environment = {"ALERT_TOPP": "5", "LOG_FORMAT": "json"}
    code, said = await ended(tmp_path, environment, "-m", "bot", "once")
    told = [(record["level"], record["message"]) for record in records(said)]
    assert code == Exit.DONE
    assert told[0] == ("WARNING", "ALERT_TOPP is no setting: did you mean ALERT_TOP?")
    assert any(said.startswith("filling the baseline: 10 of ") for _, said in told)
