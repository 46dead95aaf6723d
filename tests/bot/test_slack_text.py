"""What Slack's readers see: snapshots to be reviewed, and that no content breaks out of it."""

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from syrupy.assertion import SnapshotAssertion

from alerts.letters import details, held, pushed
from alerts.message import digest
from alerts.model import Message, Row
from alerts.words import inert
from bot.platforms.slack_text import (
    DIGEST,
    WHOLE,
    Look,
    Rendered,
    Shown,
    escaped,
    rendered,
    text_only,
)
from tests.alerts.test_message import CASES
from tests.bot.hostile import HOSTILE, MARKUP, MESSAGES, something_to_see
from tests.bot.test_discord_text import BIG, SHOWN
from tests.records import DAILY, SESSION, anomaly, said
from tests.servers.slack_rules import problems

PICTURE = Shown("F0000000001", "a line")
SHARED = Look(people={"U0VICTIM0": "x slack:@U0VICTIM0 :tada:"})
"""By somebody who chose their name."""


def payload(made: Rendered) -> dict[str, Any]:
    return {"text": made.text, "blocks": list(made.blocks)}


def read(made: Rendered) -> str:
    """As a reader goes through it."""
    parts = [f"({made.text})"]
    for block in made.blocks:
        match block["type"]:
            case "image":
                parts.append(f"[{block['alt_text']}]")
            case "table":
                parts += ["| " + " | ".join(cell["text"] for cell in row) for row in block["rows"]]
            case "actions":
                parts.append(" ".join(map(clickable, block["elements"])))
            case kind:
                texts = [block["text"]] if "text" in block else block.get("elements", [])
                sign = {"header": "# ", "context": "... "}.get(kind, "")
                parts += [sign + text["text"] for text in texts]
    return "\n".join(parts)


def clickable(element: dict[str, Any]) -> str:
    """A button, or a menu with all that can be chosen."""
    if element["type"] == "button":
        return f"[{element['text']['text']}]"
    told = [
        " - ".join(option[part]["text"] for part in ("text", "description") if part in option)
        for option in element["options"]
    ]
    return "\n  ".join([f"[{element['placeholder']['text']} v]", *told])


def markup(made: Rendered) -> list[str]:
    """All texts in which Slack looks for markup."""
    return [made.text, *marked_up(made.blocks)]


def marked_up(part: Any) -> list[str]:
    """The same in a part of its blocks."""
    if isinstance(part, list | tuple):
        return [text for each in part for text in marked_up(each)]
    if not isinstance(part, dict):
        return []
    own = [str(part["text"])] if part.get("type") == "mrkdwn" else []
    return own + [text for value in part.values() for text in marked_up(value)]


@pytest.mark.parametrize("case", SHOWN)
def test_digests_on_slack_read_as_reviewed(case: str, snapshot: SnapshotAssertion) -> None:
    made = rendered(digest(CASES[case]))
    assert problems(payload(made)) == []
    assert read(made) == snapshot


def test_brief_messages_read_as_reviewed(snapshot: SnapshotAssertion) -> None:
    brief = [
        rendered(pushed(CASES["nothing today"])),
        rendered(pushed(CASES["no baseline yet"])),
        rendered(held(DAILY, SESSION, "12 names have twice their volume")),
        rendered(details(CASES["five kinds"]), [PICTURE, PICTURE]),
    ]
    assert "\n\n=====\n\n".join(map(read, brief)) == snapshot


def test_the_text_without_layout_reads_as_reviewed(snapshot: SnapshotAssertion) -> None:
    made = text_only(digest(CASES["ETFs, headlines and listings"]))
    assert made.blocks == ()
    assert made.text == snapshot


def test_the_notification_is_the_lead() -> None:
    for report in CASES.values():
        message = digest(report)
        if not message.stamp:
            assert html.unescape(rendered(message).text).replace("ˋ", "`") == message.lead


def test_invented_numbers_say_so_in_the_notification_and_above_the_list() -> None:
    for brief in (False, True):
        made = rendered(replace(digest(CASES["sample"]), brief=brief))
        assert made.text.startswith("SAMPLE")
        assert "SAMPLE" in made.blocks[0]["elements"][0]["text"]


