"""What slack_sdk raises, in the words of the outbox."""

from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import (
    BotUserAccessError,
    SlackApiError,
    SlackClientConfigurationError,
    SlackClientError,
    SlackClientNotConnectedError,
    SlackObjectFormationError,
    SlackRequestError,
    SlackTokenRotationError,
)

from alerts.budget import clipped
from alerts.words import inert
from bot.platforms import network
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)

TRANSLATED = (SlackApiError, SlackClientError)
"""What the calls of a sender are known to raise."""

NEVER_HERE = (
    # Of Socket Mode, of tokens that are renewed, and of mistakes in our own code.
    SlackClientNotConnectedError,
    SlackTokenRotationError,
    SlackClientConfigurationError,
    SlackObjectFormationError,
    SlackRequestError,
    BotUserAccessError,
)
"""Were one of these to come all the same, nobody knows what became of the message."""

FOREIGN = (SlackClientError, *network.FOREIGN, *network.ODD)
"""All that is translated."""

_REASONS: Mapping[Reason, tuple[str, ...]] = {
    Reason.TOKEN_REFUSED: (
        *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"),
        "org_login_required",
    ),
    Reason.CHANNEL_GONE: ("channel_not_found", "is_archived", "channel_is_archived"),
    Reason.NOT_A_MEMBER: ("not_in_channel", "user_not_in_channel"),
    Reason.NO_PERMISSION: (
        *("missing_scope", "no_permission", "access_denied", "ekm_access_denied"),
        *("restricted_action", "restricted_action_read_only_channel"),
        *("restricted_action_thread_only_channel", "restricted_action_non_threadable_channel"),
        *("restricted_action_thread_locked", "not_allowed_token_type", "team_access_not_granted"),
        *("posting_to_general_channel_denied", "messages_tab_disabled", "edit_window_closed"),
    ),
    Reason.MESSAGE_GONE: (
        *("message_not_found", "cannot_reply_to_message", "thread_not_found"),
        "cant_update_message",
    ),
}
_REASON_OF = {error: reason for reason, errors in _REASONS.items() for error in errors}
_UNCLEAR = (
    # Whether the message is there, Slack itself does not know.
    *("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
    *("duplicate_message_not_found", "duplicate_channel_not_found"),
)
_RATE_LIMITED = ("ratelimited", "rate_limited", "message_limit_exceeded")


def translated(error: BaseException) -> DeliveryError:
    """The error to raise instead."""
    if isinstance(error, SlackApiError):
        return _answered(error)
    if isinstance(error, SlackClientError):
        return DeliveryAmbiguous(Reason.SERVER_ERROR, type(error).__name__)
    return network.translated(error)


def error_of(error: DeliveryError) -> str:
    """Slack's own word for what was translated; empty if there is none."""
    cause = error.__cause__
    return str(_body(cause).get("error") or "") if isinstance(cause, SlackApiError) else ""


def is_about_a_file(error: DeliveryError) -> bool:
    """Was it a picture that Slack would not show?"""
    return "slack file" in error.seen or "slack_file" in error.seen


def _answered(error: SlackApiError) -> DeliveryError:
    body, status = _body(error), _status(error)
    word = str(body.get("error") or "")
    seen = clipped(inert(" ".join([word or f"status {status}", *_details(body)])), 200)
    if status == 429 or word in _RATE_LIMITED:
        wait = network.seconds(error.response.headers.get("Retry-After"))
        return DeliveryDeferred(Reason.RATE_LIMITED, seen, retry_after_s=wait)
    if status >= 500 or status == 408 or word in _UNCLEAR or (status < 400 and not word):
        return DeliveryAmbiguous(Reason.SERVER_ERROR, seen)
    return DeliveryRefused(_REASON_OF.get(word, Reason.MESSAGE_REJECTED), seen)


def _body(error: SlackApiError) -> Mapping[str, Any]:
    """What Slack said; nothing if it was no JSON, and then the answer is aiohttp's own."""
    data = getattr(error.response, "data", None)
    return data if isinstance(data, dict) else {}


def _status(error: SlackApiError) -> int:
    answer: Any = error.response
    return int(getattr(answer, "status_code", None) or getattr(answer, "status", None) or 0)


def _details(body: Mapping[str, Any]) -> list[str]:
    told = [str(body[name]) for name in ("needed",) if body.get(name)]
    metadata = body.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return told + ([str(m) for m in messages[:2]] if isinstance(messages, list) else [])
