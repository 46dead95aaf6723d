"""A whole day and a day on which everything fails: none of what they emit has a secret in it."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from tests import market
from tests.bot.test_heartbeat import Watch
from tests.crash.runs import ROOT
from tests.filled import DAYS, EVE, Kind
from tests.filled import until as filled_until
from tests.grid import free_port
from tests.market import ACCESS_KEY_ID, API_KEY, NOW, Vendor
from tests.servers.discord import DiscordServer
from tests.servers.faults import Status
from tests.servers.local import utc_now
from tests.servers.slack import APP_TOKEN, SlackServer
from tests.shared import Shared
from tests.shifted import ENVIRONMENT, set_clock

DISCORD_TOKEN = "MTE4.Gx8YzQ.a-discord-token-nobody-may-see"
SLACK_TOKEN = "xoxb-704-a-slack-token-nobody-may-see"
HEARTBEAT = "8a1f-a-heartbeat-nobody-may-see"
SIGNING = "51c9-a-signing-secret-nobody-may-see"
SECRETS = (API_KEY, ACCESS_KEY_ID, DISCORD_TOKEN, SLACK_TOKEN, APP_TOKEN, SIGNING, HEARTBEAT)
DISCORD_CHANNEL, SLACK_CHANNEL = 123_456_789_012_345_678, "C0123ABCD"


@dataclass(slots=True)
class Day:
    """One life of the service, and all that came out of it."""

    folder: Path
    vendor: Vendor
    discord: DiscordServer
    slack: SlackServer
    heart: Watch
    port: int
    pages: list[str] = field(default_factory=list)

    def environment(self) -> Mapping[str, str]:
        return {
            **self.vendor.environment(self.folder / "data"),
            "DISCORD_TOKEN": DISCORD_TOKEN,
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "DISCORD_ALERT_CHANNEL": str(DISCORD_CHANNEL),
            "SLACK_BOT_TOKEN": SLACK_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING,
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_ALERT_CHANNEL": SLACK_CHANNEL,
            "SLACK_OPERATORS": "U0OPERATOR",
            "OPERATOR_CHANNEL": f"slack:{SLACK_CHANNEL}",
            "HEARTBEAT_URL": f"{self.heart.url}/{HEARTBEAT}",
            "LOG_FORMAT": "json",
            "PORT": str(self.port),
            ENVIRONMENT: str(self.folder / "clock"),
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.shifted"),
                cwd=ROOT,
                env=os.environ | self.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), 20)

    def is_said(self) -> bool:
        """Both channels have it, the heartbeat was felt, and Slack can be typed in."""
        everywhere = self.discord.messages(DISCORD_CHANNEL), self.slack.messages(SLACK_CHANNEL)
        return bool(all(everywhere) and self.heart.requests and self.slack.sockets.live)

    async def look(self) -> None:
        """Everything that the port tells."""
        async with aiohttp.ClientSession() as stranger:
            for path in ("healthz", "readyz", "freshness", "metrics", "nowhere"):
                url = f"http://127.0.0.1:{self.port}/{path}"
                with suppress(aiohttp.ClientError):
                    async with stranger.get(url) as answer:
                        self.pages.append(f"{path} {answer.status} {await answer.text()}")

    def emitted(self) -> dict[str, str]:
        """Logs, pages, messages, and every file that was written."""
        found = {"pages": "\n".join(self.pages)}
        found["discord"] = str(self.discord.messages(DISCORD_CHANNEL))
        found["slack"] = str(self.slack.messages(SLACK_CHANNEL))
        for path in self.folder.rglob("*"):
            if path.is_file() and "vendor" not in path.parts:
                found[str(path.relative_to(self.folder))] = path.read_bytes().decode("latin-1")
        return found


@asynccontextmanager
async def a_day(shared: Shared, folder: Path) -> AsyncIterator[Day]:
    await asyncio.to_thread(filled_until, shared, Kind.FLAT_FILES, EVE, folder / "data")
    await asyncio.to_thread(set_clock, folder / "clock", (NOW - utc_now()).total_seconds())
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        vendor = await enter(market.vendor(folder / "vendor", DAYS, shared=shared))
        discord = await enter(DiscordServer(token=DISCORD_TOKEN))
        slack = await enter(SlackServer(token=SLACK_TOKEN))
        heart = await enter(Watch(port=0, now=utc_now, clock_shift=utc_now() - utc_now()))
        discord.add_channel(DISCORD_CHANNEL)
        slack.add_channel(SLACK_CHANNEL, name="alerts")
        yield Day(folder, vendor, discord, slack, heart, free_port())


def found_in(emitted: Mapping[str, str]) -> set[tuple[str, str]]:
    """Where a secret is, as it is or as it may be spelled elsewhere."""
    return {
        (secret, where)
        for secret in SECRETS
        for spelled in {secret, quote(secret), base64.b64encode(secret.encode()).decode()}
        for where, text in emitted.items()
        if spelled in text
    }


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.2)


@pytest.mark.timeout(120)
async def test_a_whole_day_tells_no_secret(shared: Shared, tmp_path: Path) -> None:
    async with a_day(shared, tmp_path) as day:
        async with day.running():
            await until(day.is_said)
            for line in ("/source status", "/config show all", "/channels test", "/why nothing"):
                command, _, rest = line.partition(" ")
                asked = await day.slack.command(command, rest, user_id="U0OPERATOR")
                await asked.answered(20.0)
                day.pages.append(str(asked.shown))
            await day.look()
        emitted = await asyncio.to_thread(day.emitted)
    assert "POLYGON_API_KEY" in emitted["pages"], "the settings were shown"
    assert "tapewatch_standing" in emitted["pages"]
    assert found_in(emitted) == set()
    assert found_in({"all": f"... {quote(DISCORD_TOKEN)} ..."}) != set(), "it would be seen"


@pytest.mark.timeout(120)
async def test_a_day_on_which_everything_fails_tells_no_secret(
    shared: Shared, tmp_path: Path
) -> None:
    async with a_day(shared, tmp_path) as day:
        quoting = f'{{"status":"ERROR","error":"Unknown API Key {API_KEY}"}}'.encode()
        day.vendor.rest.faults.always(Status(401, quoting, "application/json"))
        xml = (
            f"<Error><Code>AccessDenied</Code><Message>{API_KEY} {ACCESS_KEY_ID}</Message></Error>"
        )
        day.vendor.s3.faults.always(Status(403, xml.encode(), "application/xml"))
        said = f'{{"message": "401: Unauthorized {DISCORD_TOKEN}", "code": 0}}'.encode()
        day.discord.before.always(Status(401, said, "application/json"))
        slack = f'{{"ok": false, "error": "invalid_auth", "token": "{SLACK_TOKEN}"}}'.encode()
        day.slack.before.always(Status(200, slack, "application/json"))
        day.heart.before.always(Status(404, HEARTBEAT.encode()))
        async with day.running():
            wanted = ("a platform refuses us", '"discord"', '"slack"', "session not in")
            log = day.folder / "err"
            await until(lambda: all(word in log.read_text() for word in wanted))
            await day.look()
        emitted = await asyncio.to_thread(day.emitted)
    assert "wrong access key" in emitted["err"]
    assert found_in(emitted) == set()
