"""The terminal as a chat platform: messages are printed, commands are typed."""

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from shutil import get_terminal_size
from typing import Any

from alerts.model import Check, Destination, Letter, Message, Receipt, Section, Tried
from alerts.words import inert
from bot.requests import CommandRequest, Reply

_MAX_WIDTH, _MIN_WIDTH = 100, 40


def render(message: Message, width: int) -> str:
    """The message as plain text, at most `width` columns; control characters are taken out."""

    def wrapped(text: str, indent: str = "", hang: str | None = None) -> list[str]:
        clean = inert(text)
        after = indent if hang is None else hang
        return textwrap.wrap(clean, width, initial_indent=indent, subsequent_indent=after) or [""]

    lines = wrapped(f"[{message.stamp}]") if message.stamp else []
    lines += wrapped(message.title) if message.title else []
    if not message.rows or not message.context:
        lines += wrapped(message.lead)
    for banner in message.banners:
        lines += wrapped(f"! {banner}", hang="  ")
    for section in (Section("", message.rows), *message.sections):
        lines += ["", *(wrapped(section.title) if section.title else [])] if section.rows else []
        for row in section.rows:
            lines += wrapped(row.head, hang="   ")
            for detail in row.details:
                lines += wrapped(detail, "   ")
    if message.facts:
        lines.append("")
        widest = min(24, max(len(name) for name, _ in message.facts))
        for name, value in message.facts:
            lines += wrapped(f"{name:<{widest}}  {value}", hang=" " * (widest + 2))
    if message.context or message.footer:
        lines.append("")
    for line in (*message.context, *message.footer):
        lines += wrapped(line, hang="  ")
    for file in message.files:
        lines += ["", *(inert(line) for line in file.content.splitlines())]
    return "\n".join(lines)


def terminal_width() -> int:
    """Columns to fill: what the terminal has, within reason."""
    return max(_MIN_WIDTH, min(_MAX_WIDTH, get_terminal_size((_MAX_WIDTH, 24)).columns - 1))


class ConsoleSender:
    """alerts.deliver.Sender over standard output."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write
        self._shown: set[str] = set()

    @asynccontextmanager
    async def turn(self, destination: Destination) -> AsyncIterator[None]:
        """A terminal takes what it gets."""
        yield

    async def send(self, destination: Destination, letter: Letter) -> Receipt:
        """Prints; the same key twice is one message."""
        if letter.key not in self._shown:
            self._shown.add(letter.key)
            self._write(render(letter.message, terminal_width()) + "\n")
        return Receipt(letter.key)

    async def find(self, destination: Destination, letter: Letter, tried: Tried) -> Receipt | None:
        """What another process printed is gone with its terminal: it is simply shown again."""
        return Receipt(letter.key) if letter.key in self._shown else None

    async def edit(self, destination: Destination, receipt: Receipt, letter: Letter) -> Receipt:
        """What is printed stays; /anomalies shows the new numbers."""
        return receipt

    async def examine(self, destination: Destination) -> Sequence[Check]:
        """It is here."""
        return (Check("terminal", ok=True, seen="printed to standard output"),)


def attached() -> bool:
    """Is a person at a terminal?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _prompt(names: Sequence[str]) -> tuple[Any, AbstractContextManager[None]]:
    # It takes its time to load, beside the loop; and only who types needs it.
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.output.defaults import create_output
    from prompt_toolkit.output.vt100 import Vt100_Output
    from prompt_toolkit.patch_stdout import patch_stdout

    output = create_output()
    if isinstance(output, Vt100_Output):
        # Terminals that do not answer the cursor question would get a warning instead.
        output.enable_cpr = False
    completer = WordCompleter([f"/{name}" for name in names], sentence=True)
    return PromptSession("> ", output=output, completer=completer), patch_stdout(raw=True)


async def converse(
    answer: Callable[[CommandRequest], Awaitable[Reply]], names: Sequence[str]
) -> None:
    """Read commands until the end of input (Ctrl-D), `quit`, or Ctrl-C."""
    session, unbroken = await asyncio.to_thread(_prompt, names)
    print("Type a command, such as /help; Ctrl-C leaves.")
    with unbroken:
        while True:
            try:
                text: str = await session.prompt_async()
            except (EOFError, KeyboardInterrupt):
                return
            if text.strip().lower() in ("quit", "exit", "/quit", "/exit"):
                return
            if text.strip():
                reply = await answer(CommandRequest.typed(text))
                print(render(reply.message, terminal_width()) + "\n")
