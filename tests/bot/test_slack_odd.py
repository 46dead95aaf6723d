"""What is signed by Slack, or comes by its socket, and yet is not what Slack says that it sends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bot.slack_desk import ALICE, BOB, CHANNEL, Slack, desk
from tests.servers.slack_asked import Asked, Kind

MENTION = {"type": "app_mention", "text": "<@U0BOT> help", "channel": CHANNEL, "ts": "1.2"}
PRESSED = {"type": "block_actions", "trigger_id": "9.9", "user": {"id": ALICE}}
ODD: Mapping[str, tuple[Kind, dict[str, Any]]] = {
    "an event that is none": ("events_api", {"type": "event_callback", "event": "x"}),
    "nobody's mention": ("events_api", {"type": "event_callback", "event": MENTION}),
    "a command from nowhere": ("slash_commands", {"command": "/help", "user_id": ALICE}),
    "a press of letters": ("interactive", PRESSED | {"actions": "x"}),
    "a press by letters": ("interactive", PRESSED | {"actions": [{}], "user": "x"}),
    "no window": ("interactive", {"type": "view_submission", "user": {"id": ALICE}}),
}


async def sent(slack: Slack, kind: Kind, payload: dict[str, Any]) -> None:
    asked = Asked(kind, ALICE, CHANNEL, slack.server.changes, payload)
    await slack.server.sockets.dispatch(asked)
    await asked.acknowledged(5)


@pytest.mark.parametrize("what", ODD)
async def test_what_is_odd_is_acknowledged_and_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    async with desk(folder) as slack:
        for _ in range(2):
            await sent(slack, *ODD[what])
        assert "What can be asked" in await slack.ask("/tapewatch help", user_id=BOB)
    said = [r.message for r in caplog.records if "cannot be read" in r.message]
    assert len(said) == 1
    assert "not answered" not in caplog.text
