"""The servers of a simulated quarter, the one service between them, and its clock."""

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from bench.chat_load import DISCORD_TOKEN, SLACK_TOKEN
from bench.chat_process import Service, connected, ended, of_platforms, service
from core.calendar import NEW_YORK, TradingDay, sessions_ending
from core.sources.day_aggs import key
from tests import market
from tests.market import Vendor
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.shifted import ENVIRONMENT, set_clock

HISTORY = 81
DISCORD_CHANNELS = (800_000_000_000_000_001, 800_000_000_000_000_002)
SLACK_CHANNELS = ("C0QUARTER1", "C0QUARTER2")
OPERATORS = "C0OPERATE"
_PATIENCE_S, _MOVE_AFTER_S, _LOOK_S = 90.0, 2.0, 0.05
_STEP = timedelta(minutes=15)
_LONG_AGO = timedelta(days=-36_500)
_LINE = re.compile(r"^\W*\d+\. ")
_WAITING = "SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending', 'ambiguous')"
_SAID = (
    "SELECT count(*) FROM deliveries WHERE session = ? AND kind = 'digest' AND state = 'sent'"
    " AND destination NOT LIKE 'console%'"
)


@dataclass(slots=True)
class World:
    """Everything of one run."""

    folder: Path
    vendor: Vendor
    discord: DiscordServer
    slack: SlackServer
    stack: AsyncExitStack
    running: Service | None = None
    lives: int = 0
    shift: timedelta = _LONG_AGO
    rss_mb: list[float] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """DATA_DIR."""
        return self.folder / "data"

    @property
    def _clock(self) -> Path:
        return self.folder / "clock"

    def now(self) -> datetime:
        """By the clock that is set."""
        return datetime.now(UTC) + self.shift

    async def at(self, moment: datetime) -> None:
        """It is this late now, at least; the service looks what is due."""
        self.shift = max(moment - datetime.now(UTC), self.shift + timedelta(seconds=1))
        # The platforms live in the same time; signatures go by the machine's on both sides.
        self.discord.clock_shift = self.slack.clock_shift = self.shift
        self.vendor.s3.today = self.vendor.rest.today = self.now().astimezone(NEW_YORK).date()
        await asyncio.to_thread(set_clock, self._clock, self.shift.total_seconds())

    async def start(self) -> None:
        """Another life of the service."""
        self.lives += 1
        place = self.folder / f"life-{self.lives:02}"
        await asyncio.to_thread(place.mkdir)
        settings = self._settings()
        running = service(place, settings, "tests.shifted")
        self.running = await self.stack.enter_async_context(running)
        await connected(self.discord, self.slack, self.running)

    async def gone(self) -> None:
        """Until the service has ended, killed or told to."""
        assert self.running is not None
        await self.running.process.wait()
        while self.discord.gateway.is_connected or self.slack.sockets.live:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    async def until(self, holds: Callable[[sqlite3.Connection], bool], what: str) -> None:
        """The clock goes on by itself: whoever waits for a next try waits no longer than real."""
        began = moved = time.monotonic()
        while not await asyncio.to_thread(self._asked, holds):
            assert self.running is not None
            assert self.running.is_alive, f"{what}: the service has ended:\n{self.running.said()}"
            assert time.monotonic() - began < _PATIENCE_S, f"{what}:\n{self.running.said()}"
            if time.monotonic() - moved > _MOVE_AFTER_S:
                moved = time.monotonic()
                await self.at(self.now() + _STEP)
            await asyncio.sleep(_LOOK_S)

    async def said(self, day: TradingDay, revision: int = 1) -> None:
        """Until every channel has the session, and nothing waits."""

        def all_have(db: sqlite3.Connection) -> bool:
            row = db.execute(
                "SELECT status, announced, revision FROM sessions WHERE session = ?", (str(day),)
            ).fetchone()
            channels = len(DISCORD_CHANNELS) + len(SLACK_CHANNELS)
            said = db.execute(_SAID, (str(day),)).fetchone()
            waiting = db.execute(_WAITING).fetchone()
            now = (row, said, waiting)
            return now == (("finished", 1, revision), (channels,), (0,))

        await self.until(all_have, f"{day} is said")
        if self.running is not None:
            self.rss_mb.append(self.running.rss_mb())

    def publish(self, day: TradingDay, changed: Callable[[bytes], bytes] | None = None) -> None:
        """Its file is at the vendor's."""
        made = market.day_file(day)
        path = self.folder / "vendor" / key("day_aggs_v1", day.date)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".new")
        whole.write_bytes(made if changed is None else changed(made))
        whole.rename(path)

    def digests(self, day: TradingDay) -> dict[str, list[list[str]]]:
        """By channel: the numbered lines of each message that is a digest of the session."""
        on = f"{day.date:%a} {day.date.day} {day.date:%b %Y}"
        # A quiet day is one line.
        title = re.compile(rf"anomalies · {on} · |^{on}: no")
        found = {}
        for channel in DISCORD_CHANNELS:
            texts = [[m.content, m.embeds] for m in self.discord.messages(channel)]
            found[f"discord {channel}"] = _lines(texts, title)
        for name in SLACK_CHANNELS:
            posted = self.slack.messages(name)
            top = [m for m in posted if m.thread_ts in (None, m.ts)]
            found[f"slack {name}"] = _lines([[m.text, m.blocks] for m in top], title)
        return found

    def anomalies(self, day: TradingDay) -> list[tuple[Any, ...]]:
        """What stands of the session: everything but when and by whom."""
        with closing(sqlite3.connect(self.data / "state.db")) as db:
            return db.execute(
                "SELECT line, ticker, label, round(ratio, 9), round(z, 9) FROM anomalies WHERE"
                " session = ?1 AND revision = (SELECT max(revision) FROM anomalies"
                " WHERE session = ?1) ORDER BY rank",
                (str(day),),
            ).fetchall()

    def log(self) -> str:
        """Of all lives."""
        paths = sorted(self.folder.glob("life-*/stderr"))
        return "\n".join(path.read_text(errors="replace") for path in paths)

    def _asked(self, holds: Callable[[sqlite3.Connection], bool]) -> bool:
        path = self.data / "state.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
            return holds(db)

    def _settings(self) -> dict[str, str]:
        return {
            **self.vendor.environment(self.data),
            **of_platforms(self.discord, self.slack),
            "DISCORD_ALERT_CHANNEL": ",".join(map(str, DISCORD_CHANNELS)),
            "SLACK_ALERT_CHANNEL": ",".join(SLACK_CHANNELS),
            "OPERATOR_CHANNEL": f"slack:{OPERATORS}",
            ENVIRONMENT: str(self._clock),
        }


