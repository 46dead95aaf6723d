"""The real service as a process of its own, between local platforms; and what Linux tells of it."""

import asyncio
import os
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.chat_load import DISCORD_TOKEN, SLACK_TOKEN
from tests.servers.discord import DiscordServer
from tests.servers.slack import APP_TOKEN, SlackServer

_ROOT = Path(__file__).parents[1]
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
_STOP_S = 30.0
_COMPLAINT, _NUMBER = (
    re.compile(r"(WARNING|ERROR|CRITICAL) .*|\S*(Error|Exception): .*"),
    re.compile(r"\d+"),
)
_TICKS = os.sysconf("SC_CLK_TCK")


def of_platforms(discord: DiscordServer, slack: SlackServer) -> dict[str, str]:
    """The settings that lead to them."""
    return {
        **{"DISCORD_TOKEN": DISCORD_TOKEN, "DISCORD_API_URL": discord.api_url},
        **{"DISCORD_GATEWAY_URL": discord.gateway_url, "SLACK_API_URL": slack.api_url},
        **{"SLACK_BOT_TOKEN": SLACK_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN},
    }


@dataclass(slots=True)
class Service:
    """One process; its words are in files."""

    process: asyncio.subprocess.Process
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Has it not ended?"""
        return self.process.returncode is None

    def rss_mb(self) -> float:
        """What is resident of it, in memory."""
        return _status(self.pid, "VmRSS") / 1024

    def threads(self) -> int:
        """How many it has."""
        return _status(self.pid, "Threads")

    def open_files(self) -> int:
        """Its descriptors: sockets, pipes, files."""
        with suppress(OSError):
            return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - names are enough
        return 0

    def children(self, module: str) -> dict[int, float]:
        """Its processes that run this module now, and the seconds of CPU that each has used."""
        return {pid: cpu_s for pid, (line, cpu_s) in _children(self.pid).items() if module in line}

    async def stop(self) -> tuple[int | None, float]:
        """SIGTERM: the exit code, None if it had to be killed, and how long it took."""
        began = time.monotonic()
        if self.is_alive:
            self.process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), _STOP_S)
        code = self.process.returncode
        if self.is_alive:
            self.process.kill()
            await self.process.wait()
        return code, time.monotonic() - began

    def said(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.err.read_text(errors="replace").splitlines()[-lines:])

    def complaints(self) -> Counter[str]:
        """Warnings and errors of its log, without their times, and how often each was said."""
        lines = self.err.read_text(errors="replace").splitlines()
        said = (_COMPLAINT.search(line) for line in lines)
        return Counter(_NUMBER.sub("N", found[0]) for found in said if found)


@asynccontextmanager
async def service(
    folder: Path, settings: Mapping[str, str], *command: str
) -> AsyncIterator[Service]:
    """`python -m bot run` unless another module is named; no setting of this machine has a say."""
    out, err = folder / "stdout", folder / "stderr"
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment = {**kept, "PYTHONPATH": str(_ROOT), **settings}
    with out.open("wb") as there, err.open("wb") as wrong:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *("-m", *(command or ("bot", "run"))),
            cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=there,
            stderr=wrong,
        )  # fmt: skip
    running = Service(process, out, err)
    try:
        yield running
    finally:
        await running.stop()


async def backfilled(folder: Path, settings: Mapping[str, str], first: str, last: str) -> None:
    """`python -m bot backfill`, and every session judged once, as in a service of some age.

    Whoever looks back first after a backfill pays for all of them, which would be what is measured.
    """
    for command in (("backfill", first, last), ("ask", "/preview min:4.5")):
        await ended(folder, settings, *command)


async def ended(folder: Path, settings: Mapping[str, str], *command: str) -> None:
    """`python -m bot` and a command that comes to its end."""
    async with service(folder, settings, "bot", *command) as running:
        async with asyncio.timeout(900):
            code = await running.process.wait()
        assert code == 0, f"{command[0]} ended with {code}:\n{running.said()}"


async def connected(
    discord: DiscordServer, slack: SlackServer, running: Service, within_s: float = 90
) -> None:
    """Both platforms reach it, and its commands are registered."""
    deadline = time.monotonic() + within_s
    while not (discord.gateway.is_connected and discord.commands.syncs and slack.sockets.live):
        assert running.is_alive, f"the service has ended:\n{running.said()}"
        assert time.monotonic() < deadline, f"not connected in time:\n{running.said()}"
        await asyncio.sleep(0.05)


def _status(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return 0


def _children(parent: int) -> dict[int, tuple[str, float]]:
    """Command line and seconds of CPU, by number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError):
                # pid (name) state ppid ...; a name may have blanks and brackets in it.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(folder.name)] = line, (int(fields[11]) + int(fields[12])) / _TICKS
    return found
