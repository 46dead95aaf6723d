"""Discord's markdown as its clients show it: as much of it as messages use."""

import re
from collections.abc import Callable
from html import escape

_FENCE = re.compile(r"```(?:[a-z]+\n)?\n?(.*?)\n?```", re.DOTALL)
_LINE = re.compile(r"^(?:(#{1,3}) |(-#) |(&gt;) |([-*]) )", re.MULTILINE)
_MARKS: tuple[tuple[str, str], ...] = (
    (r"\*\*(.+?)\*\*", "b"),
    (r"__(.+?)__", "u"),
    (r"~~(.+?)~~", "s"),
    (r"\|\|(.+?)\|\|", "mark"),
    (r"\*([^\s*](?:.*?[^\s*])?)\*", "i"),
    (r"(?<!\w)_([^\s_](?:.*?[^\s_])?)_(?!\w)", "i"),
)
_ESCAPED = re.compile(r"\\([^A-Za-z0-9\s])")
_CODE = re.compile(r"`([^`\n]+)`")
_MASKED = re.compile(
    r"\[([^\]\n]+)\]\(&lt;?(https?://[^\s)&]+)(?:&gt;)?\)|\[([^\]\n]+)\]\((https?://[^\s)]+)\)"
)
_ANGLED = re.compile(r"&lt;(https?://[^\s]+?)&gt;")
_BARE = re.compile(r"(?<![\w\"=>])(https?://[^\s<]+)")
_NAMED = re.compile(r"&lt;([#@])(\d+)&gt;")
_TIME = re.compile(r"&lt;t:(\d+)(?::\w)?&gt;")


def shown(markdown: str) -> str:
    """HTML of a text."""
    kept: list[str] = []

    def keep(made: str) -> str:
        kept.append(made)
        return f"\ue000{len(kept) - 1}\ue001"

    said = _FENCE.sub(lambda m: keep(f"<pre>{escape(m[1])}</pre>"), markdown)
    said = _ESCAPED.sub(lambda m: keep(escape(m[1])), said)
    said = _CODE.sub(lambda m: keep(f"<code>{escape(m[1])}</code>"), said)
    said = _inline(escape(said, quote=False), keep)
    lines = "".join(map(_line, said.split("\n")))
    # A block brings its own ends of line.
    lines = re.sub(r"(\ue000\d+\ue001)<br>", lambda m: _ended(m, kept), lines)
    while "\ue000" in lines:
        lines = re.sub("\ue000(\\d+)\ue001", lambda m: kept[int(m[1])], lines)
    return lines.removesuffix("<br>")


def _inline(said: str, keep: Callable[[str], str]) -> str:
    said = _MASKED.sub(lambda m: _link(keep, m[2] or m[4], m[1] or m[3]), said)
    said = _ANGLED.sub(lambda m: _link(keep, m[1], m[1]), said)
    said = _BARE.sub(lambda m: _link(keep, m[1], m[1]), said)
    said = _NAMED.sub(lambda m: keep(f'<span class="named">{m[1]}{_who(m[2])}</span>'), said)
    said = _TIME.sub(lambda m: keep("<code>a time</code>"), said)
    for pattern, tag in _MARKS:
        said = re.sub(pattern, rf"<{tag}>\1</{tag}>", said)
    return said


def _link(keep: Callable[[str], str], address: str, words: str) -> str:
    # Nothing on these pages leads anywhere: the address is what is read, not what is followed.
    return keep(f'<span class="link" title="{escape(address)}">') + words + keep("</span>")


def _who(number: str) -> str:
    return "alerts" if number.startswith("9") else number


def _line(line: str) -> str:
    found = _LINE.match(line)
    if found is None:
        return f"{line}<br>"
    heading, small, quote, _ = found.groups()
    rest = line[found.end() :]
    if heading:
        return f"<h{len(heading)}>{rest}</h{len(heading)}>"
    if small:
        return f'<div class="small">{rest}</div>'
    if quote:
        return f'<div class="quote">{rest}</div>'
    return f'<div class="item">• {rest}</div>'


def _ended(found: re.Match[str], kept: list[str]) -> str:
    number = int(found[1].strip("\ue000\ue001"))
    return found[1] if kept[number].startswith("<pre>") else found[0]
