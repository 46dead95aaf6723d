"""`python -m bot backfill`: the plan before anything is read, and the question at a terminal."""

import asyncio
import io
import os
import pty
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.backfill_card import UNPOSTED
from alerts.model import TERMINAL
from bot.agreed import Agreed, action_of, agreed, asking, planned
from bot.fill import fill, move, progress_bar
from bot.once import Exit
from bot.shell import filled, main
from core.errors import CommandError
from core.jobs import Outcome, Stage, Unit
from tests.bot.small_market import ask, told
from tests.bot.test_backfill_changes import uncounted
from tests.bot.test_backfilling import WEEK, There, at
from tests.filled import EVE, Kind, until
from tests.market import NOW
from tests.shared import Shared

ROOT = Path(__file__).parent.parent.parent
SPAN = [str(WEEK[0]), str(WEEK[-1])]


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    async with at(folder, running=False) as it:
        yield it


class Person:
    """Types the same whatever is asked."""

    def __init__(self, types: str) -> None:
        self.types, self.asked = types, list[str]()

    async def __call__(self, question: str) -> str:
        """bot.agreed.Ask."""
        self.asked.append(question)
        return self.types


async def test_the_plan_is_that_of_the_chat(there: There) -> None:
    plan, said = await planned(there.app, [*SPAN, "all"])
    assert len(plan.to_read) == 5
    lead = await told(there.app, f"/backfill plan {' '.join(SPAN)} all")
    assert lead in " ".join(said.split())


def test_where_a_question_could_not_be_seen_none_is_asked() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal:
        assert asking(terminal, io.StringIO(), io.StringIO()) is None
        assert asking(io.StringIO(), terminal) is None
        assert asking(terminal, io.StringIO(), terminal) is not None
    os.close(ours)


