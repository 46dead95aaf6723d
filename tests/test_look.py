"""The pages on which messages are looked at: every line is there, and nothing from elsewhere."""

import html
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.deliver import Courier, Sender
from alerts.message import digest
from alerts.model import ChartOf, Destination, Message, Picture
from alerts.publish import Outbox
from bot.platforms import discord, slack
from bot.platforms.pacing import Pacing
from core.db import Db
from tests.look import discord_markdown, slack_mrkdwn
from tests.look.__main__ import written
from tests.look.scene import Scene, Terminal
from tests.records import anomaly, judged, said
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer

LINES = [
    anomaly("BRK.B", ret_pct=3.1),
    anomaly("ZZ<Q", label="block-like", feature="trades"),
    anomaly("AB", split="4:1"),
    anomaly("SPYX", kind="ETF"),
    anomaly("LAST", day_no=2, peak_ratio=9.0),
]
CHANNELS = (
    Destination("console", "stdout"),
    Destination("discord", "77"),
    Destination("slack", "C077"),
)
PNG = b"\x89PNG\r\n\x1a\nnot drawn"


async def drawn(of: ChartOf) -> Picture:
    """A picture in name only: nobody looks at it here."""
    return Picture(PNG, f"{of.ticker}, drawn")


async def delivered(folder: Path) -> Scene:
    """One digest, by the real senders, as the local servers keep it."""
    terminal = Terminal()

    def now() -> datetime:
        return datetime.now(UTC)

    async with (
        DiscordServer(token="token") as on_discord,
        SlackServer(token="xoxb-token") as on_slack,
        Db.open(folder / "state.db") as db,
        discord.connected("token", on_discord.api_url, now=now, pacing=Pacing(8)) as to_discord,
        slack.connected("xoxb-token", on_slack.api_url, now=now, pacing=Pacing(8)) as to_slack,
    ):
        on_discord.add_channel(77)
        on_slack.add_channel("C077")
        async with db.transaction() as writer:
            await Outbox(CHANNELS, 10)(writer, judged(*LINES), now())
        senders: dict[str, Sender] = {"console": terminal, "discord": to_discord, "slack": to_slack}
        await Courier(db, senders, now, drawn).drain(patience_s=5)
        message = on_slack.messages("C077")[0]
        return Scene(on_discord.messages(77)[0], message, terminal.messages[0], on_slack.files)


def words(page: str) -> str:
    """What is read on it, in one line."""
    bare = re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
    return flat(html.unescape(bare))


def flat(text: str) -> str:
    """Without blanks and ends of lines, which each platform sets as it likes."""
    return re.sub(r"\s+", "", text)


def rows(message: Message) -> list[str]:
    """Every line of it, with its reasons."""
    listed = [*message.rows, *(row for section in message.sections for row in section.rows)]
    return [text for row in listed for text in (row.head, *row.details)]


async def test_every_line_of_a_digest_is_on_every_page_of_it(tmp_path: Path) -> None:
    pages = dict(written(await delivered(tmp_path)))
    lines = rows(digest(said(*LINES)))
    assert len(lines) >= 2 * len(LINES)
    for platform in ("discord", "slack", "terminal"):
        for size in ("phone", "desktop"):
            read = words(pages[f"{platform}-digest-{size}"])
            assert [line for line in lines if flat(line) not in read] == [], platform


async def test_nothing_on_a_page_is_fetched_and_its_picture_is_in_it(tmp_path: Path) -> None:
    pages = dict(written(await delivered(tmp_path)))
    for name, page in pages.items():
        assert not re.search(r"<(script|link|iframe|object|base)\b|@import|url\(|href=", page), name
        sources = re.findall(r'src="([^"]{1,30})', page)
        assert all(source.startswith("data:image/png;base64,") for source in sources), name
    assert pages["discord-digest-phone"].count("<img ") == 1
    assert pages["slack-digest-phone"].count("<img ") == 1


@pytest.mark.parametrize(
    ("markdown", "made"),
    [
        (r"**A\*B** \_x\_ <b>", "<b>A*B</b> _x_ &lt;b&gt;"),
        ("__u__ *i* ~~s~~ `a*b*`", "<u>u</u> <i>i</i> <s>s</s> <code>a*b*</code>"),
        ("```\n# <1>\n```\nx", "<pre># &lt;1&gt;</pre>x"),
        ("-# small\ny", '<div class="small">small</div>y'),
    ],
)
def test_markdown_is_shown_as_discord_shows_it(markdown: str, made: str) -> None:
    assert discord_markdown.shown(markdown) == made


@pytest.mark.parametrize(
    ("mrkdwn", "made"),
    [
        ("*A* &lt;b&gt; 2*3*4", "<b>A</b> &lt;b&gt; 2*3*4"),
        ("<https://a.b/c|words>", '<span class="link">words</span>'),
        ("`*a*`\n_i_", "<code>*a*</code><br><i>i</i>"),
    ],
)
def test_mrkdwn_is_shown_as_slack_shows_it(mrkdwn: str, made: str) -> None:
    assert slack_mrkdwn.shown(mrkdwn) == made
