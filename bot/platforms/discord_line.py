"""What answers to people on Discord go by: it outlives the client that heard the question."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route


class Line:
    """One HTTP session, and where discord.py finds Discord: there as long as somebody holds it.

    discord.py answers by the session of its client, which ends with it; what was asked can be
    answered for a quarter of an hour.
    """

    def __init__(self, api_url: str, gateway_url: str) -> None:
        self._urls = api_url.rstrip("/"), yarl.URL(gateway_url)
        self._session: aiohttp.ClientSession | None = None
        self._holders = 0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Whoever lets go last closes it."""
        if self._session is None:
            # As many at once as there are answers: a promise waits for none of them.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            self._swap_urls()
        session = self._session
        self._holders += 1
        try:
            yield session
        finally:
            self._holders -= 1
            if not self._holders:
                self._session = None
                self._swap_urls()
                await session.close()

    def _swap_urls(self) -> None:
        """discord.py keeps them for the whole process."""
        ours, self._urls = self._urls, (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY)
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = ours


def answer_by(session: aiohttp.ClientSession, interaction: discord.Interaction[Any]) -> None:
    """Instead of by the session of its client."""
    interaction._session = session
    interaction.followup.session = cast(aiohttp.ClientSession, _Once(session))


class _Once:
    """Of a session, what discord.py asks of it for a follow-up: it would send that again after a
    5xx, and what was sent may be there."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @asynccontextmanager
    async def request(self, *what: Any, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Raises discord.DiscordServerError for a 5xx."""
        async with self._session.request(*what, **more) as response:
            if response.status >= 500:
                raise discord.DiscordServerError(response, await response.text())
            yield response
