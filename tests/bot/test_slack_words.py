"""What is typed on Slack, as it is meant; and what of our texts can be typed there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Message, Row, Section
from bot.commands import Commands
from bot.platforms.slack_words import RESERVED, cleaned, declared, linked, mentioned, spoken, typed
from bot.requests import CommandRequest
from core.errors import CommandError
from tests.bot.hostile import HOSTILE


@pytest.mark.parametrize(
    ("command", "text", "line"),
    [
        ("/ticker", "NVDA 60", "ticker NVDA 60"),
        ("/Ticker", "  NVDA\u00a0\u00a060 ", "ticker NVDA 60"),
        ("/tw-mute", "NVDA 3", "mute NVDA 3"),
        ("/mute", "NVDA", "mute NVDA"),
        ("/tapewatch", "mute NVDA", "mute NVDA"),
        ("/tapewatch", "/tw-mute NVDA", "mute NVDA"),
        ("/tapewatch", "Ticker NVDA", "ticker NVDA"),
        ("/tapewatch", "", "help"),
        ("/tw-help", "", "help"),
        ("/ticker", "$nvda", "ticker nvda"),
        ("/watch", "add $here", "watch add $here"),
        ("/ticker", "“NVDA”", "ticker NVDA"),
        ("/ticker", "<http://BRK.B|BRK.B> 30", "ticker BRK.B 30"),
        ("/ticker", "*NVDA* `60`", "ticker NVDA 60"),
        ("/ticker", "*NVDA 60*", "ticker NVDA 60"),
        ("/ticker", "\u200bNV\u200bDA\ufeff", "ticker NVDA"),
        ("/ticker", "NVDA 2026–11–25", "ticker NVDA 2026-11-25"),
        ("/channels", "<#C0123|alerts> test", "channels slack:C0123 test"),
        ("/watch", "<@U0123|ann>", "watch slack:@U0123"),
        ("/watch", "<@U0123>", "watch slack:@U0123"),
        ("/mute", "NVDA because R&amp;D &lt;3 “so what”", 'mute NVDA because R&D <3 "so what"'),
        ("/preview", "floor:$5M", "preview floor:$5M"),
        ("/why", "<!channel> <!subteam^S1|@ops>", "why channel @ops"),
        ("/why", "<mailto:a@b.co|a@b.co>", "why a@b.co"),
        ("/why", "<https://example.com/x>", "why https://example.com/x"),
        ("/ticker", "“NVDA 60”", "ticker NVDA 60"),
        ("/tapewatch", "'ticker NVDA 60'", "ticker NVDA 60"),
        ("/ticker", "“NVDA” “60”", "ticker NVDA 60"),
        ("/ticker", "<| BRK.B> 60", "ticker BRK.B 60"),
        ("/ticker", "NVDA, 60", "ticker NVDA 60"),
        ("/ticker", "NVDA,60", "ticker NVDA 60"),
        ("/ticker", "$nvda;60.", "ticker nvda 60"),
        ("/ticker", "nvda.", "ticker nvda"),
        ("/ticker", "NVDA , 60 ...", "ticker NVDA 60"),
        ("/ticker", "BRK.B, 2026-11-25,", "ticker BRK.B 2026-11-25"),
        ("/ticker", "NVDA 1,000", "ticker NVDA 1,000"),
        ("/preview", "min:4.5, floor:5,000,000", "preview min:4.5 floor:5,000,000"),
        ("/tapewatch", "ticker, NVDA", "ticker NVDA"),
        ("/mute", "NVDA, Because it is, well, late.", "mute NVDA Because it is, well, late."),
        ("/mute", "NVDA because “a, b.”", 'mute NVDA because "a, b."'),
    ],
)
def test_a_line_is_read_as_it_was_meant(command: str, text: str, line: str) -> None:
    assert typed(command, text) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<@U0BOT> ticker NVDA", "ticker NVDA"),
        ("<@U0BOT|tapewatch>: why NVDA", "why NVDA"),
        ("hey <@U0BOT>", "hey"),
        ("<@U0BOT>", "help"),
        ("<@U0BOT> /tw-mute NVDA", "mute NVDA"),
    ],
)
def test_a_mention_is_a_command_too(text: str, line: str) -> None:
    assert mentioned(text, "U0BOT") == line


@given(HOSTILE)
def test_whatever_is_typed_becomes_one_line_of_words(text: str) -> None:
    line = typed("/ticker", text)
    assert line.split(" ")[0] == "ticker"
    assert line == " ".join(line.split())
    assert cleaned(text) == " ".join(cleaned(text).split())


def test_no_declared_name_is_slacks_own() -> None:
    names = {declared(name).removeprefix("/") for name in Commands.USAGE}
    assert not names & RESERVED
    assert {"tw-mute", "tw-feedback", "tw-help", "ticker"} <= names
    assert len(names) == len(Commands.USAGE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/mute NVDA; /help.", "/tw-mute NVDA; /tw-help."),
        ("(/feedback)", "(/tw-feedback)"),
        ("/mutes and /muted stay", "/mutes and /muted stay"),
        ("https://x.y/mute", "https://x.y/mute"),
        ("and/mute", "and/mute"),
        ("/mute/x", "/mute/x"),
        ("write /invite and the app's name", "write /invite and the app's name"),
        ("/anomalies 2026-11-25 all", "/anomalies 2026-11-25 all"),
    ],
)
def test_texts_name_the_command_that_can_be_typed_here(text: str, said: str) -> None:
    assert spoken(Message("", text)).lead == said


def test_it_is_said_everywhere_in_a_message() -> None:
    message = Message(
        *("/mute", "/mute", ("/mute",), ("/mute",)),
        rows=(Row("/mute", ("/mute",)),),
        sections=(Section("/mute", (Row("/mute", ("/mute",)),)),),
        facts=(("/mute", "/mute"),),
        footer=("/mute",),
    )
    assert not re.search("/mute", str(spoken(message)))


@pytest.mark.parametrize(
    ("text", "private", "public"),
    [
        ("by slack:@U123", "by <@U123>", "by @ann"),
        ("by slack:@U999, so", "by <@U999>, so", "by @U999, so"),
        ("in slack:C123.", "in <#C123>.", "in <#C123>."),
        ("by slack:\u061c@U123", "by <@U123>", "by @ann"),
        ("\x01slack:@U123", "<@U123>", "@ann"),
        ("(\u200fslack:@W999)", "(<@W999>)", "(@W999)"),
        ("https://x/slack:@U123", "https://x/slack:@U123", "https://x/slack:@U123"),
        ("slack:@u123 discord:@1", "slack:@u123 discord:@1", "slack:@u123 discord:@1"),
    ],
)
def test_people_are_mentioned_only_where_it_notifies_nobody(
    text: str, private: str, public: str
) -> None:
    assert linked(spoken(Message("", text)).lead, people=True) == private
    assert linked(spoken(Message("", text), {"U123": "ann"}).lead, people=False) == public


def test_the_example_of_an_id_is_no_channel() -> None:
    with pytest.raises(CommandError) as caught:
        CommandRequest.parse("unsubscribe slack:#alerts", "slack:@U1", "slack:C1").redirected()
    assert "slack:C0" in str(caught.value)
    assert "<" not in linked(str(caught.value), people=True)


@given(HOSTILE | st.sampled_from(["slack:@U1", "slack:C123 slack:@W9"]))
def test_no_text_grows_by_it(text: str) -> None:
    assert len(linked(text, people=True)) <= len(text)
