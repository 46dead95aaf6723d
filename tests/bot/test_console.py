"""The terminal: what it prints is plain, narrow enough and stamped; a real one can be talked to."""

import asyncio
import os
import pty
import re
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from alerts.model import TERMINAL, Letter, Message, Row
from bot.platforms.console import ConsoleSender, render
from tests.filled import until_today
from tests.shared import Shared

ROOT = Path(__file__).parent.parent.parent
HOSTILE = st.text(max_size=300)


@given(HOSTILE, HOSTILE, HOSTILE, st.integers(40, 120))
def test_hostile_text_comes_out_inert_and_within_the_width(
    title: str, head: str, fact: str, width: int
) -> None:
    message = Message(
        title=title, lead=head, rows=(Row(head, (fact,)),), facts=((head, fact),), stamp="SAMPLE"
    )
    shown = render(message, width)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert max(map(len, shown.splitlines()), default=0) <= width
    assert shown.startswith("[SAMPLE]")


async def test_the_same_key_twice_is_one_message() -> None:
    shown: list[str] = []
    sender = ConsoleSender(shown.append)
    for key in ("a", "a", "b"):
        receipt = await sender.send(TERMINAL, Letter(key, Message(title=key, lead="x")))
        assert receipt.message_id == key
    assert len(shown) == 2


def _read_until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


async def test_a_person_sees_the_digest_asks_and_leaves_with_ctrl_c(
    shared: Shared, tmp_path: Path
) -> None:
    await asyncio.to_thread(until_today, shared, tmp_path / "data")
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        async with asyncio.timeout(50):
            start = await asyncio.to_thread(_read_until, ours, "Type a command")
            assert "EOD anomalies" in start
            os.write(ours, b"/halp\r")
            answer = await asyncio.to_thread(_read_until, ours, "did you mean /help?")
            assert "SAMPLE" in answer
            # Between two prompts the key is a signal, and this terminal controls nobody: again.
            while process.returncode is None:
                os.write(ours, b"\x03")
                await asyncio.sleep(0.2)
            assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
