"""Messages that nobody should send: markup, mentions, giants, hundreds of lines."""

import unicodedata

from hypothesis import strategies as st

from alerts.model import Message, Row, Section

MARKUP = st.sampled_from(
    [
        *("@everyone", "@here", "<@1>", "<@&1>", "<#1>", "<!channel>", "<!here|x>", "<!date^1^x>"),
        *("**b**", "*b*", "__u__", "_i_", "~s~", "~~s~~", "`c`", "```x", "||x||", "> q", "# h"),
        *("-# s", "- l", "1. n", "[a](https://evil.example)", "https://evil.example", "&lt;", "&"),
        *("<https://evil.example|safe>", "\u202e", "\u2066", "\x00", "\n", "\r\n", "\u2028", "\\"),
        *("javascript://x", "www.evil.example", ":smile:", "\u200b", "𝔘" * 50, "é́́́", "\t", " "),
        *("</cmd:1>", "<t:1:R>", "<:e:1>", "<a:e:1>", "steam://run", "discord.gg/x"),
        *("slack:@U0VICTIM0", "slack:\u061c@U0VICTIM0", "\x01slack:@U0VICTIM0", "slack:C0VICTIM0"),
        *("(\u200fslack:@W0VICTIM0", "s\u2066lack:@U0VICTIM0"),
        *(":tada:", "x:+1:", ":8ball:", ":wave::skin-tone-2:", ":100:"),
    ]
)
HOSTILE = st.lists(MARKUP | st.text(max_size=20), max_size=8).map("".join) | st.text(max_size=400)
LONG = HOSTILE | st.builds(lambda text, n: text * n, HOSTILE, st.integers(1, 60))


def something_to_see(text: str) -> bool:
    """Is there any sign in it that is no space and not invisible?"""
    return any(unicodedata.category(sign)[0] in "LMNPS" for sign in text)


_texts = st.lists(LONG, max_size=4).map(tuple)
_rows = st.builds(
    lambda rows, n: tuple(rows) * n,
    st.lists(st.builds(Row, LONG, _texts), max_size=4),
    st.sampled_from([1, 1, 3, 80]),
)
MESSAGES = st.builds(
    Message,
    title=LONG,
    lead=LONG,
    context=_texts,
    banners=_texts,
    rows=_rows,
    sections=st.lists(st.builds(Section, LONG, _rows), max_size=2).map(tuple),
    facts=st.lists(st.tuples(LONG, LONG), max_size=12).map(tuple),
    footer=_texts,
    stamp=st.sampled_from(["", "SAMPLE: the built-in market, invented numbers"]) | HOSTILE,
    brief=st.booleans(),
)
