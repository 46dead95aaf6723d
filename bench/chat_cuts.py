"""Connections that are lost in every way the local platforms know, one after another."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bench.chat_load import Crowd, Given
from tests.servers.discord import DiscordServer
from tests.servers.discord_interaction import Interaction
from tests.servers.faults import Reset
from tests.servers.slack import SlackServer
from tests.servers.slack_asked import Asked

EVERY_S, FIRST_S, LAST_S = 60.0, 10.0, 35.0
"""Between two on the same platform; before the first; none so shortly before the end."""

_BACK_WITHIN_S = 50.0
_AWAY_S = 5.0
_WAYS_BACK = {"discord": "webhooks.edit", "slack": "response_url"}
_ON_THE_WAY_S = 0.25


async def _close(server: DiscordServer, code: int) -> None:
    server.gateway.close_all(code)


async def _drop(server: DiscordServer) -> None:
    server.gateway.drop_all()


async def _silence(server: DiscordServer) -> None:
    server.gateway.go_silent()


async def _reconnect(server: DiscordServer) -> None:
    server.gateway.ask_reconnect()


async def _invalidate(server: DiscordServer, *, resumable: bool) -> None:
    server.gateway.invalidate(resumable=resumable)


ON_DISCORD: Mapping[str, Callable[[DiscordServer], Awaitable[None]]] = {
    "line cut": _drop,
    "op 7, come again": _reconnect,
    "half open": _silence,
    "close 4000": lambda server: _close(server, 4000),
    "op 9, session gone": lambda server: _invalidate(server, resumable=False),
    "close 1001": lambda server: _close(server, 1001),
    "op 9, resumable": lambda server: _invalidate(server, resumable=True),
    "close 4009, session gone": lambda server: _close(server, 4009),
}


async def _slack_drop(server: SlackServer) -> None:
    server.sockets.drop()


async def _slack_silence(server: SlackServer) -> None:
    server.sockets.silence()


ON_SLACK: Mapping[str, Callable[[SlackServer], Awaitable[None]]] = {
    "line cut": _slack_drop,
    "disconnect: refresh_requested": lambda server: server.sockets.disconnect("refresh_requested"),
    "half open": _slack_silence,
    "disconnect: warning, closed 10 s later": lambda server: server.sockets.disconnect(
        "warning", close_after_s=10
    ),
    "closed without a word": lambda server: server.sockets.close(),
    "disconnect: too_many_websockets": lambda server: server.sockets.disconnect(
        "too_many_websockets", close_after_s=1
    ),
}


@dataclass(frozen=True, slots=True)
class Cut:
    """One of them, and how long it took until there was a new connection, if there was one."""

    platform: str
    how: str
    back_s: float | None


@dataclass(slots=True)
class Cuts:
    """Both platforms' in turn, half a period apart."""

    crowd: Crowd
    made: list[Cut] = field(default_factory=list)
    _lost_lines: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Slack's connections that were lost without a goodbye: how, and when."""

    async def go_on(self, until: float) -> None:
        """To that time, which is monotonic."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._on_discord(until))
            both.create_task(self._on_slack(until))
            both.create_task(self._without_answers(until))

    def was_swallowed(self, given: Given) -> bool:
        """Did it leave on a line that was dead? Then the platform itself never had an answer."""
        if not isinstance(given.thing, Asked) or given.thing.acks:
            return False
        how, at = self._lost_lines.get(given.thing.connection or 0, ("", 0.0))
        left = given.thing.dispatched_at
        return bool(how) and left is not None and left > at - _ON_THE_WAY_S

    def is_excused(self, given: Given) -> bool:
        """Nobody could have answered it: it never arrived, and nobody keeps it for later."""
        if isinstance(given.thing, Interaction):
            return not given.deliverable
        return given.again is None and self.was_swallowed(given)

    async def _on_discord(self, until: float) -> None:
        server, gateway = self.crowd.discord, self.crowd.discord.gateway
        await asyncio.sleep(FIRST_S)
        for how, cut in itertools.cycle(ON_DISCORD.items()):
            if time.monotonic() > until:
                return
            before, now = gateway.identifies + gateway.resumed, time.monotonic()
            await cut(server)
            back_s = await _back(lambda: gateway.identifies + gateway.resumed, before)
            self.made.append(Cut("discord", how, back_s))
            await asyncio.sleep(max(0.0, now + EVERY_S - time.monotonic()))

    async def _on_slack(self, until: float) -> None:
        server, sockets = self.crowd.slack, self.crowd.slack.sockets
        await asyncio.sleep(EVERY_S / 2)
        for how, cut in itertools.cycle(ON_SLACK.items()):
            if time.monotonic() > until:
                return
            before, now = sockets.connections, time.monotonic()
            if how in ("line cut", "half open"):
                self._lost_lines |= {c.number: (how, now) for c in sockets.open}
            await cut(server)
            back_s = await _back(lambda: sockets.connections, before)
            self.made.append(Cut("slack", how, back_s))
            await self._deliver_again()
            await asyncio.sleep(max(0.0, now + EVERY_S - time.monotonic()))

    async def _without_answers(self, until: float) -> None:
        """What is asked arrives and is acknowledged; no answer comes through, for a while."""
        servers = {"discord": self.crowd.discord, "slack": self.crowd.slack}
        await asyncio.sleep(EVERY_S / 4)
        while time.monotonic() < until:
            for name, server in servers.items():
                server.before.always(Reset(), on=_WAYS_BACK[name])
            await asyncio.sleep(_AWAY_S)
            for name, server in servers.items():
                server.before.clear()
                self.made.append(Cut(name, "no answer comes through", _AWAY_S))
            await asyncio.sleep(EVERY_S - _AWAY_S)

    async def _deliver_again(self) -> None:
        """As Slack does with events that were not acknowledged, and with nothing else."""
        await asyncio.sleep(1)
        for given in self.crowd.given:
            if given.kind == "mention" and given.again is None and self.was_swallowed(given):
                assert isinstance(given.thing, Asked)
                given.again = await self.crowd.slack.redeliver(given.thing)


async def _back(connections: Callable[[], int], before: int) -> float | None:
    """The seconds until there is one more of them."""
    began = time.monotonic()
    while time.monotonic() - began < _BACK_WITHIN_S:
        if connections() > before:
            return time.monotonic() - began
        await asyncio.sleep(0.02)
    return None
