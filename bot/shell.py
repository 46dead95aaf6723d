"""The command line: python -m bot run | once | ask | anomalies | bars | doctor | backfill ..."""

import argparse
import asyncio
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from alerts.backfill_card import UNPOSTED
from alerts.message import digest
from alerts.model import SAMPLE_STAMP
from alerts.spreadsheet import table
from bot import again, installing, logs, shell_files
from bot.agreed import action_of, agreed, asking, planned
from bot.app import opened
from bot.arguments import Sessions, span
from bot.commands import CommandRequest
from bot.export import stored_bars
from bot.fill import Filled, fill
from bot.forms import POLICIES
from bot.logs import say
from bot.once import (
    Exit,
    NothingHeld,
    day_json,
    delivered,
    doctor_code,
    exit_code,
    one_day,
    reading,
    stored_anomalies,
    wanted_session,
)
from bot.platforms import console
from bot.setting_checks import notices
from bot.settings import Settings, form_asked, load, secrets_asked, strangers
from core.bars import Scope
from core.db import Unwritable
from core.errors import BarsAway, CommandError, ConfigError, NotPublished, SourceError
from core.jobs import JobState, Policy
from core.passing import InUse
from core.sources import NoneServed

_READ_SESSIONS = ("run", "once", "backfill")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns what the shell is told."""
    secrets, wished = secrets_asked(), form_asked()
    asked = logs.Form.TEXT if sys.stderr.isatty() else wished
    logs.set_up(secrets, logging.WARNING, asked)
    chosen = _parser().parse_args(arguments)
    level = logging.INFO if chosen.command == "run" and not console.attached() else logging.WARNING
    # Also what is wrong with the settings is said in the form that they ask for.
    form = wished if chosen.command == "run" else asked
    logs.set_up(secrets, level, form)
    is_service = chosen.command == "run" and not console.attached()
    for pause_s in (*(again.pauses() if is_service else ()), None):
        try:
            return _carried_out(chosen, level, form)
        except Unwritable as error:
            when = "run it again when that is over" if pause_s is None else f"again in {pause_s} s"
            why = f"the state database cannot be written ({error}): {when}"
            say(why, logging.CRITICAL)
        if pause_s is not None and not again.rested(pause_s):
            return Exit.DONE
    return Exit.TRY_AGAIN


def _carried_out(chosen: argparse.Namespace, level: int, form: logs.Form) -> int:
    """Raises Unwritable alone, and not InUse."""
    try:
        settings = load()
        logs.set_up(settings.secrets, level, form)
        told = notices(settings) if chosen.command in _READ_SESSIONS else []
        told += strangers() if chosen.command in (*_READ_SESSIONS, "doctor") else []
        for notice in told:
            say(notice, logging.WARNING)
        return int(asyncio.run(_interruptible(chosen.go(settings, chosen))))
    except ConfigError as error:
        faults = "\n".join(f"  - {fault}" for fault in error.faults)
        say(f"Tapewatch cannot start:\n{faults}", logging.CRITICAL)
        return Exit.CONFIG
    except CommandError as error:
        say(str(error), logging.ERROR)
        return Exit.USAGE
    except InUse as error:  # what to do is in its words
        say(str(error), logging.ERROR)
        return Exit.TRY_AGAIN
    except BarsAway as error:
        say(f"the bars cannot be had: {error}: run it again when that is over", logging.ERROR)
        return Exit.TRY_AGAIN
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


async def _interruptible(doing: Coroutine[Any, Any, Exit]) -> Exit:
    """^C ends it once: twice would end the tidying up, and leave processes that nobody ends."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(doing)

    def end() -> None:
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        task.cancel()

    if threading.current_thread() is threading.main_thread():
        loop.add_signal_handler(signal.SIGINT, end)
    await asyncio.wait([task])
    return Exit.INTERRUPTED if task.cancelled() else task.result()


_WHAT = "Which US stocks traded unlike themselves."


