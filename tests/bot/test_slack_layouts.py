"""A digest on Slack whose layout is refused: only what is refused is left out."""

import pytest

from alerts.letters import pushed
from alerts.model import Destination, Letter, Picture
from bot.platforms.slack import connected
from tests.alerts.test_message import CASES
from tests.bot.slack_desk import CHANNEL, TOKEN, local_slack
from tests.servers.local import utc_now
from tests.servers.slack import refusal

PNG = Picture(b"\x89PNG\r\n\x1a\n", "a line")
NO_TABLE, NO_FILE = refusal("invalid_blocks"), refusal("invalid_blocks: invalid slack file")


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ([], {"table", "image", "actions"}),
        ([NO_TABLE], {"image", "actions"}),
        ([NO_FILE], {"table", "actions"}),
        ([NO_FILE, NO_TABLE], {"actions"}),
        ([NO_TABLE, NO_TABLE], {"actions"}),
        ([NO_TABLE, NO_TABLE, NO_TABLE], set()),
    ],
)
async def test_only_what_is_refused_is_left_out(refused: list[object], left: set[str]) -> None:
    async with (
        local_slack() as server,
        connected(TOKEN, server.api_url, now=utc_now, poll_every_s=0.0) as sender,
    ):
        server.before.add(*refused, on="chat.postMessage")  # type: ignore[arg-type]
        letter = Letter("a key", pushed(CASES["five kinds"]), pictures=(PNG,))
        receipt = await sender.send(Destination("slack", CHANNEL), letter)
        (message,) = server.messages(CHANNEL)
        kinds = {block["type"] for block in message.blocks}
        assert kinds & {"table", "image", "actions"} == left
        assert bool(receipt.fallback) == bool(refused)
        assert "XYZQ" in str(message.blocks or message.text)
