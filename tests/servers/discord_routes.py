"""Which operation a request of Discord's REST interface asks for."""

import re
from dataclasses import dataclass

BASE = "/api/v10"
_PATHS = {
    "users.me": ("GET", "/users/@me"),
    "applications.me": ("GET", "/oauth2/applications/@me"),
    "gateway.bot": ("GET", "/gateway/bot"),
    "channels.get": ("GET", "/channels/{channel}"),
    "guilds.get": ("GET", "/guilds/{guild}"),
    "members.get": ("GET", "/guilds/{guild}/members/{user}"),
    "roles.list": ("GET", "/guilds/{guild}/roles"),
    "messages.create": ("POST", "/channels/{channel}/messages"),
    "messages.list": ("GET", "/channels/{channel}/messages"),
    "messages.get": ("GET", "/channels/{channel}/messages/{message}"),
    "messages.edit": ("PATCH", "/channels/{channel}/messages/{message}"),
    "messages.delete": ("DELETE", "/channels/{channel}/messages/{message}"),
    "threads.create": ("POST", "/channels/{channel}/messages/{message}/threads"),
    "commands.list": ("GET", "/applications/{application}/commands"),
    "commands.set": ("PUT", "/applications/{application}/commands"),
    "guild_commands.list": ("GET", "/applications/{application}/guilds/{guild}/commands"),
    "guild_commands.set": ("PUT", "/applications/{application}/guilds/{guild}/commands"),
}
_OPEN = {
    "interactions.callback": ("POST", "/interactions/{interaction}/{token}/callback"),
    "webhooks.create": ("POST", "/webhooks/{application}/{token}"),
    "webhooks.get": ("GET", "/webhooks/{application}/{token}/messages/{own}"),
    "webhooks.edit": ("PATCH", "/webhooks/{application}/{token}/messages/{own}"),
    "webhooks.delete": ("DELETE", "/webhooks/{application}/{token}/messages/{own}"),
}
"""Without Authorization, and outside the rate limits."""
_CDN = r"/attachments/{channel}/{attachment}/.+"
GATEWAY = "/gateway"

_GROUPS = {"token": r"[^/]+", "own": r"@original|\d+"}
"""What a part of a path may be, if it is no plain id."""


@dataclass(frozen=True, slots=True)
class Route:
    """An operation, and how it is asked for; `open` to those without a token, and unlimited."""

    operation: str
    method: str
    path: re.Pattern[str]
    open: bool = False

    @classmethod
    def of(cls, operation: str, method: str, path: str, *, open: bool = False) -> "Route":
        """From a path with ids in braces."""

        def group(found: re.Match[str]) -> str:
            return f"(?P<{found[1]}>{_GROUPS.get(found[1], '[0-9]+')})"

        return cls(operation, method, re.compile(re.sub(r"\{(\w+)\}", group, path)), open)


def all_routes() -> list[Route]:
    """What this server knows."""
    closed = [Route.of(name, verb, BASE + path) for name, (verb, path) in _PATHS.items()]
    opened = [Route.of(name, verb, BASE + path, open=True) for name, (verb, path) in _OPEN.items()]
    return [*closed, Route.of("attachments.get", "GET", _CDN, open=True), *opened]
