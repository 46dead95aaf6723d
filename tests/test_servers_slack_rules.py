"""The limits of Slack's messages, as the local Slack has them."""

from typing import Any

import pytest

from tests.servers.slack_rules import problems

METADATA = {"event_type": "alert", "event_payload": {"k": "a1b2"}}


def text(words: str, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": kind, "text": words}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": text("Why", "plain_text"), "action_id": "why"} | more


def section(**parts: Any) -> list[dict[str, Any]]:
    return [{"type": "section"} | parts]


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "elements": list(elements)}]


def buttons(count: int) -> list[dict[str, Any]]:
    return actions(*(button(action_id=f"b{i}") for i in range(count)))


def table(rows: int, columns: int) -> list[dict[str, Any]]:
    return [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * columns] * rows}]


def header(words: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "header", "text": text(words, "plain_text")} | more]


def context(count: int) -> list[dict[str, Any]]:
    return [{"type": "context", "elements": [text("x")] * count}]


def image(alt: str) -> list[dict[str, Any]]:
    return [{"type": "image", "image_url": "https://example.com/x.png", "alt_text": alt}]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ([{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
        (section(text=text("x" * 3000)), section(text=text("x" * 3001))),
        (section(fields=[text("x")] * 10), section(fields=[text("x")] * 11)),
        (section(fields=[text("x" * 2000)]), section(fields=[text("x" * 2001)])),
        (section(text=text("x")), section(text=text(""))),
        (section(text=text("x")), section(text=text("x"), colour="red")),
        (header("x" * 150), header("x" * 151)),
        (header("x"), [{"type": "header", "text": text("x")}]),
        (header("x", block_id="i" * 255), header("x", block_id="i" * 256)),
        (header("x", block_id="i") + header("x"), header("x", block_id="i") * 2),
        (context(10), context(11)),
        (buttons(25), buttons(26)),
        (buttons(2), actions(button(), button())),
        (actions(button(value="v" * 2000)), actions(button(value="v" * 2001))),
        (actions(button(action_id="i" * 255)), actions(button(action_id="i" * 256))),
        (image("a" * 2000), image("a" * 2001)),
        (table(100, 20), table(101, 20)),
        (table(1, 20), table(1, 21)),
        (table(1, 1), table(1, 1) * 2),
        ([{"type": "markdown", "text": "x"}], [{"type": "marquee", "text": "x"}]),
        (
            actions(button(text=text("x" * 75, "plain_text"))),
            actions(button(text=text("x" * 76, "plain_text"))),
        ),
        (section(text=text("x" * 3000)) * 4, section(text=text("x" * 3000)) * 4 + header("x")),
    ],
)
def test_the_rules_end_where_slack_says(good: Any, bad: Any) -> None:
    assert problems({"text": "x", "blocks": good}) == []
    assert len(problems({"text": "x", "blocks": bad})) == 1


@pytest.mark.parametrize(
    ("good", "bad", "error"),
    [
        ({"text": "x" * 40_000}, {"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": header("x")}, {}, "no_text"),
        ({"text": "x"}, {"text": "x", "blocks": "x"}, "invalid_blocks_format"),
        (
            {"text": "x", "metadata": {"event_type": "e", "event_payload": {"k": "v" * 8_100}}},
            {"text": "x", "metadata": {"event_type": "e", "event_payload": {"k": "v" * 8_192}}},
            "metadata_too_large",
        ),
        (
            {"text": "x", "metadata": METADATA},
            {"text": "x", "metadata": {"event_type": "e"}},
            "invalid_metadata_format",
        ),
    ],
)
def test_a_whole_message_has_limits_too(good: Any, bad: Any, error: str) -> None:
    assert problems(good) == []
    assert problems(bad) == [error]
