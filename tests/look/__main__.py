"""python -m tests.look OUT_FOLDER: pages of real messages, and pictures if Chromium is there."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.look import discord, phone, shots, slack, terminal
from tests.look.page import WIDTHS, Page
from tests.look.scene import Scene, real

_TOPS = {"discord-digest-phone": 1_345, "slack-digest-phone": 1_252}
"""Pixels to the end of the first line: for the README's first screen."""
_AT_DISCORD, _AT_SLACK = "Today at 11:05", "11:05 AM"


def main() -> int:
    """Write everything into a folder; says what it wrote."""
    parser = argparse.ArgumentParser("python -m tests.look", description=__doc__)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scene = real(Path(folder))
    chromium = shots.browser()
    if chromium is None:
        sys.stderr.write("no Chromium here: pages only\n")
    for name, html in written(scene):
        path = out / f"{name}.html"
        path.write_text(html)
        if chromium is not None:
            shots.shoot(chromium, path, path.with_suffix(".png"))
            if name in _TOPS:
                shots.top(path.with_suffix(".png"), out / f"{name}-top.png", _TOPS[name])
        sys.stderr.write(f"{path}\n")
    return 0


def written(scene: Scene) -> Iterator[tuple[str, str]]:
    """Every page by its name."""
    for size, width in WIDTHS.items():
        for page in (*_chats(scene), _terminal(scene, size)):
            yield f"{page.name}-{size}", page.at(width)
    yield "notifications-phone", _notifications(scene).at(WIDTHS["phone"])


def _chats(scene: Scene) -> Iterator[Page]:
    yield discord.page("discord-digest", [scene.discord], _AT_DISCORD)
    yield slack.page("slack-digest", [scene.slack], scene.files, _AT_SLACK)
    if scene.discord_thread:
        yield discord.page("discord-thread", scene.discord_thread, _AT_DISCORD)
    if scene.slack_thread:
        yield slack.page("slack-thread", scene.slack_thread, scene.files, _AT_SLACK)
    if scene.discord_answer:
        yield discord.page("discord-ticker", [scene.discord_answer], _AT_DISCORD, "ticker")
    if scene.slack_answer:
        yield slack.page("slack-ticker", [scene.slack_answer], scene.files, _AT_SLACK)


def _terminal(scene: Scene, size: str) -> Page:
    return terminal.page("terminal-digest", scene.terminal, terminal.COLUMNS[size])


def _notifications(scene: Scene) -> Page:
    said = {"DISCORD": scene.discord.content, "SLACK": scene.slack.text}
    return phone.page("notifications", said)


if __name__ == "__main__":
    sys.exit(main())
