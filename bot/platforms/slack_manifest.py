"""The app as Slack wants it described: every command, every scope, nothing that is not used. Pure.

Pasted at api.slack.com/apps, Create New App, From a manifest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.budget import clipped
from bot.forms import FORM, optional_form
from bot.platforms.slack_words import UMBRELLA, declared

_DESCRIPTION, _HINT = 2_000, 1_000

SCOPES = (
    "app_mentions:read",  # @Tapewatch, which works in threads too
    "channels:history",  # whether a message arrived that may have
    "channels:read",  # what /channels test says about a channel
    "chat:write",
    "commands",
    "files:read",  # whether a picture is ready
    "files:write",
    "groups:history",
    "groups:read",
)
GROUPS = "usergroups:read"
"""Only where user groups are operators."""

EVENTS = ("app_mention",)

_UMBRELLA = {UMBRELLA: ("COMMAND ...", "any of the commands; alone: what can be asked")}


def manifest(
    commands: Mapping[str, tuple[str, str]],
    *,
    socket_mode: bool,
    groups: bool = False,
    url: str | None = None,
) -> dict[str, Any]:
    """`commands`: by name their usage and what they are for, as in Commands.USAGE.

    `url`: where Slack posts to, without Socket Mode.
    """
    posted = {} if socket_mode else {"request_url": url or ""}
    called = {} if socket_mode else {"url": url or ""}
    return {
        "display_information": {
            "name": "Tapewatch",
            "description": "Which US stocks traded unlike themselves.",
        },
        "features": {
            # Files for one person are sent there; what is written there is not read.
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "tapewatch", "always_online": True},
            "slash_commands": [
                _command(name, usage, about, called)
                for name, (usage, about) in {**commands, **_UMBRELLA}.items()
            ],
        },
        "oauth_config": {"scopes": {"bot": _scopes(groups=groups)}},
        "settings": {
            "event_subscriptions": {**posted, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **posted},
            "org_deploy_enabled": False,
            "socket_mode_enabled": socket_mode,
            "token_rotation_enabled": False,
        },
    }


def _command(name: str, usage: str, about: str, called: Mapping[str, str]) -> dict[str, Any]:
    command: dict[str, Any] = {"command": declared(name), **called}
    command["description"] = clipped(about, _DESCRIPTION)
    if optional_form(name) is not None:
        usage = f"{FORM} | {usage}" if usage else FORM
    if usage:
        command["usage_hint"] = clipped(usage, _HINT)
    return command | {"should_escape": True}


def _scopes(*, groups: bool) -> Sequence[str]:
    return sorted((*SCOPES, GROUPS)) if groups else list(SCOPES)