class _Parser(argparse.ArgumentParser):
    """What is typed wrong is said as everything else is."""

    def error(self, message: str) -> NoReturn:
        """As argparse says it, in the form that is asked for."""
        say(f"{self.format_usage()}{self.prog}: error: {message}", logging.ERROR)
        sys.exit(Exit.USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m bot", description=_WHAT)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, go: Any, said: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=said, description=said)
        added.set_defaults(go=go)
        return added

    add("run", _run, "the service: watch, judge, deliver, answer")
    once = add("once", _once, "one trading day now: ingest, judge, deliver, exit")
    once.add_argument("--session", metavar="D", help="a date, such as 2026-11-20; else the newest")
    once.add_argument("--release", action="store_true", help="accept a day the gate holds")
    once.add_argument("--json", action="store_true")
    ask = add("ask", _ask, "one slash command")
    ask.add_argument("text", nargs="+", metavar="COMMAND", help='such as "/ticker NVDA"')
    ask.add_argument("--json", action="store_true")
    found = add("anomalies", _anomalies, "ranked anomalies of stored sessions, recomputed")
    found.add_argument("first", metavar="FROM")
    found.add_argument("last", metavar="TO", nargs="?")
    found.add_argument("--all", action="store_true", help="every name that passes the gates")
    form = found.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true")
    bars = add("bars", _bars, "the stored bars of a session")
    bars.add_argument("session", metavar="D")
    bars.add_argument("--scope", choices=[str(scope) for scope in Scope])
    shape = bars.add_mutually_exclusive_group()
    shape.add_argument("--csv", action="store_true")
    shape.add_argument("--json", action="store_true")
    doctor = add("doctor", _doctor, "what each source answers, and the next step")
    doctor.add_argument("--session", metavar="D", help="probe this date instead of the newest")
    doctor.add_argument("--json", action="store_true")
    _installing_words(add)
    _file_words(add)
    _backfill_words(add("backfill", _backfill, "store the sessions of a span, silently"))
    return parser


def _installing_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    manifest = add(
        "manifest", installing.manifest, "the manifest of a Slack app with just what is used"
    )
    manifest.add_argument("--url", metavar="https://HOST", help="Slack posts there: no Socket Mode")
    add("invite", installing.invite, "the address that adds the bot to a Discord server")


def _file_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    taken = add("backup", shell_files.back_up, "state and bars in one file, at any time")
    taken.add_argument("file", metavar="FILE.tar", type=Path)
    put = add("restore", shell_files.put_back, "a backup into an empty DATA_DIR")
    put.add_argument("file", metavar="FILE.tar", type=Path)
    kept = "what is in DATA_DIR goes into a folder inside of it first"
    put.add_argument("--set-aside", action="store_true", help=kept)
    copying = add(
        "copy-bars", shell_files.copy_bars, "bars of DATA_DIR that DATA_URL does not have yet"
    )
    copying.add_argument("--back", action="store_true", help="from DATA_URL into DATA_DIR")


def _backfill_words(past: argparse.ArgumentParser) -> None:
    said = "FROM TO [POLICY]; with `plan` before it only what that needs is said"
    past.add_argument("words", nargs="+", metavar="WORD", help=said)
    past.add_argument("--policy", choices=POLICIES)
    past.add_argument("--yes", action="store_true", help="a terminal is not asked before it reads")
    past.add_argument("--oldest-first", action="store_true")
    past.add_argument("--series", metavar="NAME", help="another one that the settings read")


async def _run(settings: Settings, chosen: argparse.Namespace) -> Exit:
    from bot import service

    return await service.run(settings)


async def _once(settings: Settings, chosen: argparse.Namespace) -> Exit:
    async with opened(settings) as app:
        # What is printed below is this destination's message.
        app.senders["console"] = console.ConsoleSender(lambda text: None)
        app.board.watchers.append(reading())
        day = await wanted_session(app, chosen.session)
        await app.name_channels(ending=False)
        try:
            async with app.turn():
                said = await one_day(app, day, release=chosen.release)
        except NothingHeld as error:
            if chosen.json:
                _print_json({"session": str(day), "status": "nothing held", "error": str(error)})
            say(str(error), logging.ERROR)
            return Exit.NOTHING_STORED
        except SourceError as error:
            failed = error if isinstance(error, NoneServed) else NoneServed({"held rows": error})
            await app.say_held([day])
            await delivered(app, day)
            if chosen.json:
                _print_json({"session": str(day), "status": failed.verdict, "error": str(error)})
            say(f"{day}: {error}")
            return exit_code(failed)
        if note := await app.commands.digests.of_other_settings(day, said):
            say(f"{day}: {note}")
        try:
            if chosen.json:
                _print_json(day_json(said))
            else:
                print(
                    console.render(digest(said, settings.alert_detail), console.terminal_width()),
                    flush=True,
                )
        finally:  # the channels are owed it, though nobody may read here any more
            await delivered(app, day)
    return Exit.DONE


async def _ask(settings: Settings, chosen: argparse.Namespace) -> Exit:
    async with opened(settings) as app:
        request = CommandRequest.typed(" ".join(chosen.text))
        reply = await app.commands.answer(request)
    if chosen.json:
        _print_json({"ok": reply.ok, **asdict(reply.message)})
    else:
        print(console.render(reply.message, console.terminal_width()))
    return Exit.DONE if reply.ok else Exit.USAGE


async def _anomalies(settings: Settings, chosen: argparse.Namespace) -> Exit:
    rows: list[dict[str, Any]] = []
    async with opened(settings) as app:
        days = span(chosen.first, chosen.last, Sessions(app.ladder, app.now))
        stored = False
        async for found in stored_anomalies(app, days[0].date, days[-1].date, every=chosen.all):
            stored = True
            rows += found
    if not stored:
        say(f"no session from {chosen.first} to {chosen.last or chosen.first} is stored")
        return Exit.NOTHING_STORED
    if chosen.json:
        _print_json(rows)
    elif chosen.csv:
        print(table(rows), end="")
    else:
        if settings.sample:
            print(f"[{SAMPLE_STAMP}]")
        for row in rows:
            print(f"{row['session']} {row['rank']:>3}. {row['text']}")
        if not rows:
            print("no anomaly in the stored sessions of this span")
    return Exit.DONE


async def _bars(settings: Settings, chosen: argparse.Namespace) -> Exit:
    async with opened(settings) as app:
        day = await wanted_session(app, chosen.session)
        try:
            found = await stored_bars(app, day, Scope(chosen.scope) if chosen.scope else None)
        except NotPublished as error:
            say(str(error))
            return Exit.NOTHING_STORED
    sys.stdout.write(found.csv() if chosen.csv else found.json() if chosen.json else found.text())
    if not chosen.csv:
        print()
    return Exit.DONE


async def _doctor(settings: Settings, chosen: argparse.Namespace) -> Exit:
    async with opened(settings) as app:
        typed = Sessions(app.ladder, app.now).typed(chosen.session or "today")
        probes = await app.doctor.examine(typed)
    if chosen.json:
        _print_json([asdict(probe) for probe in probes])
    else:
        for p in probes:
            step = p.next_step.replace("\n", "\n    ")
            print(f"{p.part}: {p.verdict}\n  seen: {p.seen}\n  next: {step}")
        if settings.sample:
            print("No key is set: the built-in sample market serves.")
    return Exit.DONE if settings.sample else doctor_code([p.verdict for p in probes])


async def _backfill(settings: Settings, chosen: argparse.Namespace) -> Exit:
    words = [*chosen.words, *([chosen.policy] if chosen.policy else [])]
    words += ["oldest-first"] if chosen.oldest_first else []
    words += [f"series:{chosen.series}"] if chosen.series else []
    action, words = action_of(words)
    async with opened(settings) as app:
        if action == "plan":
            print((await planned(app, words))[1])
            return Exit.DONE
        # `today` is of one moment, however long the answer takes.
        wish = app.backfilling.wish("run", words)
        words = wish.typed
        ask = None if chosen.yes else asking(sys.stdin, sys.stderr, sys.stdout)
        if (may := await agreed(app, words, ask)) is None:
            say("nothing is read")
            return Exit.TRY_AGAIN
        if wish.announce:
            say(UNPOSTED)
        app.board.watchers.append(reading())
        done = await fill(app, words, may.left)
    return filled(done)


def filled(done: Filled) -> Exit:
    """Say what became of a span; another series than that was asked for is a refusal."""
    causes = done.causes or f"{done.failed} failed"
    print(f"{done.stored} of {done.wanted} sessions stored; {causes} in this run")
    again = f"not asked for again, as --policy {Policy.MISSING_FAILED} does: {done.unread}"
    for said in filter(None, (done.unread and again, done.changed, done.instead)):
        print(said)
    if done.why or done.is_other:
        return Exit.REFUSED
    is_through = done.state is JobState.DONE and not done.failed and not done.uncounted
    return Exit.DONE if is_through else Exit.TRY_AGAIN


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))
