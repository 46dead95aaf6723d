"""A watch over the gateway: what is half open says nothing by itself, and would for minutes."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from discord.gateway import DiscordWebSocket, KeepAliveHandler
from discord.state import ConnectionState

from bot.platforms.discord_errors import FOREIGN


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something is waited for; recovery takes less than half a minute in all."""

    quiet_s: float = 8.0
    """After such a silence we ask for a sign of life, after two the line is cut and discord.py
    takes it up again, after three the client is given up."""
    login_s: float = 20.0
    close_s: float = 2.0
    identify_pause_s: float = 5.0
    """Before another IDENTIFY of the same client, as Discord asks for."""
    lasting_s: float = 120.0
    """A session that lasts so long is none of a row of failures."""
    register_pause_s: float = 2.0
    """Before the commands are told a second time; the pauses after that grow."""
    answer_again_s: Sequence[float] = (1.0, 5.0, 30.0, 120.0, 300.0)
    """Before an answer is given again while Discord cannot be reached: less in all than the quarter
    of an hour in which it can be given."""


class Watched(Protocol):
    """What a client of discord.py has, and how many frames it was sent."""

    ws: DiscordWebSocket
    frames: int
    _connection: ConnectionState[Any]

    async def close(self) -> None:
        """End it."""


async def watch(bot: Watched, patience: Patience) -> None:
    """Ends with a ConnectionError when nothing more comes."""
    clock = asyncio.get_running_loop().time
    seen, last, done = bot.frames, clock(), 0
    while True:
        await asyncio.sleep(patience.quiet_s / 8)
        if bot.frames != seen:
            seen, last, done = bot.frames, clock(), 0
        if (silences := int((clock() - last) / patience.quiet_s)) <= done:
            continue
        done = silences
        if silences >= 3:
            raise ConnectionError("Discord has fallen silent")
        if silences == 2:
            _cut(bot)
        else:
            await _asked(bot, patience.close_s)


async def closed(bot: Watched, patience: Patience) -> None:
    """Politely while the other side answers; aiohttp alone would wait for it for half a minute."""
    closing = asyncio.create_task(bot.close(), name="discord close")
    await asyncio.wait({closing}, timeout=patience.close_s)
    if not closing.done():
        _cut(bot)
    await closing
    for beats in threading.enumerate():
        # A line that was given up while it identified is nobody's: discord.py leaves it open, with
        # its beats.
        if isinstance(beats, KeepAliveHandler) and beats.ws._connection is bot._connection:
            beats.stop()
            with contextlib.suppress(*FOREIGN):
                async with asyncio.timeout(patience.close_s):
                    await beats.ws.socket.close()


async def _asked(bot: Watched, within_s: float) -> None:
    """A heartbeat, which Discord answers."""
    if bot.ws is None or not bot.ws.open:
        return
    beats = bot.ws._keep_alive
    if beats is not None:
        # Else discord.py takes the answer for a late one to its own, and warns.
        beats._last_send = time.perf_counter()
    with contextlib.suppress(*FOREIGN):
        async with asyncio.timeout(within_s):
            await bot.ws.send_heartbeat({"op": bot.ws.HEARTBEAT, "d": bot.ws.sequence})


def _cut(bot: Watched) -> None:
    """End the connection without the other side: closing it would wait for its answer."""
    line = None if bot.ws is None else bot.ws.socket.get_extra_info("socket")
    if line is not None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
