"""A quarter of 63 sessions through the real service, with a day of its own for each session.

Once in peace and once with everything that goes wrong: late files, 403s, holds, revisions, kills,
platforms that are away, the end of summer time, half days. Afterwards each session must have been
said exactly once on each route, and with the numbers of the peaceful run.

python -m bench quarter [SEED] [SESSIONS], or python -m bench.quarter [SEED] [SESSIONS]
"""

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, mean
from typing import Any

from bench.data import Data
from bench.harness import Goal
from bench.quarter_days import SESSIONS, Fate, Session, fourfold, louder, quarter
from bench.quarter_world import World, morning, world
from tests.servers.faults import Reset, Status

SEED = 1
_AWAY_S, _FLAT_SHARE = 2.0, 0.06
_ALARMS = ("Traceback", " ERROR ", " CRITICAL ")


def main() -> None:
    """With the seed that is asked for."""
    for goal in measured(*(int(word) for word in sys.argv[1:])):
        print(goal)


def run(_: Data, *asked: float) -> list[Goal]:
    """On the built-in market."""
    return measured(*(int(number) for number in asked))


@dataclass(frozen=True, slots=True)
class Told:
    """What one run left behind."""

    digests: Mapping[str, Mapping[str, list[list[str]]]]
    anomalies: Mapping[str, list[tuple[Any, ...]]]
    rss_mb: Sequence[float]
    lives: int
    alarms: Sequence[str]
    seconds: float


def measured(seed: int = SEED, sessions: int = SESSIONS) -> list[Goal]:
    """Both runs, one after the other."""
    days = quarter(seed, sessions)
    with tempfile.TemporaryDirectory(prefix="tapewatch-quarter-") as name:
        calm = asyncio.run(_lived(Path(name) / "calm", days, peaceful=True))
        rough = asyncio.run(_lived(Path(name) / "rough", days, peaceful=False))
    fates = Counter(session.fate for session in days)
    print("\n  " + "\n  ".join(f"{count:2} x {fate}" for fate, count in fates.items()))
    for told, name in ((calm, "in peace"), (rough, "with faults")):
        print(
            f"  {name}: {told.lives} lives of the service, {told.seconds:.0f} s, resident"
            f" {min(told.rss_mb):.0f} to {max(told.rss_mb):.0f} MB"
        )
    for line in rough.alarms[:10]:
        print(f"  ALARM {line[:300]}")
    return [*_said(days, calm, rough), *_flat(calm, rough)]


async def _lived(folder: Path, days: Sequence[Session], *, peaceful: bool) -> Told:
    await asyncio.to_thread(folder.mkdir)
    began = time.monotonic()
    async with world(folder, days[0].day) as here:
        await here.start()
        for session in days:
            await (_PEACE if peaceful else _DAYS)[session.fate](here, session)
            print("." if peaceful else ":", end="", file=sys.stderr, flush=True)
        return await asyncio.to_thread(_told, here, days, time.monotonic() - began)


def _told(here: World, days: Sequence[Session], seconds: float) -> Told:
    alarms = [line for line in here.log().splitlines() if any(a in line for a in _ALARMS)]
    return Told(
        {str(s.day): here.digests(s.day) for s in days},
        {str(s.day): here.anomalies(s.day) for s in days},
        tuple(here.rss_mb),
        here.lives,
        alarms,
        seconds,
    )


def _said(days: Sequence[Session], calm: Told, rough: Told) -> list[Goal]:
    names = [str(session.day) for session in days]
    often = [
        f"{name} ({fate.day} {fate.fate}): {len(texts)}"
        for name, fate in zip(names, days, strict=True)
        for texts in rough.digests[name].values()
        if len(texts) != 1
    ]
    other = [n for n in names if rough.anomalies[n] != calm.anomalies[n]]
    worded = [n for n in names if rough.digests[n] != calm.digests[n]]
    lines = sum(len(texts[0]) for n in names for texts in calm.digests[n].values() if texts)
    return [
        Goal("each session is said once on each route", not often,
             f"{len(names)} sessions, {len(rough.digests[names[0]])} routes; not so: {often[:5]}"),
        Goal("the names and numbers on record are those of the peaceful run", not other,
             f"{sum(map(len, calm.anomalies.values()))} anomalies; not so: {other[:5]}"),
        Goal("and so are the lines that the channels have", not worded and lines > 0,
             f"{lines} lines; not so: {worded[:5]}"),
        Goal("no unhandled exception, no error in any log", not (calm.alarms or rough.alarms),
             f"{len(calm.alarms)} in peace, {len(rough.alarms)} with faults"),
    ]  # fmt: skip


