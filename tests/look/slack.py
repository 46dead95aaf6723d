"""A message of Slack as its light theme shows it, made of what the local server stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.look.page import Page, head, picture, style, text
from tests.look.slack_mrkdwn import rich, shown
from tests.servers.chat import Row
from tests.servers.slack_store import Ephemeral, StoredFile, StoredMessage

Files = Mapping[str, StoredFile]


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is of a message, whoever sees it."""

    text: str
    blocks: Sequence[Row]
    is_private: bool = False

    @classmethod
    def of(cls, message: StoredMessage | Ephemeral) -> "Shown":
        """As it was stored."""
        return cls(message.text, message.blocks, isinstance(message, Ephemeral))


def page(name: str, messages: Sequence[StoredMessage | Ephemeral], files: Files, at: str) -> Page:
    """Some messages, one below the other."""
    return Page(name, style("slack"), "".join(_message(Shown.of(m), files, at) for m in messages))


def _message(message: Shown, files: Files, at: str) -> str:
    # With blocks the text is for notifications only.
    body = "".join(_block(b, files) for b in message.blocks) or _div("block", shown(message.text))
    note = '<div class="note">👁 Only visible to you</div>' if message.is_private else ""
    return (
        f'<div class="said">{note}<div class="face">T</div>'
        f'<div class="body">{head("Tapewatch", at)}{body}</div></div>'
    )


def _block(block: Row, files: Files) -> str:
    match block["type"]:
        case "header":
            return _div("block header", _text(block["text"]))
        case "section":
            return _section(block, files)
        case "context":
            return _div("block context", " ".join(_small(e, files) for e in block["elements"]))
        case "divider":
            return _div("block divider", "")
        case "image":
            return _div("block image", _titled(block) + _image(block, files))
        case "table":
            return _div("block", _table(block))
        case "actions":
            return _div("block actions", "".join(map(_element, block["elements"])))
        case "rich_text":
            return _div("block", rich(block))
        case "markdown":
            return _div("block", text(block["text"]))
    return _div("block", f"no such block: {text(block['type'])}")


def _section(block: Row, files: Files) -> str:
    parts = [_text(block["text"])] if "text" in block else []
    if fields := block.get("fields"):
        parts.append(_div("fields", "".join(f"<div>{_text(f)}</div>" for f in fields)))
    if beside := block.get("accessory"):
        made = _image(beside, files) if beside["type"] == "image" else _element(beside)
        parts.append(_div("actions", made))
    return _div("block", "".join(parts))


def _small(element: Row, files: Files) -> str:
    return _image(element, files) if element["type"] == "image" else _text(element)


def _titled(block: Row) -> str:
    return f"<b>{_text(block['title'])}</b>" if block.get("title") else ""


def _image(block: Row, files: Files) -> str:
    data = files[block["slack_file"]["id"]].data
    return picture(data or b"", block.get("alt_text", ""))


def _table(block: Row) -> str:
    settings = block.get("column_settings") or []

    def cell(n: int, found: Row) -> str:
        to_the_right = n < len(settings) and (settings[n] or {}).get("align") == "right"
        made = text(found["text"]) if found["type"] == "raw_text" else rich(found)
        return f'<td class="{"right" if to_the_right else "left"}">{made}</td>'

    rows = ("".join(cell(n, found) for n, found in enumerate(row)) for row in block["rows"])
    return f'<table class="table">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'


def _element(element: Row) -> str:
    if element["type"] == "button":
        return _div(f"button {element.get('style', '')}", _text(element["text"]))
    if "placeholder" in element:
        chosen = element.get("initial_option") or {}
        words = _text(chosen.get("text") or element["placeholder"])
        return _div("menu", f"<span>{words}</span>⌄")
    return _div("button", f"no such element: {text(element['type'])}")


def _text(found: Row) -> str:
    return shown(found["text"]) if found["type"] == "mrkdwn" else text(found["text"])


def _div(kind: str, body: str) -> str:
    return f'<div class="{kind}">{body}</div>'
