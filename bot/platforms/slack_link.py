"""The connection that Slack's commands come by: who we are there, and a socket or our door.

slack_sdk tries for ever to connect, with the same address even where that is used up, and raises
nothing: so it is asked first what can be asked, and watched afterwards.
"""

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.door import Door, surely
from bot.links import Link, LinkRefused, LinkState
from bot.platforms.slack_errors import FOREIGN, error_of, translated
from bot.timings import Timings
from core.errors import DeliveryRefused, Reason, TapewatchError

logger = logging.getLogger(__name__)

_APPS = "api.slack.com/apps"
_BOT = f"install the app anew at {_APPS}, Install App, and set SLACK_BOT_TOKEN (xoxb-...)"
_APP = (
    f"make an app-level token with connections:write at {_APPS}, Basic Information, and set"
    " SLACK_APP_TOKEN (xapp-...)"
)
_SWITCH = f"switch Socket Mode on at {_APPS}, Socket Mode, and start again"
_HOPELESS = (Reason.TOKEN_REFUSED, Reason.NO_PERMISSION)
_GOODBYE_S = 1.0
_FORM, _CHECK_BYTES = "application/x-www-form-urlencoded", 500


class LinkLost(TapewatchError):
    """No connection for now. Its text has no secret."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a connection is; in seconds."""

    ping_s: float = 5.0
    """Between two pings, and between two tries of slack_sdk's own."""
    look_s: float = 0.5
    down_s: float = 60.0
    """So long slack_sdk may try; then all is built anew."""
    answer_s: float = 10.0
    """For an answer of Slack's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are on Slack."""

    bot: str
    user: str
    team: str


async def identity(client: AsyncWebClient) -> Identity:
    """By auth.test; LinkRefused if the token is of no use, LinkLost if there is no answer."""
    try:
        told = await client.auth_test()
    except FOREIGN as error:
        raise _said(error, "SLACK_BOT_TOKEN", _BOT) from None
    if not told.get("bot_id"):
        raise LinkRefused(f"SLACK_BOT_TOKEN is a person's token, not a bot's; {_BOT}")
    return Identity(str(told["bot_id"]), str(told["user_id"]), str(told["team_id"]))


async def address(client: AsyncWebClient, app_token: str) -> str:
    """Where a socket can be opened, once and soon."""
    try:
        return str((await client.apps_connections_open(app_token=app_token))["url"])
    except FOREIGN as error:
        raise _said(error, "SLACK_APP_TOKEN", _APP) from None


def _said(error: BaseException, setting: str, way_out: str) -> TapewatchError:
    """What to raise instead: nothing of slack_sdk's, whose texts may have more than they should."""
    found = translated(error)
    found.__cause__ = error
    if isinstance(found, DeliveryRefused) and found.reason in _HOPELESS:
        return LinkRefused(f"Slack refuses {setting}: {error_of(found) or found.seen}; {way_out}")
    return LinkLost(f"Slack did not let us in: {found}")


class _Timed(AsyncSocketModeHandler):
    """Says how long each ack took."""

    timings: Timings

    async def handle(self, client: Any, req: SocketModeRequest) -> None:
        """As bolt does."""
        clock = asyncio.get_running_loop().time
        came = clock()
        await super().handle(client, req)
        self.timings.acknowledged("slack", clock() - came)


