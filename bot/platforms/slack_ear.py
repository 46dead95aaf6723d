"""Slack as a place to be asked from: over Socket Mode, or over HTTP where there is no app token."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.door import Door
from bot.links import Link
from bot.platforms.slack import make_client
from bot.platforms.slack_answers import Answers
from bot.platforms.slack_desk import Desk
from bot.platforms.slack_files import Uploads
from bot.platforms.slack_groups import Groups
from bot.platforms.slack_link import Identity, Posts, Socket, Timing, address, identity
from bot.platforms.slack_pictures import Pictures
from bot.platforms.slack_ways import Ways, ask
from bot.platforms.work import Work
from bot.reception import Reception

USUAL = Timing()


class SlackEar:
    """bot.ears.Ear over slack-bolt."""

    def __init__(
        self,
        token: str,
        link: Link,
        reception: Reception,
        *,
        api_url: str,
        app_token: str | None,
        signing_secret: str | None,
        door: Door,
        groups: Sequence[str],
        timing: Timing = USUAL,
    ) -> None:
        self.link = link
        self._token, self._reception, self._api_url = token, reception, api_url
        self._app_token, self._signing_secret = app_token, signing_secret
        self._door, self._groups, self._timing = door, groups, timing
        self._work = Work("slack")
        self._desk: Desk | None = None
        """With a session of its own: answers outlive the connection that was asked by."""
        self._leave = asyncio.Event()

    async def serve(self) -> None:
        """Connect and answer until cancelled."""
        try:
            if not self._leave.is_set():
                async with self._session() as session:
                    client = make_client(self._token, self._api_url, session)
                    await self._served(client, await identity(client))
            # Whoever was told to leave is cancelled soon.
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # Not when a connection ends: answers outlive it.
            await self.drain(0)
            raise

    async def drain(self, patience_s: float) -> None:
        """Whoever comes now is told to come again; wait for what is being answered, then leave."""
        if self._desk is not None:
            self._desk.leaving = True
        await self._work.drain(patience_s)
        self._leave.set()
        if self._desk is not None:
            await self._desk.answers.ways.session.close()

    async def _served(self, client: AsyncWebClient, me: Identity) -> None:
        url = await address(client, self._app_token) if self._app_token is not None else ""
        quiet = _loggers()
        desk = self._desk = self._desk or self._made(me)

        async def past_bolt(body: dict[str, Any], next_: Callable[[], Awaitable[Any]]) -> Any:
            """It fails on an event that is none, and acknowledges nothing."""
            return await (next_() if isinstance(body.get("event", {}), dict) else desk.heard(body))

        app = AsyncApp(
            logger=quiet,
            name="tapewatch",
            client=client,
            signing_secret=self._signing_secret or "",
            authorize=_known(me, self._token),
            # What is answered here is typed or clicked by people; of Socket Mode nothing is signed.
            request_verification_enabled=self._app_token is None,
            before_authorize=past_bolt,
        )

        @app.use
        async def heard(body: dict[str, Any]) -> Any:
            return await desk.heard(body)

        if self._app_token is not None:
            socket = Socket(
                app, self._app_token, self.link, self._timing, quiet, self._reception.timings
            )
            await socket.served(url, self._leave)
        else:
            verifier = SignatureVerifier(self._signing_secret or "")
            timings = self._reception.timings
            posts = Posts(app, self._door, self.link, verifier, self._timing, timings)
            await posts.served(self._leave)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timing.answer_s))

    def _made(self, me: Identity) -> Desk:
        session = self._session()
        client = make_client(self._token, self._api_url, session)
        pictures = Pictures(client, session, ask, self.link.now)
        ways = Ways(client, session)
        answers = Answers(ways, pictures, Uploads(client, session, ask))
        groups = Groups(client, self._groups, self._work)
        return Desk(me, client, self._reception, answers, groups, self._work)


def _known(me: Identity, token: str) -> Any:
    """Who we are, so that bolt does not ask Slack in front of the first command."""

    async def authorize(**kwargs: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=me.team,
            bot_id=me.bot,
            bot_user_id=me.user,
            bot_token=token,
        )

    return authorize


def _loggers() -> logging.Logger:
    """For slack_sdk and bolt: they log addresses that open a socket, and all that is typed."""
    quiet = logging.getLogger("slack_bolt.tapewatch")
    quiet.setLevel(logging.CRITICAL)
    return quiet
