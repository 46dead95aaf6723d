"""A whole day, one on which everything fails, and one whose vendor quotes the keys: none of what
they emit has a secret in it."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
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
LATE = NOW + timedelta(hours=10)
"""After the deadline of the session that is not in."""
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
    by_http: bool = False
    """Slack posts to the bot, and so the signing secret is used."""

    def environment(self) -> Mapping[str, str]:
        socket = {} if self.by_http else {"SLACK_APP_TOKEN": APP_TOKEN}
        return socket | {
            **self.vendor.environment(self.folder / "data"),
            "DISCORD_TOKEN_FILE": str(self.folder / "vendor" / "discord-token"),
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "DISCORD_ALERT_CHANNEL": str(DISCORD_CHANNEL),
            "SLACK_BOT_TOKEN": SLACK_TOKEN,
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

    async def ask_slack(self, line: str) -> str:
        """What an operator is shown; the address to answer at, which is worth as much as a key."""
        command, _, rest = line.partition(" ")
        asked = await self.slack.command(command, rest, user_id="U0OPERATOR")
        await asked.answered(20.0)
        self.pages.append(str(asked.shown))
        return asked.response_url

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
        # Beside the vendor's, which are no files of ours to look into.
        await asyncio.to_thread((folder / "vendor" / "discord-token").write_text, DISCORD_TOKEN)
        yield Day(folder, vendor, discord, slack, heart, free_port())


def found_in(emitted: Mapping[str, str], of_now: Iterable[str] = ()) -> set[tuple[str, str]]:
    """Where a secret is, as it is or as it may be spelled elsewhere; `of_now`: given out today."""
    return {
        (secret, where)
        for secret in (*SECRETS, *of_now)
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
            lines = ("/source status", "/config show all", "/channels test", "/why nothing")
            of_now = [await day.ask_slack(line) for line in lines]
            await day.discord.gateway.connected(60.0)
            typed = await day.discord.interact_command("help", {})
            await typed.answered(20.0)
            of_now += [typed.token, *day.slack.sockets.tickets]
            await day.look()
        emitted = await asyncio.to_thread(day.emitted)
    assert "POLYGON_API_KEY" in emitted["pages"], "the settings were shown"
    assert "tapewatch_standing" in emitted["pages"]
    assert len(of_now) > len(lines) + 1
    assert all(of_now)
    assert found_in(emitted, of_now) == set()
    assert found_in({"all": f"... {quote(DISCORD_TOKEN)} ..."}) != set(), "it would be seen"


def quote_keys(vendor: Vendor) -> None:
    """Every answer is a refusal of another kind, and has the keys in it."""
    for status in (500, 403, 401):
        said = f'{{"status":"ERROR","error":"Unknown API Key {API_KEY}"}}'.encode()
        vendor.rest.faults.add(Status(status, said, "application/json"))
        text = f"<Message>{API_KEY} {ACCESS_KEY_ID}</Message>"
        xml = f"<Error><Code>AccessDenied {API_KEY}</Code>{text}</Error>".encode()
        vendor.s3.faults.add(Status(status, xml, "application/xml"))
    vendor.rest.faults.always(Status(401, said, "application/json"))
    vendor.s3.faults.always(Status(403, xml, "application/xml"))


@pytest.mark.timeout(120)
async def test_a_vendor_that_quotes_the_keys_tells_them_to_nobody(
    shared: Shared, tmp_path: Path
) -> None:
    """Both chats work: what is answered there, and what operators are told, is looked at."""
    async with a_day(shared, tmp_path) as day:
        day.by_http = True
        quote_keys(day.vendor)
        async with day.running():
            log = day.folder / "err"
            await until(lambda: "session not in" in log.read_text())
            day.slack.http_to(f"http://127.0.0.1:{day.port}/slack/events", SIGNING)
            lines = ("/source status", "/anomalies today", "/why nothing", "/backfill plan 3m")
            of_now = [await day.ask_slack(line) for line in lines]
            await day.discord.gateway.connected(60.0)
            typed = await (await day.discord.interact_command("source status", {})).answered(20.0)
            day.pages.append(f"on Discord: {typed.original}")
            of_now.append(typed.token)
            await asyncio.to_thread(
                set_clock, day.folder / "clock", (LATE - utc_now()).total_seconds()
            )
            await until(lambda: bool(day.slack.messages(SLACK_CHANNEL)))
            await day.ask_slack("/outbox")
            await day.look()
        emitted = await asyncio.to_thread(day.emitted)
    assert "wrong access key" in emitted["pages"], "the vendor's word was shown"
    assert "wrong access key" in emitted["slack"], "and told to operators"
    assert "wrong access key" in emitted["pages"].partition("on Discord: ")[2]
    assert found_in(emitted, of_now) == set()


@pytest.mark.timeout(120)
async def test_a_day_on_which_everything_fails_tells_no_secret(
    shared: Shared, tmp_path: Path
) -> None:
    async with a_day(shared, tmp_path) as day:
        quote_keys(day.vendor)
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