def test_a_brief_message_is_lead_and_banners_only() -> None:
    message = replace(digest(CASES["fallback to REST"]), brief=True)
    lead, banners = rendered(message).blocks
    assert lead["text"]["text"] == message.lead
    assert banners["text"]["text"].count("⚠") == len(message.banners)


def test_what_does_not_fit_is_named_in_the_footer() -> None:
    many = digest(said(*(anomaly(f"T{n:02}") for n in range(60)), top=60))
    made = rendered(many)
    assert len(json.dumps(made.blocks)) > WHOLE * 0.8
    assert re.search(r"did not fit.*; /anomalies 2026-12-17 all", read(made))


def test_lines_without_reasons_stand_together() -> None:
    bare = replace(
        digest(CASES["five kinds"]),
        rows=tuple(replace(row, details=()) for row in digest(CASES["five kinds"]).rows),
    )
    assert sum(block["type"] == "section" for block in rendered(bare).blocks) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BRK.B −3.1% ($20-100M)", "BRK.B −3.1% ($20-100M)"),
        ("A & B < C", "A &amp; B &lt; C"),
        ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;"),
        ("*bold* ~s~ `c`", "∗bold∗ ∼s∼ ˋcˋ"),
        ("_it_ DARK_POOL_ONLY", "ˍitˍ DARK_POOL_ONLY"),
        ("> quote", "\u200b&gt; quote"),
        ("see https://a.b/c?d=e&f=g_h", "see <https://a.b/c?d=e&amp;f=g_h>"),
        ("https://a.b and more", "https://a.b and more"),
        (":tada: :+1: :8ball:", ":\u200btada: :\u200b+1: :\u200b8ball:"),
        ("9:30 quiet:22:00-07:00 at 16:30:05", "9:30 quiet:22:00-07:00 at 16:30:05"),
        ("by slack:@U1", "by slack:@U1"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert escaped(text) == shown


MARKUPS: list[str] = MARKUP.elements  # type: ignore[attr-defined]
LOOK_ALIKE = str.maketrans({"∗": "*", "∼": "~", "ˋ": "`", "ˍ": "_", "\u200b": ""})


@given(HOSTILE)
def test_no_text_is_acted_upon(text: str) -> None:
    made = escaped(text)
    link = re.search(r"<https?://[^\s<>|]+>$", made)
    # A channel is a link that tells nobody.
    words = re.sub(r"<#([CG]\w+)>", r"slack:\1", made[: link.start()] if link else made)
    assert not re.search(r"[<>*~`\n]|&(?!amp;|lt;|gt;)|(?<![^\W_])_|_(?![^\W_])", words)
    assert not re.match(r"\s*&gt;", words)
    assert not re.search(r":[a-z+][\w+-]*:", words)
    clean = inert(text).rstrip().translate(LOOK_ALIKE)
    assert clean.startswith(html.unescape(words).translate(LOOK_ALIKE))


@settings(max_examples=40, deadline=None)
@given(MESSAGES, st.integers(0, 7), st.sampled_from([DIGEST, SHARED]))
@example(BIG, 7, DIGEST)
@example(replace(BIG, brief=True), 7, DIGEST)
@example(Message("", ""), 0, DIGEST)
@example(Message("\u200b", " ", footer=("\u200b",)), 0, DIGEST)
@example(Message("\u202e", ""), 0, DIGEST)
@example(Message("\x1b", "", stamp="\x1b"), 1, DIGEST)
@example(Message("", " ".join(MARKUPS)), 0, DIGEST)
@example(Message("", "", facts=((":tada:a", "x"),)), 0, DIGEST)
@example(Message("", "x", rows=tuple(Row(text, (text,)) for text in MARKUPS)), 0, SHARED)
def test_no_message_breaks_a_limit_or_pings_anyone(
    message: Message, pictures: int, look: Look
) -> None:
    for made in (rendered(message, [PICTURE] * pictures, look), text_only(message, look)):
        assert problems(payload(made)) == []
        assert something_to_see(made.text)
        assert len(json.dumps(made.blocks)) <= WHOLE
        for block in made.blocks:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.validate_json()
        for text in markup(made):
            assert "<@" not in text
            assert not re.search(r"<(?!https?://[^\s<>|]+>|#[CG][A-Z0-9]+>)", text)
            assert not re.search(r":[a-z+][\w+-]*:", text.partition("<http")[0])
