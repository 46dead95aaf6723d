"""Slack as a place to be asked from: over Socket Mode, or over HTTP where there is no app token."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.links import Link
from bot.platforms.slack import make_client
from bot.platforms.slack_answers import Answers, ask
from bot.platforms.slack_desk import Desk
from bot.platforms.slack_files import Uploads
from bot.platforms.slack_groups import Groups
from bot.platforms.slack_link import Identity, Listener, Socket, Timing, address, identity
from bot.platforms.slack_pictures import Pictures
from bot.platforms.work import Work
from bot.reception import Reception

_LEAVE_S = 5.0
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
        port: int,
        groups: Sequence[str],
        timing: Timing = USUAL,
    ) -> None:
        self.link = link
        self.listener: Listener | None = None
        """Where Slack posts to, in HTTP mode."""
        self._token, self._reception, self._api_url = token, reception, api_url
        self._app_token, self._signing_secret = app_token, signing_secret
        self._port, self._groups, self._timing = port, groups, timing
        self._work = Work("slack")
        self._desk: Desk | None = None
        self._leave = asyncio.Event()

    async def serve(self) -> None:
        """Connect and answer until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._timing.answer_s)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            client = make_client(self._token, self._api_url, session)
            me = await identity(client)
            try:
                await self._served(client, session, me)
                # What is under way when we leave still needs the session.
                await asyncio.Event().wait()
            finally:
                await self._work.drain(_LEAVE_S)

    async def drain(self, patience_s: float) -> None:
        """Take nothing new, and wait for the answers that are being made."""
        if self._desk is not None:
            self._desk.leaving = True
        self._leave.set()
        await self._work.drain(patience_s)

    async def _served(
        self, client: AsyncWebClient, session: aiohttp.ClientSession, me: Identity
    ) -> None:
        quiet = _loggers()
        app = AsyncApp(
            logger=quiet,
            name="tapewatch",
            client=client,
            signing_secret=self._signing_secret or "",
            authorize=_known(me, self._token),
            # What is answered here is typed or clicked by people; of Socket Mode nothing is signed.
            request_verification_enabled=self._app_token is None,
        )
        desk = self._desk = self._made(client, session, me)

        @app.use
        async def heard(body: dict[str, Any]) -> Any:
            return await desk.heard(body)

        if self._app_token is not None:
            url = await address(client, self._app_token)
            socket = Socket(app, self._app_token, self.link, self._timing, quiet)
            await socket.served(url, self._leave)
        else:
            self.listener = Listener(
                app, self._port, self.link, SignatureVerifier(self._signing_secret or "")
            )
            await self.listener.served(self._leave)

    def _made(self, client: AsyncWebClient, session: aiohttp.ClientSession, me: Identity) -> Desk:
        pictures = Pictures(client, session, ask, self.link.now)
        answers = Answers(client, session, pictures, Uploads(client, session, ask))
        groups = Groups(client, self._groups)
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
