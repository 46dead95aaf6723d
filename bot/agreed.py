"""What the shell says before a backfill reads anything: the plan; on a terminal, the question."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TextIO

from alerts.budget import clipped
from alerts.message import stamp
from alerts.plan_card import plan_card
from alerts.words import some
from bot.app import App
from bot.arguments import begins_date
from bot.backfilling import ACTIONS, meant
from bot.fill import left_behind
from bot.logs import say
from bot.platforms.console import render, terminal_width
from core.errors import BarsAway, CommandError
from core.jobs import Job
from core.plan import Plan

_OWN = ("plan", "run")
Ask = Callable[[str], Coroutine[Any, Any, str]]
"""Shows a question; what was typed, empty if nobody types any more."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """It may be read."""

    left: Job | None = None
    """This alone: it was left behind, and agreed to when it was begun."""


def action_of(words: list[str]) -> tuple[str, list[str]]:
    """`plan` or `run`, and what stands behind it; CommandError for what a shell says by `ask`."""
    action = words[0].lower()
    if action in _OWN:
        return action, words[1:]
    # The others take the number of a job, and no span.
    number = [word for word in words[1:2] if word.isdecimal()]
    if action in ACTIONS:
        typed = " ".join((action, *number))
        raise CommandError(f'`python -m bot ask "/backfill {typed}"` is how a shell says that')
    if not begins_date(action) and (near := meant(action)):
        line = " ".join((near, *(words[1:] if near in _OWN else number)))
        typed = f"backfill {line}" if near in _OWN else f'ask "/backfill {line}"'
        raise CommandError(f"backfill {clipped(action, 40)}: did you mean `python -m bot {typed}`?")
    return "run", words


async def planned(app: App, words: list[str]) -> tuple[Plan, str]:
    """As `/backfill plan`: the plan, and in words. CommandError for what cannot be planned."""
    plan = await app.backfilling.plan(app.backfilling.wish("plan", words))
    return plan, render(plan_card(plan, stamp(app.ladder.top.series)), terminal_width())


async def agreed(app: App, words: list[str], ask: Ask | None) -> Agreed | None:
    """Tell the plan, and have it confirmed; `ask`: None where nobody is to be asked.

    None if it was not. CommandError as bot.fill.
    """
    # What each ticker is would take all calls of some minutes: a plan needs none of that.
    await app.refresh_rules()
    if (left := await left_behind(app, app.backfilling.wish("run", words))) is not None:
        return Agreed(left)
    try:
        plan, said = await planned(app, words)
    except BarsAway as error:
        if ask is not None:
            raise
        # Nobody is asked anything: what the job meets is what counts.
        say(f"no plan: {error}")
        return Agreed()
    say(said)
    if ask is None or not plan.to_read:
        return Agreed()
    answer = await ask(f"Read {some(len(plan.to_read), 'session')}? [y/N] ")
    return Agreed() if answer.strip().lower() in ("y", "yes") else None


def asking(stream: TextIO, *outs: TextIO) -> Ask | None:
    """By a terminal, None where nobody types or sees the question (on the first of `outs` that is
    one); whoever is cancelled meanwhile leaves no thread that waits for a line."""
    seen = next((out for out in outs if out.isatty()), None)
    if seen is None or not stream.isatty():
        return None

    async def ask(question: str) -> str:
        loop, typed = asyncio.get_running_loop(), asyncio.Event()
        seen.write(question)
        seen.flush()
        loop.add_reader(stream, typed.set)
        try:
            await typed.wait()
        finally:
            loop.remove_reader(stream)
        return await asyncio.to_thread(stream.readline)

    return ask
