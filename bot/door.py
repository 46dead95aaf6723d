"""The one port: health and metrics for whoever watches, and Slack's posts where there is no socket.

Nothing that is asked here needs a key, so nothing that is told here is anybody's business: states,
counts and times, no names of channels, no secrets.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from core.errors import TapewatchError

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger(__name__)
_server = logging.getLogger("aiohttp.server")

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]
Told = Callable[[], Awaitable[tuple[bool, dict[str, object]]]]
"""Is it so? And what there is to say about it."""
Text = Callable[[], Awaitable[tuple[bytes, str]]]
"""A page and its content type."""

SLACK_PATH = "/slack/events"
_MOST_BYTES = 1024**2
_CLOSE_WITHIN_S = 2.0


class DoorClosed(TapewatchError):
    """The port cannot be had; its text says which and why."""


class Door:
    """What is served is hung up by whoever can tell; the port is opened by serve()."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port
        """None: there is none; 0: any."""
        self.bound = 0
        """The port it has, once it is open."""
        self.seen = "" if port is not None else "PORT is not set"
        """Why it is not open."""
        self.slack: Handler | None = None
        """Where Slack posts to, while somebody listens."""
        self._told: dict[str, Told] = {}
        self._texts: dict[str, Text] = {}

    @property
    def is_open(self) -> bool:
        """Can it be knocked at?"""
        return bool(self.bound)

    def tell(self, path: str, told: Told) -> None:
        """200 or 503 and what there is to say, as JSON."""
        self._told[path] = told

    def show(self, path: str, text: Text) -> None:
        """A page."""
        self._texts[path] = text

    async def serve(self) -> None:
        """Until cancelled; raises DoorClosed if the port cannot be had."""
        if self.port is None:
            return
        web = await asyncio.to_thread(_web)
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_post(SLACK_PATH, self._posted)
        app.router.add_get("/{path:.*}", self._asked)
        # Slack packs nothing, and unpacking what a stranger has packed holds up the loop.
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=_CLOSE_WITHIN_S, auto_decompress=False
        )
        await runner.setup()
        _server.addFilter(malformed := _Malformed())
        try:
            # Whoever watches is outside of this machine, and so is Slack: who exposes the port
            # decides what reaches it.
            await web.TCPSite(runner, "0.0.0.0", self.port).start()  # noqa: S104
            self.bound = runner.addresses[0][1]
            facts = {"port": self.bound, "ipv6": await _also_ipv6(runner, self.bound)}
            logger.info("the port is open", extra=facts)
            await asyncio.Event().wait()
        except OSError as error:
            self.seen = f"PORT={self.port} cannot be listened on: {os.strerror(error.errno or 0)}"
            raise DoorClosed(self.seen) from None
        finally:
            self.bound = 0
            await surely(runner.cleanup())
            _server.removeFilter(malformed)

    async def _posted(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        if self.slack is None:
            # Slack comes again, and by then somebody may listen.
            return web.Response(status=503, text="nobody listens to Slack here now")
        return await self.slack(request)

    async def _asked(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        path = request.path
        if path in self._texts:
            body, kind = await self._texts[path]()
            return web.Response(body=body, headers={"Content-Type": kind})
        if path not in self._told:
            known = ", ".join(sorted([*self._told, *self._texts]))
            return web.Response(status=404, text=f"not here; there is {known}")
        so, facts = await self._told[path]()
        said = json.dumps(facts, ensure_ascii=False, default=str)
        return web.Response(status=200 if so else 503, text=said, content_type="application/json")


class _Malformed(logging.Filter):
    """What strangers send that is no HTTP, or end midway: a line a kind, and no fault of ours."""

    def __init__(self) -> None:
        super().__init__()
        self._told = set[str]()

    def filter(self, record: logging.LogRecord) -> bool:
        """As it is, for all else: that is ours."""
        from aiohttp.http_exceptions import HttpProcessingError
        from aiohttp.web_protocol import RequestPayloadError

        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | RequestPayloadError | ConnectionError):
            return True
        kind = type(error).__name__
        if kind in self._told:
            return False
        self._told.add(kind)
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = f"no request that can be read ({kind}); no more are told", ()
        record.exc_info = record.exc_text = None
        return True


async def _also_ipv6(runner: "web.AppRunner", port: int) -> bool:
    """Some networks inside of a host have nothing else, and some machines do not have it."""
    from aiohttp import web

    try:
        await web.TCPSite(runner, "::", port).start()
    except OSError:
        return False
    return len(runner.addresses) > 1


def _web() -> Any:
    """Loaded by those who open a port: it reads this machine's certificates."""
    from aiohttp import web

    return web


async def surely(closing: Awaitable[None]) -> None:
    """To its end, also if we are cancelled meanwhile."""
    task = asyncio.ensure_future(closing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
