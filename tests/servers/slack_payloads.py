"""The payloads of what people do, as Slack sends them."""

import secrets
from datetime import datetime

from tests.servers.chat import Row
from tests.servers.slack_asked import Thing
from tests.servers.slack_store import (
    APP,
    BOT_USER,
    DOMAIN,
    TEAM,
    Ephemeral,
    StoredChannel,
    StoredMessage,
    StoredView,
)

_APP = {"token": "verif", "api_app_id": APP}


def command(name: str, text: str, person: Row, channel: StoredChannel) -> Row:
    """A slash command; every value is a string. It knows no threads."""
    return {
        **{"token": "verif", "team_id": TEAM, "team_domain": DOMAIN},
        **{"channel_id": channel.id, "channel_name": _called(channel)},
        **{"user_id": person["id"], "user_name": person["name"]},
        **{"command": name, "text": text, "api_app_id": APP, "is_enterprise_install": "false"},
    }


def block_actions(
    source: Thing, action: Row, state: Row, person: Row, channel: StoredChannel
) -> Row:
    """Something was pressed. Of an ephemeral message, Slack tells its ts and nothing more."""
    payload = {"type": "block_actions", **_by(person), "state": {"values": state}}
    payload["actions"] = [action]
    if isinstance(source, StoredView):
        payload["container"] = {"type": "view", "view_id": source.id}
        payload["view"] = source.wire(state)
        return payload
    container: Row = {"type": "message", "message_ts": source.ts, "channel_id": source.channel}
    container["is_ephemeral"] = isinstance(source, Ephemeral)
    if source.thread_ts is not None:
        container["thread_ts"] = source.thread_ts
    payload["container"] = container
    payload["channel"] = {"id": channel.id, "name": _called(channel)}
    if isinstance(source, StoredMessage):
        payload["message"] = source.wire()
    return payload


def view_submission(view: StoredView, state: Row, person: Row) -> Row:
    """A modal was submitted."""
    told = {"view": view.wire(state), "response_urls": list[Row]()}
    return {"type": "view_submission", **_by(person), **told}


def view_closed(view: StoredView, person: Row) -> Row:
    """A modal that wants to know of it was closed."""
    return {"type": "view_closed", **_by(person), "view": view.wire(), "is_cleared": False}


def app_mention(message: StoredMessage, at: datetime) -> Row:
    """Someone spoke to the bot."""
    event = {"type": "app_mention", "user": message.user, "text": message.text, "ts": message.ts}
    event |= {"client_msg_id": message.client_msg_id or "", "team": TEAM}
    event |= {"channel": message.channel, "event_ts": message.ts}
    if message.thread_ts is not None:
        event["thread_ts"] = message.thread_ts
    bot = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}
    return {
        **{"token": "verif", "team_id": TEAM, "api_app_id": APP, "event": event},
        **{"type": "event_callback", "event_id": f"Ev{secrets.token_hex(5).upper()}"},
        **{"event_time": int(at.timestamp()), "is_ext_shared_channel": False},
        "authorizations": [bot | {"is_enterprise_install": False}],
        "event_context": f"1-app_mention-{TEAM}-{message.channel}",
    }


def _by(person: Row) -> Row:
    return {
        **_APP,
        "user": {**person, "username": person["name"], "team_id": TEAM},
        "team": {"id": TEAM, "domain": DOMAIN},
        **{"enterprise": None, "is_enterprise_install": False},
    }


def _called(channel: StoredChannel) -> str:
    """Slack does not say what a private channel is called."""
    if channel.id.startswith("D"):
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name
