"""What Discord's readers see: snapshots to be reviewed, and that no content breaks out of it."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alerts.letters import details, held, pushed
from alerts.message import digest
from alerts.model import Message, Picture, Row, Section
from alerts.words import inert
from bot.platforms.discord_text import (
    EMBED_TOTAL,
    Rendered,
    escaped,
    rendered,
    stamp_of,
    text_only,
)
from tests.alerts.test_message import CASES
from tests.bot.hostile import HOSTILE, MESSAGES, something_to_see
from tests.records import DAILY, SESSION, anomaly, said
from tests.servers.discord_rules import problems

SHOWN = (
    *("first alert", "five kinds", "quad-witching", "repeats folded", "split today"),
    *("possible split", "ETFs, headlines and listings", "nothing today", "sample"),
    "off exchange, FINRA's volume",
)
PICTURE = Picture(b"png", "a line")


def payload(made: Rendered, pictures: int = 0) -> dict[str, object]:
    files = [{"id": str(n), "filename": f"chart{n}.png"} for n in range(pictures)]
    embeds = [embed.to_dict() for embed in made.embeds]
    return {"content": made.content, "embeds": embeds, "attachments": files}


def read(made: Rendered) -> str:
    """As a reader goes through it."""
    parts = [made.content]
    for embed in made.embeds:
        parts += [f"--- {embed.colour}"]
        parts += [text for text in (embed.author.name, embed.title, embed.description) if text]
        parts += [f"[{embed.image.url}]"] if embed.image.url else []
        parts += [f"... {embed.footer.text}"] if embed.footer.text else []
    return "\n".join(parts)


@pytest.mark.parametrize("case", SHOWN)
def test_digests_on_discord_read_as_reviewed(case: str, snapshot: SnapshotAssertion) -> None:
    made = rendered(digest(CASES[case]))
    assert problems(payload(made)) == []
    assert read(made) == snapshot


def test_brief_messages_read_as_reviewed(snapshot: SnapshotAssertion) -> None:
    charts = details(CASES["five kinds"])
    brief = [
        rendered(pushed(CASES["nothing today"])),
        rendered(pushed(CASES["no baseline yet"])),
        rendered(held(DAILY, SESSION, "12 names have twice their volume")),
        rendered(charts, [PICTURE, PICTURE]),
    ]
    assert "\n\n=====\n\n".join(map(read, brief)) == snapshot


def test_the_text_without_layout_reads_as_reviewed(snapshot: SnapshotAssertion) -> None:
    made = text_only(digest(CASES["ETFs, headlines and listings"]))
    assert problems(payload(made)) == []
    assert made.embeds == ()
    assert made.content == snapshot


def test_the_notification_is_the_lead() -> None:
    for report in CASES.values():
        message = digest(report)
        if not message.stamp:
            assert rendered(message).content.replace("\\`", "`") == message.lead


def test_invented_numbers_say_so_in_the_notification_and_above_the_list() -> None:
    for made in (rendered(digest(CASES["sample"])), rendered(pushed(CASES["sample"]))):
        assert made.content.startswith("SAMPLE")
        assert "SAMPLE" in (made.embeds[0].author.name or "")
    brief = rendered(replace(digest(CASES["sample"]), brief=True))
    assert brief.content.startswith("SAMPLE · ")


def test_a_brief_message_is_lead_and_banners_only() -> None:
    message = replace(digest(CASES["fallback to REST"]), brief=True)
    made = rendered(message)
    assert made.embeds == ()
    assert made.content.splitlines()[0] == message.lead
    assert len(made.content.splitlines()) == 1 + len(message.banners)


def test_thirteen_lines_with_headlines_fit_whole() -> None:
    row = digest(CASES["ETFs, headlines and listings"]).rows[0]
    made = rendered(replace(digest(CASES["five kinds"]), rows=(row,) * 13))
    assert "did not fit" not in read(made)


def test_what_does_not_fit_is_named_in_the_footer() -> None:
    many = digest(said(*(anomaly(f"T{n:02}") for n in range(40)), top=40))
    made = rendered(many)
    assert sum(map(len, made.embeds)) > EMBED_TOTAL * 0.9
    footer = made.embeds[-1].footer.text or ""
    assert "did not fit" in footer.splitlines()[0]
    assert footer.splitlines()[0].endswith("/anomalies 2026-12-17 all")


def test_the_button_says_by_which_data() -> None:
    assert stamp_of(digest(CASES["second revision"])) == "data revision 2"
    assert stamp_of(Message("t", "l")) == "Tapewatch"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BRK.B −3.1% ($20-100M)", "BRK.B −3.1% ($20-100M)"),
        ("*bold* _it_ ~~s~~ `c` ||x||", r"\*bold\* \_it\_ \~\~s\~\~ \`c\` \|\|x\|\|"),
        ("[a](https://b.c) d", r"\[a\](https\://b.c) d"),
        ("@everyone <@1> <#2> <:e:3>", "@\u200beveryone \\<@\u200b1\\> \\<#2\\> \\<:e:3\\>"),
        ("# head", r"\# head"),
        ("- item", r"\- item"),
        ("-# small", r"\-# small"),
        ("> quote", r"\> quote"),
        ("see https://a.b/c_d?e=f", "see <https://a.b/c_d?e=f>"),
        ("see https://a.b/@x", "see <https://a.b/%40x>"),
        ("https://a.b and more", r"https\://a.b and more"),
        ("javascript://a", r"javascript\://a"),
        ("two\nlines\u202e turned", "two lines turned"),
        ("back\\slash*", r"back\\slash\*"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(HOSTILE)
def test_no_text_is_acted_upon(text: str) -> None:
    made = escaped(text)
    link = re.search(r"<https?://[^\s<>@]+>$", made)
    words = made[: link.start()] if link else made
    plain = re.sub(r"\\[\\*_~`|\[\]<>#+:-]", "", words)
    assert not re.search(r"[\\*_~`|\[\]<>]|@(?!\u200b)|://", plain)
    assert not re.match(r"\s*[#+-]", words)
    assert "\n" not in made
    unescaped = re.sub(r"\\(.)", r"\1", words).replace("@\u200b", "@")
    assert unescaped == inert(text).rstrip()[: len(unescaped)]


BIG = Message(
    title="*" * 999,
    lead="@everyone " * 999,
    banners=("`" * 5_000,) * 30,
    rows=tuple(Row("_" * 900, ("|" * 900,) * 3) for _ in range(300)),
    sections=(Section("~" * 999, (Row("[x](y)" * 99),) * 200),),
    facts=(("<@1>" * 99, "<!x>" * 99),) * 100,
    footer=("\\" * 9_000,) * 40,
    context=("#" * 9_000,) * 40,
    stamp="S" * 999,
)


@settings(max_examples=40, deadline=None)
@given(MESSAGES, st.integers(0, 12))
@example(BIG, 12)
@example(replace(BIG, brief=True), 12)
@example(Message("", ""), 0)
@example(Message("\u200b", " ", rows=(Row(" "),), footer=("\u200b",)), 0)
def test_no_message_breaks_a_limit_or_pings_anyone(message: Message, pictures: int) -> None:
    shown = min(pictures, 7)
    for made, files in (
        (rendered(message, [PICTURE] * pictures), shown),
        (text_only(message), 0),
    ):
        body = payload(made, files)
        assert problems(body) == []
        assert something_to_see(made.content)
        said_ = json.dumps(body, ensure_ascii=False)
        assert "@everyone" not in said_
        assert "@here" not in said_
        assert not re.search(r"(?<!\\)<(?!https?://)[@#!:/a-z]", made.content)