def morning(day: TradingDay, hour: int = 11, minute: int = 0, later_days: int = 0) -> datetime:
    """A time of the day after a session, New York: at 11:00 it is asked for."""
    on = day.date + timedelta(days=1 + later_days)
    return datetime.combine(on, clock_time(hour, minute, 10), NEW_YORK)


@asynccontextmanager
async def world(folder: Path, first: TradingDay) -> AsyncIterator[World]:
    """All servers, the history before the quarter, and no service yet."""
    before = sessions_ending(first, HISTORY + 1)[:-1]
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(
            market.vendor(folder / "vendor", before, morning(before[-1]))
        )
        history = vendor.environment(folder / "data")
        await ended(folder, history, "backfill", str(before[0]), str(before[-1]))
        discord = await stack.enter_async_context(DiscordServer(token=DISCORD_TOKEN))
        slack = await stack.enter_async_context(SlackServer(token=SLACK_TOKEN))
        for channel in DISCORD_CHANNELS:
            discord.add_channel(channel)
        for name in (*SLACK_CHANNELS, OPERATORS):
            slack.add_channel(name, name=name.lower())
        here = World(folder, vendor, discord, slack, stack)
        await here.at(morning(before[-1]))
        yield here


def _lines(messages: Sequence[Any], title: re.Pattern[str]) -> list[list[str]]:
    found = []
    for message in messages:
        texts = list(_texts(message))
        if any(title.search(text) for text in texts) and not any(
            "Correction" in t or "· details" in t for t in texts
        ):
            lines = [line for text in texts for line in text.splitlines()]
            found.append([line for line in lines if _LINE.match(line)])
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