@dataclass(slots=True)
class Socket:
    """Socket Mode: one session after another, each of which begins with a hello."""

    app: AsyncApp
    app_token: str
    link: Link
    timing: Timing
    logger: logging.Logger
    timings: Timings
    _greeted: Any = None
    """The session that said hello last."""
    _over: TapewatchError | None = None
    """Why there cannot be another one."""

    async def served(self, url: str, leave: asyncio.Event) -> None:
        """Until it is time to leave; LinkLost when it is down for too long."""
        handler = _Timed(
            self.app, self.app_token, logger=self.logger, ping_interval=self.timing.ping_s
        )
        handler.timings = self.timings
        client: Any = handler.client
        client.wss_uri = url
        client.message_listeners.append(self._greet)
        client.on_message_listeners.append(self._hear)
        connecting = asyncio.create_task(client.connect(), name="slack connects")
        try:
            await self._watched(client, leave)
        finally:
            await surely(_hung_up(client, connecting))

    async def _watched(self, client: Any, leave: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        down_since: float | None = clock()
        while not leave.is_set():
            if self._over is not None:
                raise self._over
            connected = await client.is_connected()
            if connected and self._greeted is client.current_session:
                self.link.up()
                down_since = None
            else:
                down_since = clock() if down_since is None else down_since
                if clock() - down_since > self.timing.down_s:
                    raise LinkLost(f"no connection for {self.timing.down_s:.0f} s")
            if not connected:
                # It would go on with an address that can be used up by now.
                client.wss_uri = None
                if self.link.state is LinkState.UP:
                    self.link.down("the connection was lost")
            await _either(leave, self.timing.look_s)

    async def _greet(self, client: Any, message: dict[str, Any], raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self._greeted = client.current_session

    async def _hear(self, message: aiohttp.WSMessage) -> None:
        """A goodbye, which slack_sdk answers with a new session at once, whatever its reason is."""
        if '"disconnect"' not in str(message.data):
            return
        told = json.loads(message.data)
        reason = told.get("reason") if told.get("type") == "disconnect" else None
        if reason == "link_disabled":
            self._over = LinkRefused(f"Socket Mode was switched off for this app; {_SWITCH}")
        elif reason == "too_many_websockets":
            self._over = LinkLost("too many connections: does it run elsewhere with this token?")


@dataclass(slots=True)
class Posts:
    """HTTP: Slack posts to our door."""

    app: AsyncApp
    door: Door
    link: Link
    verifier: SignatureVerifier
    timing: Timing
    timings: Timings
    _noticed: bool = field(default=False, init=False)

    async def served(self, leave: asyncio.Event) -> None:
        """Until it is time to leave; LinkLost if the port cannot be had."""
        self.door.slack = self.posted
        try:
            while not leave.is_set():
                if self.door.is_open:
                    self.link.up()
                elif self.door.seen:
                    raise LinkLost(self.door.seen)
                await _either(leave, self.timing.look_s)
        finally:
            self.door.slack = None

    async def posted(self, request: web.Request) -> web.StreamResponse:
        """Before bolt, which reads what a stranger sent before it looks at the signature."""
        body = await request.read()
        if _only_looks(request.content_type, body):
            return web.Response()
        when = request.headers.get("X-Slack-Request-Timestamp", "")
        if not is_signed(self.verifier, body, when, request.headers.get("X-Slack-Signature", "")):
            self._notice()
            return web.Response(status=401, text="not signed")
        clock = asyncio.get_running_loop().time
        came = clock()
        try:
            told = await self.app.async_dispatch(await to_bolt_request(request))
            self.timings.acknowledged("slack", clock() - came)
            return await to_aiohttp_response(told)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            logger.warning("a request cannot be read", extra={"seen": type(error).__name__})
            return web.Response(status=400, text="unreadable")

    def _notice(self) -> None:
        """Strangers knock too: once is enough to find a wrong secret by."""
        if not self._noticed:
            self._noticed = True
            logger.warning(
                "a request was not signed with SLACK_SIGNING_SECRET, or came too late; if nothing"
                " that is typed in Slack arrives, check the secret and this machine's clock"
            )


def _only_looks(kind: str, body: bytes) -> bool:
    """Is it Slack's look whether the address is there, which need not be signed?"""
    small = kind == _FORM and len(body) <= _CHECK_BYTES
    return small and dict(parse_qsl(body.decode("latin-1"))).get("ssl_check") == "1"


def is_signed(verifier: SignatureVerifier, body: bytes, when: str, signature: str) -> bool:
    """By Slack, within five minutes; compared in constant time. Whatever strangers send is no."""
    try:
        return verifier.is_valid(body, when, signature)
    except (ValueError, TypeError):
        return False


async def _hung_up(client: Any, connecting: asyncio.Task[None]) -> None:
    """All that slack_sdk has open, closed: politely if the other side answers in time."""
    connecting.cancel()
    client.closed, client.auto_reconnect_enabled = True, False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await client.disconnect()
    await client.close()
    await asyncio.gather(connecting, return_exceptions=True)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Whichever comes first."""
    # Not wait_for: until Python 3.12 it forgets that it was cancelled if the event came as well.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
