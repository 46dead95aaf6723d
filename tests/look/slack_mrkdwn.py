"""Slack's mrkdwn and rich text as its clients show them: as much of them as messages use."""

import re
from collections.abc import Callable

from tests.look.page import text
from tests.servers.chat import Row

_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_ANGLES = re.compile(r"<([^<>]+)>")
_MARKS = ((r"\*", "b"), ("_", "i"), ("~", "s"))
_QUOTE = re.compile(r"^&gt;\s?(.*)$", re.MULTILINE)
_STYLES = {"bold": "b", "italic": "i", "strike": "s", "code": "code"}


def shown(mrkdwn: str) -> str:
    """HTML of a text; it has Slack's three entities already."""
    kept: list[str] = []

    def keep(made: str) -> str:
        kept.append(made)
        return f"\ue000{len(kept) - 1}\ue001"

    said = _FENCE.sub(lambda m: keep(f"<pre>{_safe(m[1])}</pre>"), mrkdwn)
    said = _CODE.sub(lambda m: keep(f"<code>{_safe(m[1])}</code>"), said)
    said = _ANGLES.sub(lambda m: _angled(m[1], keep), said)
    said = _safe(said)
    for mark, tag in _MARKS:
        pattern = rf"(?<![\w{mark}]){mark}([^\s{mark}](?:[^\n{mark}]*[^\s{mark}])?){mark}(?!\w)"
        said = re.sub(pattern, rf"<{tag}>\1</{tag}>", said)
    said = _QUOTE.sub(r'<span class="quote">\1</span>', said).replace("\n", "<br>")
    return re.sub("\ue000(\\d+)\ue001", lambda m: kept[int(m[1])], said)


def rich(element: Row) -> str:
    """HTML of an element of rich text."""
    inner = "".join(map(rich, element.get("elements", ())))
    match element["type"]:
        case "rich_text" | "rich_text_section":
            return inner
        case "rich_text_preformatted":
            return f"<pre>{inner}</pre>"
        case "rich_text_quote":
            return f'<span class="quote">{inner}</span>'
        case "rich_text_list":
            return "".join(f"<div>• {rich(item)}</div>" for item in element["elements"])
        case "text" | "link":
            return _styled(text(element.get("text") or element.get("url")), element)
        case "user" | "channel":
            return f'<span class="named">{text(element)}</span>'
        case "emoji":
            return f":{text(element['name'])}:"
    return f"<b>no such element: {text(element['type'])}</b>"


def _styled(said: str, element: Row) -> str:
    for style in element.get("style", ()):
        said = f"<{_STYLES[style]}>{said}</{_STYLES[style]}>"
    return f'<span class="link">{said}</span>' if element["type"] == "link" else said


def _angled(inside: str, keep: Callable[[str], str]) -> str:
    target, _, words = inside.partition("|")
    if target[0] in "@#!":
        sign = target[0].replace("!", "")
        return keep(f'<span class="named">{sign}{_safe(words or target[1:])}</span>')
    # Nothing on these pages leads anywhere: the address is what is read, not what is followed.
    return keep(f'<span class="link">{_safe(words or target)}</span>')


def _safe(said: str) -> str:
    return said.replace("<", "&lt;").replace(">", "&gt;")
