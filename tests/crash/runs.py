"""Seeded runs: two revisions of a session, deaths and faults on the way, and what must be true."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.crash.child import Job
from tests.servers.discord import DiscordServer
from tests.servers.discord import too_many as discord_too_many
from tests.servers.discord_store import StoredMessage as DiscordMessage
from tests.servers.faults import Delay, Fault, Hang, Reset, Status, html
from tests.servers.slack import SlackServer
from tests.servers.slack import too_many as slack_too_many
from tests.servers.slack_store import StoredMessage as SlackMessage

ROOT = Path(__file__).parent.parent.parent
DISCORD_TOKEN, SLACK_TOKEN = "discord-token-of-a-test", "xoxb-slack-token-of-a-test"
NAMES = (("STAY", "GONE"), ("STAY", "CAME"))
"""Of revision 1 and 2."""

WRITES = {
    "discord": ("messages.create", "messages.edit", "threads.create"),
    "slack": ("chat.postMessage", "chat.update", "files.completeUploadExternal"),
}
DEATHS = ("before commit", "after commit", "on request", "on accept", "at random")
MOST_STARTS = 12
_LATE_S, _SOON_S = 0.4, 0.05


@dataclass(frozen=True, slots=True)
class Death:
    """When a process is killed."""

    how: str
    platform: str = ""
    operation: str = ""
    nth: int = 1
    lost: bool = False
    """On request: is the request lost with its sender?"""
    after_s: float = 0.0


@dataclass(slots=True)
class Run:
    """One seed's story."""

    seed: int
    plan: list[str] = field(default_factory=list)
    starts: int = 0
    deaths: list[str] = field(default_factory=list)
    """How each process died that was killed."""
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Crashes:
    """Both servers, and the process that forks the ones to be killed."""

    discord: DiscordServer
    slack: SlackServer
    forge: asyncio.subprocess.Process
    folder: Path
    right: dict[str, str] = field(default_factory=dict)
    late_until: float = 0.0
    """By then, in the loop's time, a request that is carried out late has been."""

    async def run(self, seed: int) -> Run:
        """Two revisions of a session to four channels, whatever happens on the way."""
        told, rng = Run(seed), random.Random(seed)
        discord_ids = [200_000_000_000_000_000 + 10 * seed + n for n in (1, 2)]
        slack_ids = [f"C{10 * seed + n:08d}" for n in (1, 2)]
        for number in discord_ids:
            self.discord.add_channel(number)
        for channel in slack_ids:
            self.slack.add_channel(channel, name=f"alerts-{channel.lower()}")
        channels = [f"discord:{c}" for c in discord_ids] + [f"slack:{c}" for c in slack_ids]
        folder = self.folder / str(seed)
        for revision in (1, 2):
            await self._phase(told, rng, folder, channels, revision, give_up=revision == 1)
        told.problems += self._wrong(discord_ids, slack_ids)
        await asyncio.to_thread(shutil.rmtree, folder)
        return told

    async def _phase(
        self,
        told: Run,
        rng: random.Random,
        folder: Path,
        channels: Sequence[str],
        revision: int,
        *,
        give_up: bool,
    ) -> None:
        """Start until all is delivered; at times a later revision comes before that."""
        for attempt in range(MOST_STARTS):
            last = attempt >= MOST_STARTS - 3
            death = None if last else _death(rng)
            late = self._faults(told, rng, quiet=last)
            job = self._job(folder, channels, revision)
            told.starts += 1
            ended = await self._start(job, death, told)
            if death is not None and ended == -signal.SIGKILL:
                told.deaths.append(f"{death.how} {death.operation}".strip())
            if late:
                self.late_until = asyncio.get_running_loop().time() + _LATE_S
            await self._time_passes(rng, long=last)
            if ended == 0 or (give_up and attempt and rng.random() < 0.3):
                return
        told.problems.append(f"revision {revision} was not delivered in {MOST_STARTS} starts")

    def _job(self, folder: Path, channels: Sequence[str], revision: int) -> Job:
        return Job(
            folder=str(folder),
            discord_url=self.discord.api_url,
            discord_token=DISCORD_TOKEN,
            slack_url=self.slack.api_url,
            slack_token=SLACK_TOKEN,
            channels=tuple(channels),
            revision=revision,
            names=NAMES[revision - 1],
            started=self.discord.now().isoformat(),
        )

    async def _start(self, job: Job, death: Death | None, told: Run) -> int:
        told.plan.append(f"r{job.revision} {death}" if death else f"r{job.revision}")
        if death and death.how == "before commit":
            job = replace(job, dies_before_commit=death.nth)
        if death and death.how == "after commit":
            job = replace(job, dies_after_commit=death.nth)
        assert self.forge.stdin is not None
        self.forge.stdin.write(job.line().encode() + b"\n")
        pid = int((await self._answer()).split()[1])
        self._arm(death, pid)
        clock: asyncio.TimerHandle | None = None
        if death and death.how == "at random":
            clock = asyncio.get_running_loop().call_later(death.after_s, _kill, pid)
        ended = int((await self._answer()).split()[1])
        if clock is not None:
            clock.cancel()
        self._arm(None, pid)
        return ended

    async def _answer(self) -> str:
        assert self.forge.stdout is not None
        line = await asyncio.wait_for(self.forge.stdout.readline(), 30)
        if not line:
            raise RuntimeError("the process that forks is gone")
        return line.decode()

    def _arm(self, death: Death | None, pid: int) -> None:
        for name, server in (("discord", self.discord), ("slack", self.slack)):
            mine = death if death and death.platform == name else None
            hook = _Hook(mine, pid) if mine else None
            server.on_request = hook if mine and mine.how == "on request" else None
            server.on_accept = hook if mine and mine.how == "on accept" else None
            if mine and mine.lost:
                server.before.add(Reset(), on=mine.operation)

    def _faults(self, told: Run, rng: random.Random, *, quiet: bool) -> bool:
        """What goes wrong at the next start; is a request to be carried out late?"""
        late = False
        for name, server in (("discord", self.discord), ("slack", self.slack)):
            server.faults.clear()
            server.before.clear()
            if quiet or rng.random() > 0.3:
                continue
            operation = rng.choice(WRITES[name])
            fault, before = _fault(rng, name)
            told.plan.append(f"{name} {operation}: {type(fault).__name__}")
            (server.before if before else server.faults).add(
                fault, on=operation, times=rng.choice((1, 1, 3))
            )
            late |= isinstance(fault, Delay)
        return late

    async def _time_passes(self, rng: random.Random, *, long: bool) -> None:
        """Until the next start: seconds, or longer than Discord remembers a nonce."""
        # After many tries the pauses are long.
        away = timedelta(seconds=3600 if long else rng.choice((1, 20, 45, 130, 300, 600)))
        if away.total_seconds() > 1:
            # No request takes so long to be carried out.
            late_s = self.late_until - asyncio.get_running_loop().time()
            await asyncio.sleep(max(late_s, _SOON_S))
        self.discord.clock_shift += away
        self.slack.clock_shift += away

    def _wrong(self, discord_ids: Sequence[int], slack_ids: Sequence[str]) -> list[str]:
        """What is not as it must be: one digest a channel, edited to the newest, one correction."""
        said = []
        for number in discord_ids:
            said += _verdict(f"discord:{number}", self._on_discord(number), self.right["discord"])
        for channel in slack_ids:
            said += _verdict(f"slack:{channel}", self._on_slack(channel), self.right["slack"])
        return said

    def _on_discord(self, channel: int) -> "Seen":
        posts = [m for m in self.discord.messages(channel) if not m.deleted]
        threads = [post.id for post in posts if post.thread]
        inside = [m for t in threads for m in self.discord.messages(t) if not m.deleted]
        return Seen(
            [_on_discord_in_words(m) for m in posts],
            [_on_discord_in_words(m) for m in inside],
            [str(said) for post in posts for said in (*post.edits, post.content)],
        )

    def _on_slack(self, channel: str) -> "Seen":
        every = [m for m in self.slack.messages(channel) if not m.deleted]
        posts = [m for m in every if m.thread_ts in (None, m.ts)]
        inside = [m for m in every if m.thread_ts not in (None, m.ts)]
        return Seen(
            [_on_slack_in_words(m) for m in posts],
            [_on_slack_in_words(m) for m in inside],
            [str(said) for post in posts for said in (*post.edits, post.text)],
        )

    async def undisturbed(self) -> None:
        """How the newest digest reads where nothing happens: all others must read the same."""
        self.discord.add_channel(1)
        self.slack.add_channel("C0000000", name="quiet")
        job = self._job(self.folder / "undisturbed", ("discord:1", "slack:C0000000"), 2)
        assert await self._start(job, None, Run(-1)) == 0
        (post,) = self.discord.messages(1)
        text, *_ = self.slack.messages("C0000000")
        self.right = {
            "discord": _on_discord_in_words(post),
            "slack": _on_slack_in_words(text),
        }