@pytest.mark.parametrize(
    ("types", "is_agreed"),
    [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
async def test_a_person_is_asked_after_the_plan(
    there: There, types: str, *, is_agreed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person(types)
    assert await agreed(there.app, SPAN, person) == (Agreed() if is_agreed else None)
    assert person.asked == ["Read 5 sessions? [y/N] "]
    seen = capsys.readouterr()
    assert "5 sessions to read (missing)" in seen.err
    assert seen.out == ""
    assert await there.app.db.rows("SELECT 1 FROM jobs") == []


async def test_where_nobody_is_the_plan_is_told_and_it_goes_on(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await agreed(there.app, SPAN, None)
    assert "Backfill · plan" in capsys.readouterr().err


async def test_what_is_agreed_to_is_what_is_read_though_a_session_ends_meanwhile(
    folder: Path,
) -> None:
    clock = [NOW]
    async with at(folder, running=False, now=lambda: clock[0]) as there:
        wish = there.app.backfilling.wish("run", [SPAN[0], "today", "all", "oldest-first"])
        person = Person("y\n")
        assert await agreed(there.app, wish.typed, person)
        clock[0] += timedelta(days=3)
        assert there.app.backfilling.wish("run", [SPAN[0], "today"]).span != wish.span
        done = await fill(there.app, wish.typed)
        assert person.asked == [f"Read {done.wanted} sessions? [y/N] "]
        assert there.doing.asked == list(wish.days)


async def test_nobody_is_asked_about_nothing_nor_twice(there: There) -> None:
    person = Person("n\n")
    assert await agreed(there.app, [str(EVE), str(EVE)], person), "it is stored"
    wish = there.app.backfilling.wish("run", SPAN)
    job = await there.app.backfilling.begin(wish, who="console:@me", place="console:terminal")
    assert await agreed(there.app, SPAN, person) == Agreed(job), "when it was begun"
    assert person.asked == []
    with pytest.raises(CommandError, match="is not over"):
        await agreed(there.app, [SPAN[0], SPAN[0]], person)


@pytest.mark.parametrize("ended", ["uncounted", "running", "cancelled"])
async def test_what_another_process_ends_meanwhile_is_not_read_again_unasked(
    there: There, capsys: pytest.CaptureFixture[str], *, ended: str
) -> None:
    app, person = there.app, Person("n\n")
    runner, words = app.backfilling.runner, [str(EVE), str(EVE), "all"]
    if ended == "uncounted":
        job = await uncounted(there)
    else:
        wish = app.backfilling.wish("run", words)
        job = await app.backfilling.begin(wish, who="console:@me", place="console:terminal")
    may = await agreed(app, words, person)
    assert may == Agreed(job)
    if ended == "cancelled":
        await ask(app, "/backfill cancel")
    elif ended == "running":
        await runner.work_off(job)
    while (job := await runner.jobs.job(job.id)).stage is not Stage.NOTHING:
        await runner.settle(job)
    there.doing.asked.clear()
    done = await fill(app, words, may.left)
    assert there.doing.asked == []
    assert done.state is job.state
    assert filled(done) is (Exit.TRY_AGAIN if ended == "cancelled" else Exit.DONE)
    assert await app.db.rows("SELECT id FROM jobs WHERE id != ?", (job.id,)) == []
    assert f"is {job.state} by now: nothing is read for it again" in capsys.readouterr().err
    assert person.asked == []


async def test_a_line_of_a_terminal_is_waited_for_and_nobody_waits_who_is_cancelled() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal, os.fdopen(os.dup(theirs), "w") as shown:
        ask = asking(terminal, shown)
        assert ask is not None
        waiting = asyncio.create_task(ask("Read them? "))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        os.write(ours, b"y\n")
        assert await asyncio.wait_for(ask("Read them? "), 5) == "y\n"
    os.close(ours)


def test_the_shell_plans_and_says_what_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder))
    assert main(["backfill", "plan", *SPAN, "missing+failed"]) == 0
    seen = capsys.readouterr()
    assert "5 sessions to read (missing+failed)" in " ".join(seen.out.split())
    assert main(["backfill", "plan", SPAN[0]]) == 2
    assert "From when to when?" in capsys.readouterr().err
    assert main(["backfill", *SPAN, "please"]) == 2
    assert "'please' after the span" in capsys.readouterr().err
    assert main(["backfill", "pause"]) == 2
    assert '`python -m bot ask "/backfill pause"`' in capsys.readouterr().err
    assert main(["backfill", "cancel", "7", *SPAN, "--policy", "all"]) == 2
    assert '`python -m bot ask "/backfill cancel 7"`' in capsys.readouterr().err, "it takes no more"
    span = " ".join(SPAN)
    for typed, meant in (
        (f"plann {span}", f"backfill plan {span}"),
        (f"rum {span} all --oldest-first", f"backfill run {span} all oldest-first"),
        (f"RESUM {span}", 'ask "/backfill resume"'),
        ("resum 1", 'ask "/backfill resume 1"'),
    ):
        assert main(["backfill", *typed.split()]) == 2
        said = f"{typed.split()[0].lower()}: did you mean `python -m bot {meant}`?"
        assert said in capsys.readouterr().err
    assert main(["backfill", "run", str(EVE), "to", str(EVE), "announce:true", "newest-first"]) == 0
    assert "1 of 1 sessions stored" in capsys.readouterr().out


@pytest.mark.parametrize("day", ["today", "latest", "newest", "last", "Fri", "2026-11-27"])
def test_no_word_for_a_session_is_taken_for_an_action(day: str) -> None:
    assert action_of([day, "today"]) == ("run", [day, "today"])


@pytest.mark.parametrize("first", ["Sun 1", "Sat 31", "sun, 1", "Saturday 31", "1", "Tues 3"])
def test_a_date_as_the_cards_say_it_is_no_mistyped_action(first: str) -> None:
    words = f"{first} Nov 2026 Fri 20 Nov 2026".split()
    assert action_of(words) == ("run", words)


@pytest.mark.parametrize("typed", ["runn", "satus", "sttus", "statu"])
def test_what_is_like_an_action_and_no_weekday_is_taken_for_one(typed: str) -> None:
    with pytest.raises(CommandError, match="did you mean"):
        action_of([typed, "2026-11-02", "2026-11-20"])


def test_a_shell_that_has_no_channel_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(folder))
    stored = str(EVE)
    assert main(["backfill", stored, stored]) == 0
    assert UNPOSTED not in capsys.readouterr().err
    assert main(["backfill", stored, stored, "announce:"]) == 0
    assert UNPOSTED in capsys.readouterr().err


async def test_a_job_of_a_terminal_says_that_nothing_is_posted(there: There) -> None:
    wish = there.app.backfilling.wish("run", [*SPAN, "announce:"])
    assert wish.announce
    await there.app.backfilling.begin(wish, who="console:@me", place=str(TERMINAL))
    assert UNPOSTED in (await ask(there.app, "/backfill")).message.footer
    await ask(there.app, "/backfill cancel")
    await ask(there.app, f"/backfill run {' '.join(SPAN)} announce")
    assert UNPOSTED not in (await ask(there.app, "/backfill")).message.footer


async def test_a_resumed_bar_has_the_numbers_of_the_card_and_its_last_error(there: There) -> None:
    jobs, screen = there.app.backfilling.runner.jobs, io.StringIO()
    await ask(there.app, f"/backfill run {' '.join(SPAN)}")
    job = await jobs.newest()
    assert job is not None
    for n in range(4):
        day = await jobs.take(job)
        assert day is not None
        failed = Outcome(Unit.FAILED, 1.0, "unreachable", "REST: no answer")
        await jobs.put(job, day, Outcome(Unit.STORED, 30.0) if n < 3 else failed)
    standing = await there.app.backfilling.standing(job)
    assert standing is not None
    with progress_bar(screen, disable=False) as shown:
        move(shown, standing)
    last = screen.getvalue().split("\r")[-1]
    assert last.startswith(" 80% |")
    there.app.backfilling.runner.is_there = True
    card = await told(there.app, "/backfill")
    assert card.split(maxsplit=1)[1].removesuffix(": under way.") in last
    assert f"last error: {WEEK[1]}: REST: no answer" in last
    assert "2.0 a minute" in last


@pytest.mark.parametrize(("columns", "is_shown"), [(80, True), (0, False)])
def test_a_terminal_without_a_size_has_lines_and_no_bar(columns: int, *, is_shown: bool) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24 if columns else 0, columns))
    with os.fdopen(theirs, "w") as terminal, progress_bar(terminal) as shown:
        assert bool(shown.disable) is not is_shown
    os.close(ours)


async def test_what_is_begun_in_the_shell_is_read(there: There) -> None:
    assert await agreed(there.app, SPAN, None)
    assert (await fill(there.app, SPAN)).stored == 5


def test_at_a_terminal_nothing_is_read_that_was_not_agreed_to(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "data"), "TERM": "xterm"}
    command = [sys.executable, "-m", "bot", "backfill", SPAN[0], SPAN[0]]
    seen = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # its end
            while part := os.read(ours, 4096).decode(errors="replace"):
                if "[y/N]" not in seen and "[y/N]" in seen + part:
                    os.write(ours, b"n\n")
                seen += part
        os.close(ours)
    assert process.returncode == 75
    assert "1 session to read (missing)" in seen
    assert seen.rstrip().endswith("nothing is read")