def _flat(calm: Told, rough: Told) -> list[Goal]:
    """By the second half of the run in which one process lived all the time."""
    half = list(enumerate(calm.rss_mb))[len(calm.rss_mb) // 2 :]
    slope = linear_regression(*zip(*half, strict=True))[0] if len(half) > 1 else 0.0
    level = mean(mb for _, mb in half)
    over = slope * len(half) / level
    return [
        Goal(f"memory is flat: {_FLAT_SHARE:.0%} in half a quarter at most", over < _FLAT_SHARE,
             f"{over:+.1%} at {level:.0f} MB; with faults at most {max(rough.rss_mb):.0f} MB"),
    ]  # fmt: skip


async def _plain(here: World, session: Session) -> None:
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day))
    await here.said(session.day)


async def _late(here: World, session: Session) -> None:
    await here.at(morning(session.day))
    await here.at(morning(session.day, 13))
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day, 15, 40))
    await here.said(session.day)


async def _next_day(here: World, session: Session) -> None:
    for hour, minute in ((11, 0), (19, 50), (20, 10)):
        await here.at(morning(session.day, hour, minute))
        await asyncio.sleep(0.5)
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day, later_days=1))
    await here.said(session.day)


async def _files_refused(here: World, session: Session) -> None:
    here.vendor.s3.entitled = lambda key: False
    await _plain(here, session)
    here.vendor.s3.entitled = lambda key: True


async def _all_refused(here: World, session: Session) -> None:
    await asyncio.to_thread(here.publish, session.day)
    here.vendor.s3.entitled, here.vendor.rest.refuses = (lambda key: False), ("grouped",)
    await here.at(morning(session.day))
    await asyncio.sleep(1.0)
    here.vendor.s3.entitled, here.vendor.rest.refuses = (lambda key: True), ()
    await here.at(morning(session.day, 14, 10))
    await here.said(session.day)


async def _held(here: World, session: Session) -> None:
    await asyncio.to_thread(here.publish, session.day, fourfold)
    await here.at(morning(session.day))

    def is_held(db: Any) -> bool:
        asked = "SELECT status FROM sessions WHERE session = ?"
        return bool(db.execute(asked, (str(session.day),)).fetchone() == ("held",))

    await here.until(is_held, f"{session.day} is held")
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day, 16, 10))
    await here.said(session.day)


async def _revised(here: World, session: Session) -> None:
    await _plain(here, session)
    await asyncio.to_thread(here.publish, session.day, louder)
    await here.at(morning(session.day, 17))
    await here.said(session.day, revision=2)


async def _louder_at_once(here: World, session: Session) -> None:
    await asyncio.to_thread(here.publish, session.day, louder)
    await here.at(morning(session.day))
    await here.said(session.day)


async def _killed(here: World, session: Session) -> None:
    running = here.running
    assert running is not None

    def kill(operation: str) -> None:
        if operation in ("messages.create", "chat.postMessage") and running.is_alive:
            here.discord.on_accept = here.slack.on_accept = None
            running.process.send_signal(signal.SIGKILL)

    server = here.discord if session.day.date.day % 2 else here.slack
    server.on_accept = kill
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day))
    await here.gone()
    await here.start()
    await here.said(session.day)


async def _ended(here: World, session: Session) -> None:
    assert here.running is not None
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day))
    await asyncio.sleep(0.15)
    here.running.process.send_signal(signal.SIGTERM)
    await here.gone()
    assert here.running.process.returncode == 0, here.running.said()
    await here.start()
    await here.at(morning(session.day, 12))
    await here.said(session.day)


async def _discord_away(here: World, session: Session) -> None:
    here.discord.before.always(Status(503, b"{}", "application/json"))
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day))
    await asyncio.sleep(_AWAY_S)
    here.discord.before.clear()
    await here.said(session.day)


async def _slack_away(here: World, session: Session) -> None:
    here.slack.before.always(Reset())
    await asyncio.to_thread(here.publish, session.day)
    await here.at(morning(session.day))
    await asyncio.sleep(_AWAY_S)
    here.slack.before.clear()
    await here.said(session.day)


Day = Callable[[World, Session], Awaitable[None]]
_DAYS: Mapping[Fate, Day] = {
    Fate.PLAIN: _plain,
    Fate.LATE: _late,
    Fate.NEXT_DAY: _next_day,
    Fate.FILES_REFUSED: _files_refused,
    Fate.ALL_REFUSED: _all_refused,
    Fate.HELD: _held,
    Fate.REVISED: _revised,
    Fate.KILLED: _killed,
    Fate.ENDED: _ended,
    Fate.DISCORD_AWAY: _discord_away,
    Fate.SLACK_AWAY: _slack_away,
}
_PEACE: Mapping[Fate, Day] = {
    fate: _louder_at_once if fate is Fate.REVISED else _plain for fate in Fate
}


if __name__ == "__main__":
    main()
