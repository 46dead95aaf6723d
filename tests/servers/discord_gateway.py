"""Discord's gateway on the local server: sessions that outlive their sockets, and ways to fail.

Kept are the traps: a session that is dropped can be resumed and is told what it missed, one that
its client closed with 1000 or 1001 cannot (discord.py closes with 4000 when it ends, so its session
lives on without anyone); a heartbeat comes before the bot has identified.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from uuid import uuid4

import discord
from aiohttp import web

from tests.servers.chat import Row
from tests.servers.discord_ready import guild_create, ready
from tests.servers.discord_socket import Socket, Sockets
from tests.servers.discord_store import Guild, StoredChannel

PRIVILEGED = discord.Intents(members=True, presences=True, message_content=True).value
"""Intents that an application does not have until it is granted them."""

_DISPATCH, _HEARTBEAT, _IDENTIFY, _RESUME, _RECONNECT, _INVALID, _HELLO, _ACK = (
    *(0, 1, 2, 6),
    *(7, 9, 10, 11),
)
_OTHERS = {3, 4, 8, 31}
"""Presence, voice, members, soundboards: taken, and nothing comes of it."""
_FINAL = {1000, 4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014}
"""Codes that end the session as well."""
_GUILDS = 1 << 0


@dataclass(slots=True)
class StartLimit:
    """Of a day's sessions, by the names of `session_start_limit`; the last one costs the token."""

    total: int = 1000
    remaining: int = 1000
    reset_after: int = 86_400_000
    """Milliseconds; nothing here waits for them."""
    max_concurrency: int = 1


@dataclass(slots=True)
class Session:
    """What is dispatched to one bot; `log` has all of it, for those who come back."""

    id: str
    intents: int
    log: list[tuple[str, Row]] = field(default_factory=list)
    socket: Socket | None = None

    @property
    def is_heard(self) -> bool:
        """Whether its socket is there, and not known to be dead."""
        return self.socket is not None and not self.socket.silent

    def dispatch(self, name: str, data: Row) -> None:
        """Tell it now if there is a socket, and keep it for a resume."""
        self.log.append((name, data))
        self._send(len(self.log))

    def replay(self, after: int) -> None:
        """All that has a greater number."""
        for number in range(after + 1, len(self.log) + 1):
            self._send(number)

    def _send(self, number: int) -> None:
        if self.socket is not None:
            name, data = self.log[number - 1]
            self.socket.push(_DISPATCH, data, t=name, s=number)


