"""Discord's REST interface on a local port, as far as a bot needs it that posts to channels.

The traps that are kept: a nonce is unique for some minutes only, a message that is read back does
not tell its nonce, a history that the bot may not read is empty and no error, embeds without the
permission vanish, a thread has the id of its message, and every list comes newest first.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType

import discord
from aiohttp import web

from tests.servers.chat import Call, ChatServer, Rate, Row, Windows, json_answer
from tests.servers.discord_commands import Commands
from tests.servers.discord_gateway import Gateway
from tests.servers.discord_interactions import Interactions, callback_body
from tests.servers.discord_messages import Messages, Refused
from tests.servers.discord_people import People
from tests.servers.discord_routes import BASE, GATEWAY, all_routes
from tests.servers.discord_routes import Route as Route
from tests.servers.discord_store import DEFAULT, EVERYONE, Guild, StoredChannel, StoredMessage
from tests.servers.faults import Answer, Status
from tests.servers.local import utc_now

INVALID = (401, 403, 429)
"""Ten thousand of these in ten minutes, and Discord bans the address."""

PER_CHANNEL, GLOBAL = Rate(5, 5.0), Rate(50, 1.0)
_MESSAGES_BUCKET = "80c17d2f203122d936070c88c8d10f33"

Handler = Callable[[Call], Awaitable[Answer]]


class DiscordServer(ChatServer):
    """One guild and one bot. Every setting is an attribute and may be changed while it runs."""

    def __init__(
        self,
        *,
        token: str,
        channel_limit: Rate | None = PER_CHANNEL,
        global_limit: Rate | None = GLOBAL,
        clock_shift: timedelta = timedelta(),
        now: Callable[[], datetime] = utc_now,
        port: int = 0,
    ) -> None:
        super().__init__(port=port, now=now, clock_shift=clock_shift)
        self.tokens = {token}
        """Those that are valid; all of them are the same bot's."""
        self.channel_limit = channel_limit
        self.global_limit = global_limit
        self.guild = Guild(
            900000000000000010, 900000000000000001, 900000000000000002, 900000000000000003
        )
        self.store = Messages(self.guild, self.now, self.accepted)
        self.routes = all_routes()
        self.handlers: dict[str, Handler] = {
            "users.me": self._me,
            "applications.me": self._application,
            "gateway.bot": self._gateway_bot,
            "channels.get": self._channel,
            "guilds.get": self._guild,
            "members.get": self._member,
            "roles.list": self._roles,
            "messages.create": self._create,
            "messages.list": self._list,
            "messages.get": self._get,
            "messages.edit": self._edit,
            "messages.delete": self._delete,
            "threads.create": self._start_thread,
            "attachments.get": self._attachment,
        }
        self._windows = Windows()
        self._live_parts()

    def _live_parts(self) -> None:
        """What a bot needs that listens, and not only posts."""
        store = self.store
        self.gateway = Gateway(
            self.guild, store.channels.values, self.tokens, lambda: self.gateway_url
        )
        self.commands = Commands(self.guild, store.snowflakes, self.now, self.accepted)
        self.interactions = Interactions(store, self.now, self.accepted)
        people = People(
            *(store, self.commands, self.interactions, self.gateway.dispatch),
            *(self._wire, self.now),
        )
        self.interact_command = people.command
        self.interact_component = people.component
        self.autocomplete = people.autocomplete
        self.submit_modal = people.modal
        self.redeliver = people.redeliver
        self.handlers |= {
            "commands.list": self._commands,
            "commands.set": self._set_commands,
            "guild_commands.list": self._commands,
            "guild_commands.set": self._set_commands,
            "interactions.callback": self._acknowledge,
            "webhooks.create": self._follow_up,
            "webhooks.get": self._get_answer,
            "webhooks.edit": self._edit_answer,
            "webhooks.delete": self._delete_answer,
        }

    @property
    def api_url(self) -> str:
        """What DISCORD_API_URL is set to."""
        return f"{self.url}{BASE}"

    @property
    def gateway_url(self) -> str:
        """What DISCORD_GATEWAY_URL is set to."""
        return f"{self.url.replace('http', 'ws', 1)}{GATEWAY}"

    @property
    def nonce_window(self) -> timedelta:
        """How long a nonce is remembered, by the server's clock."""
        return self.store.nonce_window

    @nonce_window.setter
    def nonce_window(self, window: timedelta) -> None:
        self.store.nonce_window = window

    @property
    def rate_limited(self) -> int:
        """How many requests were answered 429."""
        return self.count(429)

    @property
    def invalid_requests(self) -> int:
        """How many count towards the ban of the address."""
        return self.count(*INVALID)

    def forget_nonces(self) -> None:
        """As if the few minutes were over."""
        self.store.nonces.clear()

    def revoke(self, token: str) -> None:
        """From now on it is answered 401."""
        self.tokens.discard(token)

    def add_channel(
        self,
        channel_id: int,
        *,
        name: str = "alerts",
        permissions: discord.Permissions = EVERYONE,
    ) -> StoredChannel:
        """A text channel, and what the bot may do in it; `permissions` may be set anew later."""
        channel = StoredChannel(channel_id, name, self.now(), permissions)
        self.store.channels[channel_id] = channel
        self.gateway.dispatch("CHANNEL_CREATE", self.guild.channel(channel))
        return channel

    def add_role(self, role_id: int, name: str, permissions: discord.Permissions) -> None:
        """A role for members to have; a bot hears of it when it identifies."""
        self.guild.more_roles[role_id] = (name, permissions)

    def channel(self, channel_id: int) -> StoredChannel:
        """A channel or a thread, deleted or not."""
        return self.store.channels[channel_id]

    def delete_channel(self, channel_id: int) -> None:
        """It is unknown from now on, and so are its threads."""
        for channel in self.store.channels.values():
            parent = channel.parent.id if channel.parent else None
            channel.deleted |= channel_id in (channel.id, parent)
        deleted = self.guild.channel(self.store.channels[channel_id])
        kind = "THREAD_DELETE" if "thread_metadata" in deleted else "CHANNEL_DELETE"
        self.gateway.dispatch(kind, deleted)

    def messages(self, channel_id: int) -> list[StoredMessage]:
        """Everything the bot had accepted there, the deleted too, oldest first."""
        there, bot = self.channel(channel_id).messages, self.guild.bot_id
        return [m for m in there if m.author_id == bot and m.type == DEFAULT]

    def say(self, channel_id: int, content: str, author_id: int = 900000000000000020) -> int:
        """Someone else writes something; its id."""
        return self.store.say(self.channel(channel_id), content, author_id).id

    def route(self, method: str, path: str) -> tuple[str, Mapping[str, str]]:
        """The operation by verb and path; empty when there is none."""
        for route in self.routes:
            if route.method == method and (found := route.path.fullmatch(path)):
                return route.operation, found.groupdict()
        return "", {}

    async def respond(self, call: Call) -> Answer:
        """Check the token, then the rates, then do it."""
        is_open = any(route.open for route in self.routes if route.operation == call.operation)
        token = call.headers.get("Authorization", "").removeprefix("Bot ")
        if not is_open and token not in self.tokens:
            return json_answer(401, {"message": "401: Unauthorized", "code": 0})
        limited, headers = (None, {}) if is_open else self._rates(call)
        if limited is not None:
            return limited
        try:
            if call.operation not in self.handlers:
                raise Refused(404, 0, "404: Not Found")
            answer = await self.handlers[call.operation](call)
        except Refused as refused:
            answer = json_answer(refused.status, refused.body)
            self.interactions.refused(call, refused)
        return Answer(answer.status, answer.body, {**answer.headers, **headers})

    def _rates(self, call: Call) -> tuple[Answer | None, dict[str, str]]:
        """A 429 if there is one, and the headers of the bucket."""
        if self.global_limit is not None:
            allowed, _, wait = self._windows.take("", self.global_limit)
            if not allowed:
                return _too_many(wait, {"X-RateLimit-Global": "true"}), {}
        limit = self.channel_limit
        if call.operation != "messages.create" or limit is None:
            return None, {}
        allowed, left, wait = self._windows.take(call.ids["channel"], limit)
        headers = {
            "X-RateLimit-Limit": str(limit.count),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": f"{self.now().timestamp() + wait:.3f}",
            "X-RateLimit-Reset-After": f"{wait:.3f}",
            "X-RateLimit-Bucket": _MESSAGES_BUCKET,
        }
        return None if allowed else _too_many(wait, headers), headers

    async def _me(self, call: Call) -> Answer:
        return json_answer(200, self.guild.user(self.guild.bot_id))

    async def _application(self, call: Call) -> Answer:
        body = {
            **{"id": str(self.guild.bot_id), "name": "Tapewatch", "description": "", "icon": None},
            **{"bot_public": False, "bot_require_code_grant": False, "verify_key": "00"},
            **{"owner": self.guild.user(self.guild.owner_id), "flags": 0, "summary": ""},
        }
        return json_answer(200, body)

    async def _gateway_bot(self, call: Call) -> Answer:
        return json_answer(200, self.gateway.told())

    async def _channel(self, call: Call) -> Answer:
        return json_answer(200, self.guild.channel(self.store.channel(call.ids)))

    async def _guild(self, call: Call) -> Answer:
        self._check_guild(call.ids)
        return json_answer(200, self.guild.wire())

    async def _member(self, call: Call) -> Answer:
        self._check_guild(call.ids)
        member = self.guild.member(int(call.ids["user"]))
        if member is None:
            raise Refused(404, 10007, "Unknown Member")
        return json_answer(200, member)

    async def _roles(self, call: Call) -> Answer:
        self._check_guild(call.ids)
        return json_answer(200, self.guild.roles())

    async def _create(self, call: Call) -> Answer:
        return json_answer(200, self._wire(await self.store.create(call), nonce=True))

    async def _list(self, call: Call) -> Answer:
        return json_answer(200, [self._wire(message) for message in self.store.history(call)])

    async def _get(self, call: Call) -> Answer:
        return json_answer(200, self._wire(self.store.get(call)))

    async def _edit(self, call: Call) -> Answer:
        return json_answer(200, self._wire(await self.store.edit(call)))

    async def _delete(self, call: Call) -> Answer:
        self.store.delete(call)
        return Answer(204)

    async def _start_thread(self, call: Call) -> Answer:
        return json_answer(201, self.guild.channel(await self.store.start_thread(call)))

    async def _attachment(self, call: Call) -> Answer:
        kind = {"Content-Type": "application/octet-stream"}
        return Answer(200, self.store.attachment(call.ids).data, kind)

    async def _commands(self, call: Call) -> Answer:
        return json_answer(200, self.commands.listed(call))

    async def _set_commands(self, call: Call) -> Answer:
        return json_answer(200, self.commands.overwrite(call))

    async def _acknowledge(self, call: Call) -> Answer:
        found = await self.interactions.acknowledge(call)
        if call.query.get("with_response") not in ("1", "true"):
            return Answer(204)
        message = self._wire(found.own) if found.own is not None else None
        return json_answer(200, callback_body(found, message))

    async def _follow_up(self, call: Call) -> Answer:
        return json_answer(200, self._wire(await self.interactions.follow_up(call)))

    async def _get_answer(self, call: Call) -> Answer:
        return json_answer(200, self._wire(self.interactions.get(call)))

    async def _edit_answer(self, call: Call) -> Answer:
        return json_answer(200, self._wire(await self.interactions.edit(call)))

    async def _delete_answer(self, call: Call) -> Answer:
        self.interactions.delete(call)
        return Answer(204)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != GATEWAY:
            return await super()._handle(request)
        if self.on_request is not None:
            self.on_request("gateway.connect")
        return await self.gateway.serve(request)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up on everyone, on the gateway too."""
        self.gateway.drop_all()
        await super().__aexit__(kind, error, trace)

    def _wire(self, message: StoredMessage, *, nonce: bool = False) -> Row:
        return self.guild.message(message, self.url, nonce=nonce)

    def _check_guild(self, ids: Mapping[str, str]) -> None:
        if int(ids["guild"]) != self.guild.id:
            raise Refused(404, 10004, "Unknown Guild")


def too_many(seconds: float, *, is_global: bool = False) -> Status:
    """The fault of a rate limit that is no limit of this server's."""
    told = _too_many(seconds, {"X-RateLimit-Global": "true"} if is_global else {})
    return Status(429, told.body, headers=told.headers)


def _too_many(wait: float, headers: Mapping[str, str]) -> Answer:
    """Without `Via`, discord.py takes it for a ban by Cloudflare."""
    scope = "global" if "X-RateLimit-Global" in headers else "user"
    body = {
        "message": "You are being rate limited.",
        "retry_after": round(wait, 3),
        "global": scope == "global",
    }
    told = {"Retry-After": str(math.ceil(wait)), "Via": "1.1 google", "X-RateLimit-Scope": scope}
    return json_answer(429, body, {**headers, **told})