@dataclass(slots=True)
class _Hook:
    """Kills at the n-th operation of a kind."""

    death: Death
    pid: int
    seen: int = 0

    def __call__(self, operation: str) -> None:
        if operation == self.death.operation:
            self.seen += 1
            if self.seen == self.death.nth:
                _kill(self.pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was faster
        os.kill(pid, signal.SIGKILL)


def _death(rng: random.Random) -> Death | None:
    how = rng.choice((*DEATHS, None))
    if how is None:
        return None
    if how.endswith("commit"):
        return Death(how, nth=rng.randint(1, 16))
    if how == "at random":
        return Death(how, after_s=rng.uniform(0.0, 0.6))
    platform = rng.choice(("discord", "slack"))
    lost = how == "on request" and rng.random() < 0.7
    return Death(how, platform, rng.choice(WRITES[platform]), rng.choice((1, 1, 2)), lost)


def _fault(rng: random.Random, platform: str) -> tuple[Fault, bool]:
    """A fault, and whether it comes instead of the request or after it was accepted."""
    too_many = discord_too_many(0.2) if platform == "discord" else slack_too_many(1)
    return rng.choice(
        (
            (Reset(), False),
            (Reset(), True),
            (html(502), False),
            (html(503), True),
            (Status(500), False),
            (Hang(seconds=3), False),
            (Delay(_LATE_S), True),  # carried out when its sender may be dead
            (too_many, True),
        )
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What one channel shows."""

    digests: list[str]
    thread: list[str]
    versions: list[str]
    """What its messages said, the oldest version first."""


def _verdict(channel: str, seen: Seen, right: str) -> list[str]:
    if len(seen.digests) != 1:
        return [f"{channel}: {len(seen.digests)} messages"]
    said = []
    if seen.digests[0] != right:
        said.append(f"{channel}: the digest does not read as it should: {seen.digests[0][:200]}")
    corrections = [text for text in seen.thread if "leaves" in text]
    charts = [text for text in seen.thread if "charts of" in text]
    if len(corrections) != int("GONE" in seen.versions[0]):
        said.append(f"{channel}: {len(corrections)} corrections, first: {seen.versions[0][:80]}")
    if len(charts) != 1:
        said.append(f"{channel}: {len(charts)} messages with charts")
    if len(seen.thread) != len(corrections) + len(charts):
        said.append(f"{channel}: {len(seen.thread)} messages in the thread")
    return said


# A picture that was not taken twice is left out: words are compared, wherever they stand.


def _on_discord_in_words(message: DiscordMessage) -> str:
    embeds = [(e.get("title"), e.get("description"), e.get("footer")) for e in message.embeds]
    said = (str(part) for embed in embeds for part in embed if part)
    return " ".join(f"{message.content} {' '.join(said)}".split())


def _on_slack_in_words(message: SlackMessage) -> str:
    return f"{message.text} {[block for block in message.blocks if block['type'] != 'image']}"


@asynccontextmanager
async def crashes() -> AsyncIterator[Crashes]:
    """Everything up; nothing is left when the block ends."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        free = {"channel_limit": None, "global_limit": None}
        discord = await stack.enter_async_context(
            DiscordServer(token=DISCORD_TOKEN, now=_utc_now, **free)  # type: ignore[arg-type]
        )
        discord.nonce_window = timedelta(minutes=2)
        slack = await stack.enter_async_context(
            SlackServer(token=SLACK_TOKEN, now=_utc_now, channel_limit=None, workspace_limit=None)
        )
        forge = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "tests.crash.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        try:
            running = Crashes(discord, slack, forge, folder)
            await running.undisturbed()
            yield running
        finally:
            assert forge.stdin is not None
            forge.stdin.close()
            await forge.wait()


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def main(seeds: Sequence[int], tell: Callable[[Run], None]) -> list[Run]:
    """Run the seeds, two at a time."""
    told: list[Run] = []

    async def some(own: Sequence[int]) -> None:
        async with crashes() as running:
            for seed in own:
                told.append(await running.run(seed))
                tell(told[-1])

    await asyncio.gather(some(seeds[::2]), some(seeds[1::2]))
    return told