class Gateway:
    """Every setting is an attribute and may be changed while it runs."""

    def __init__(
        self,
        guild: Guild,
        channels: Callable[[], Iterable[StoredChannel]],
        tokens: set[str],
        url: Callable[[], str],
    ) -> None:
        self.heartbeat_interval_s = 41.25
        self.ack_heartbeats = True
        self.disallowed_intents = PRIVILEGED
        """Who asks for one of these is closed with 4014."""
        self.start_limit = StartLimit()
        self.disowns = False
        """Every session that begins is invalid at once (op 9)."""
        self.attempts = 0
        """Upgrades that were asked for, the refused among them."""
        self.connections = 0
        """Upgrades that were granted."""
        self.identifies = 0
        self.resumes = 0
        """Asked for; of those, `resumed` were granted."""
        self.resumed = 0
        self.heartbeats = 0
        self.sessions: dict[str, Session] = {}
        """Those that live, with a socket or without."""
        self._guild, self._channels = guild, channels
        self._tokens, self._url = tokens, url
        self._sockets = Sockets()
        self._refusals: list[int | None] = []
        self._always: list[int | None] = []
        self._silent_next = 0
        self._news = asyncio.Event()

    @property
    def open_sockets(self) -> int:
        """How many there are now, the silent among them."""
        return len(self._sockets)

    @property
    def is_connected(self) -> bool:
        """Whether something that is dispatched now reaches a bot."""
        return any(session.is_heard for session in self.sessions.values())

    def told(self) -> Row:
        """What is said to a bot that asks before it connects."""
        limit = asdict(self.start_limit)
        return {"url": self._url(), "shards": 1, "session_start_limit": limit}

    async def connected(self, within_s: float = 5.0) -> None:
        """Wait until a bot has identified or resumed."""
        async with asyncio.timeout(within_s):
            while not self.is_connected:
                await self._news.wait()

    def dispatch(self, name: str, data: Row) -> int:
        """An event for every session, buffered while its socket is down; how many have it now."""
        for session in self.sessions.values():
            session.dispatch(name, data)
        return sum(session.is_heard for session in self.sessions.values())

    def refuse(self, status: int | None = 503, times: int | None = 1) -> None:
        """Answer the next upgrades with a status (None: hang up); all of them if times is None.

        After a hang-up aiohttp asks once more by itself, which takes the next one.
        """
        if times is None:
            self._always = [status]
        else:
            self._refusals += [status] * times

    def admit(self) -> None:
        """Refuse no longer."""
        self._refusals, self._always = [], []

    def close_all(self, code: int) -> None:
        """Close every socket with a code; its session lives on if the code says so."""
        if code in _FINAL:
            self.forget_sessions()
        for socket in self._sockets:
            socket.close(code)

    def drop_all(self) -> None:
        """Every line is cut without a close."""
        for socket in self._sockets:
            socket.drop()

    def go_silent(self, next_connections: int = 0) -> None:
        """Every open socket, and so many new ones, swallow all and never say a word again."""
        self._silent_next += next_connections
        for socket in self._sockets:
            socket.silent = True

    def ask_reconnect(self) -> None:
        """Op 7: the bots are to come back and resume."""
        for socket in self._sockets:
            socket.push(_RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Op 9: the sessions are invalid, for good unless they are resumable."""
        if not resumable:
            self.forget_sessions()
        for socket in self._sockets:
            socket.push(_INVALID, resumable)

    def forget_sessions(self) -> None:
        """As if they were too old: who wants to resume must identify."""
        self.sessions.clear()
        for socket in self._sockets:
            socket.session_id = ""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One upgrade and all that follows."""
        self.attempts += 1
        refusal = self._refusals[:1] or self._always
        del self._refusals[:1]
        if refusal:
            if refusal[0] is None and request.transport is not None:
                request.transport.abort()
            return web.Response(status=refusal[0] or 503)
        socket = Socket(request)
        socket.silent, self._silent_next = self._silent_next > 0, max(0, self._silent_next - 1)
        with self._sockets.held(socket):
            response = await socket.open()
            self.connections += 1
            socket.push(_HELLO, {"heartbeat_interval": int(self.heartbeat_interval_s * 1000)})
            try:
                code = await socket.run(self._received)
            finally:
                self._detach(socket)
            if code in (1000, 1001):
                self.sessions.pop(socket.session_id, None)
        return response

    def _received(self, socket: Socket, frame: Row) -> None:
        op, data = frame.get("op"), frame.get("d")
        if op == _HEARTBEAT:
            self.heartbeats += 1
            if self.ack_heartbeats:
                socket.push(_ACK)
        elif op in (_IDENTIFY, _RESUME) and isinstance(data, dict):
            if socket.session_id:
                socket.close(4005)
            elif op == _IDENTIFY:
                self._identify(socket, data)
            else:
                self._resume(socket, data)
        elif op not in _OTHERS:
            socket.close(4001)
        elif not socket.session_id:
            socket.close(4003)

    def _identify(self, socket: Socket, data: Row) -> None:
        self.identifies += 1
        self.start_limit.remaining -= 1
        if self.start_limit.remaining < 0:
            self._tokens.clear()
        intents = data.get("intents")
        if data.get("token") not in self._tokens:
            socket.close(4004)
        elif not isinstance(intents, int):
            socket.close(4013)
        elif intents & self.disallowed_intents:
            socket.close(4014)
        else:
            session = Session(uuid4().hex, intents)
            self.sessions[session.id] = session
            self._attach(session, socket)
            session.dispatch("READY", ready(self._guild, session.id, self._url()))
            if intents & _GUILDS:
                there = guild_create(self._guild, self._channels())
                session.dispatch("GUILD_CREATE", there)
            if self.disowns:
                self.invalidate()

    def _resume(self, socket: Socket, data: Row) -> None:
        self.resumes += 1
        session = self.sessions.get(str(data.get("session_id")))
        seq = data.get("seq")
        if data.get("token") not in self._tokens:
            socket.close(4004)
        elif session is None:
            socket.push(_INVALID, False)
        elif not isinstance(seq, int) or not 0 <= seq <= len(session.log):
            socket.close(4007)
        else:
            self.resumed += 1
            if session.socket is not None:
                session.socket.close(4000)  # another connection has taken the session over
            self._attach(session, socket)
            session.replay(seq)
            session.dispatch("RESUMED", {"_trace": []})

    def _attach(self, session: Session, socket: Socket) -> None:
        session.socket, socket.session_id = socket, session.id
        self._news.set()
        self._news = asyncio.Event()

    def _detach(self, socket: Socket) -> None:
        session = self.sessions.get(socket.session_id)
        if session is not None and session.socket is socket:
            session.socket = None
