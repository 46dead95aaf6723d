"""The process that is killed: it publishes a session, delivers it with the real senders, and ends.

`python -m tests.crash.child` reads one job a line and forks a process for each, so that two hundred
of them need not load the libraries two hundred times. What is killed is the fork.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.deliver import Courier, Sender
from alerts.model import ChartOf, Destination, Picture
from alerts.publish import Outbox
from bot.platforms import discord, slack
from bot.platforms.pacing import Pacing
from core.db import Connection, Db
from tests.records import anomaly, judged

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f0005000201a0f8c4f80000000049454e44ae426082"
)
SPEED = 20.0
"""The process's clock runs so much faster than the machine's: pauses between tries are short."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one process is to do, and where it dies by its own hand."""

    folder: str
    discord_url: str
    discord_token: str
    slack_url: str
    slack_token: str
    channels: tuple[str, ...]
    revision: int
    names: tuple[str, ...]
    started: str
    """The time by which it starts, ISO."""
    dies_before_commit: int = 0
    """Before the so-manieth COMMIT since its start; 0: never."""
    dies_after_commit: int = 0
    patience_s: float = 6.0

    def line(self) -> str:
        """As it is written to the process that forks."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> "Job":
        """The other way round."""
        values = json.loads(line)
        for name in ("channels", "names"):
            values[name] = tuple(values[name])
        return cls(**values)


class Mortal(Db):
    """The database, and a death before or after one of its commits."""

    job: Job
    commits = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Counts; SIGKILL leaves no time for anything."""
        async with super().transaction() as writer:
            yield writer
            self.commits += 1
            if self.commits == self.job.dies_before_commit:
                os.kill(os.getpid(), signal.SIGKILL)
        if self.commits == self.job.dies_after_commit:
            os.kill(os.getpid(), signal.SIGKILL)


async def draw(of: ChartOf) -> Picture:
    """Any picture will do."""
    return Picture(PNG, f"chart of {of.ticker}")


def clock(started: datetime) -> Callable[[], datetime]:
    """Runs SPEED times as fast as the machine's."""
    begun = asyncio.get_running_loop().time()
    now = asyncio.get_running_loop().time
    return lambda: started + timedelta(seconds=(now() - begun) * SPEED)


async def work(job: Job) -> int:
    """Publish, deliver until nothing is left to do; 0 if nothing is."""
    now = clock(datetime.fromisoformat(job.started))
    deadline = asyncio.get_running_loop().time() + job.patience_s
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(Mortal.open(Path(job.folder) / "state.db"))
        db.job = job
        channels = [Destination.parse(channel) for channel in job.channels]
        async with db.transaction() as writer:
            found = judged(*(anomaly(name) for name in job.names), revision=job.revision)
            await Outbox(channels, 10)(writer, found, datetime.now(UTC))
        senders: dict[str, Sender] = {
            "discord": await stack.enter_async_context(
                discord.connected(job.discord_token, job.discord_url, now=now, answer_within_s=1.0)
            ),
            "slack": await stack.enter_async_context(
                slack.connected(
                    job.slack_token, job.slack_url, now=now, answer_within_s=1.0, pacing=Pacing(8),
                    poll_every_s=0.01,
                )
            ),
        }  # fmt: skip
        courier = Courier(db, senders, now, draw)
        running = asyncio.create_task(courier.run())
        try:
            while await _left(db):
                if asyncio.get_running_loop().time() > deadline or running.done():
                    return 1
                await asyncio.sleep(0.02)
        finally:
            running.cancel()
    return 0


async def _left(db: Db) -> bool:
    """Is anything on its way, or waiting to be?"""
    row = await db.row(
        "SELECT 1 FROM deliveries WHERE state = 'sending' OR next_try_at IS NOT NULL"
        " AND state IN ('pending', 'ambiguous') LIMIT 1"
    )
    return row is not None


def serve() -> None:
    """One fork a line; answers with its number, then with how it ended."""
    logging.getLogger().addHandler(logging.NullHandler())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(asyncio.run(work(Job.read(line))))
        _say(f"started {child}")
        _, status = os.waitpid(child, 0)
        _say(f"ended {os.waitstatus_to_exitcode(status)}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
