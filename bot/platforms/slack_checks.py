"""What a channel of Slack needs, found out by looking only."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from alerts.model import Check
from bot.platforms.slack_errors import error_of
from core.errors import DeliveryError, DeliveryRefused, Reason

_SETTINGS = "api.slack.com/apps"
_ID = re.compile(r"[CGD][A-Z0-9]{4,}")


class Ask(Protocol):
    """A question to Slack, paced, its errors translated."""

    async def __call__(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, or a DeliveryError."""


async def examined(channel: str, ask: Ask, client: AsyncWebClient) -> Sequence[Check]:
    """One line for each thing that is needed; it ends where the first cannot be known."""
    try:
        who = await ask(client.auth_test)
    except DeliveryRefused as refused:
        step = f"install the app anew at {_SETTINGS}, Install App, and set SLACK_BOT_TOKEN"
        return [Check("token", ok=False, seen=refused.seen, next_step=step)]
    except DeliveryError as error:
        return [_away(error)]
    checks = [Check("token", ok=True, seen=f"{who['user']} in {who['team']}")]
    told = who.headers.get("x-oauth-scopes") or ""
    scopes = {scope.strip() for scope in told.split(",") if scope.strip()}
    if not _ID.fullmatch(channel):
        step = "open the channel's details and copy the channel ID, such as C0123456789"
        seen = "not an id" if channel.startswith("#") else "no id of Slack's"
        return [*checks, Check("channel", ok=False, seen=seen, next_step=step)]
    try:
        answer = await ask(lambda: client.conversations_info(channel=channel))
    except DeliveryRefused as refused:
        return [*checks, *_scopes(scopes, "channels"), _unseen(refused)]
    except DeliveryError as error:
        return [*checks, _away(error)]
    found: dict[str, Any] = answer["channel"]
    kind = "groups" if found.get("is_private") else "channels"
    return [*checks, *_scopes(scopes, kind), *_channel(found)]


def _scopes(scopes: set[str], kind: str) -> list[Check]:
    needed = (
        ("chat:write", "without it nothing can be delivered"),
        ("files:write", "without it there are no pictures"),
        ("files:read", "without it there are no pictures"),
        (f"{kind}:read", "without it the channel cannot be checked"),
        (f"{kind}:history", "without it a message that may have arrived cannot be looked for"),
    )
    step = f"add the scope at {_SETTINGS}, OAuth & Permissions, and install the app anew"
    return [
        Check(
            name,
            ok=name in scopes,
            seen="granted" if name in scopes else f"not granted: {why}",
            next_step="" if name in scopes else step,
        )
        for name, why in needed
    ]


def _channel(found: dict[str, Any]) -> list[Check]:
    name = f"#{found.get('name') or found.get('id')}"
    archived, member = bool(found.get("is_archived")), bool(found.get("is_member"))
    member = member or bool(found.get("is_im"))
    return [
        Check(
            "channel",
            ok=not archived,
            seen=f"{name} is archived" if archived else name,
            next_step="unarchive it, or choose another channel" if archived else "",
        ),
        Check(
            "membership",
            ok=member,
            seen="a member" if member else "not a member of the channel",
            next_step="" if member else f"in {name}, write /invite and the app's name",
        ),
    ]


def _unseen(refused: DeliveryRefused) -> Check:
    if refused.reason is Reason.NO_PERMISSION:
        step = f"add the scope at {_SETTINGS}, OAuth & Permissions, and install the app anew"
    elif error_of(refused) == "channel_not_found":
        step = "check the channel's id; a private channel is seen only after /invite"
    else:
        step = f"see what Slack says about it: {refused.seen}"
    return Check("channel", ok=False, seen=refused.seen, next_step=step)


def _away(error: DeliveryError) -> Check:
    step = "try again in a while; slack-status.com tells of outages"
    return Check("Slack", ok=False, seen=str(error), next_step=step)
