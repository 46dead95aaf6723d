"""A message of Discord as its dark theme shows it, made of what the local server stored."""

from collections.abc import Mapping, Sequence

from tests.look.discord_markdown import shown
from tests.look.page import Page, head, picture, style, text
from tests.servers.chat import Row
from tests.servers.discord_rules import EPHEMERAL
from tests.servers.discord_store import StoredMessage

_BUTTONS = {1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "url"}
_ROW, _BUTTON, _MENUS = 1, 2, (3, 5, 6, 7, 8)


def page(name: str, messages: Sequence[StoredMessage], at: str, asked: str = "") -> Page:
    """Some messages, one below the other; `asked` is the command that they answer."""
    return Page(name, style("discord"), "".join(_message(m, at, asked) for m in messages))


def _message(message: StoredMessage, at: str, asked: str) -> str:
    files = {a.filename: a.data for a in message.attachments}
    parts = [f'<div class="content">{shown(message.content)}</div>' if message.content else ""]
    parts += [_embed(embed, files) for embed in message.embeds]
    used = "".join(str(embed.get("image", {}).get("url")) for embed in message.embeds)
    parts += [_file(name, data) for name, data in files.items() if name not in used]
    parts += [_row(row) for row in message.components]
    private = bool(message.flags & EPHEMERAL)
    if private:
        parts.append('<div class="note">👁 Only you can see this · <i>Dismiss message</i></div>')
    above = f'<div class="asked">↱ <b>alice</b> used <b>{text(asked)}</b></div>' if asked else ""
    whose = "said private" if private else "said"
    body = f'<div class="body">{head("Tapewatch", at)}{"".join(parts)}</div>'
    return f'<div class="{whose}">{above}<div class="face">T</div>{body}</div>'


def _embed(embed: Row, files: Mapping[str, bytes]) -> str:
    parts = []
    if author := embed.get("author", {}).get("name"):
        parts.append(f'<div class="author">{text(author)}</div>')
    if title := embed.get("title"):
        parts.append(f'<div class="title">{shown(title)}</div>')
    if said := embed.get("description"):
        parts.append(f'<div class="text">{shown(said)}</div>')
    if fields := embed.get("fields"):
        made = (f"<div><b>{shown(f['name'])}</b><br>{shown(f['value'])}</div>" for f in fields)
        parts.append(f'<div class="fields">{"".join(made)}</div>')
    if image := embed.get("image", {}).get("url"):
        name = str(image).removeprefix("attachment://")
        parts.append(f'<div class="image">{picture(files[name], name)}</div>')
    if footer := embed.get("footer", {}).get("text"):
        parts.append(f'<div class="foot">{text(footer)}</div>')
    colour = f"#{int(embed.get('color') or 0x1E1F22):06x}"
    return f'<div class="embed" style="border-color:{colour}">{"".join(parts)}</div>'


def _file(name: str, data: bytes) -> str:
    if name.endswith(".png"):
        return f'<div class="image">{picture(data, name)}</div>'
    return f'<div class="file">📄 {text(name)} <span class="at">{len(data):,} bytes</span></div>'


def _row(row: Row) -> str:
    if row["type"] != _ROW:
        return f"<div>no such component: {text(row['type'])}</div>"
    return f'<div class="parts">{"".join(map(_component, row["components"]))}</div>'


def _component(part: Row) -> str:
    if part["type"] in _MENUS:
        chosen = [o["label"] for o in part.get("options", ()) if o.get("default")]
        words = ", ".join(chosen) or part.get("placeholder") or "Make a selection"
        return f'<div class="menu"><span>{text(words)}</span>⌄</div>'
    if part["type"] != _BUTTON:
        return f"<div>no such component: {text(part['type'])}</div>"
    kind = _BUTTONS[part["style"]] + (" off" if part.get("disabled") else "")
    sign = (part.get("emoji") or {}).get("name") or ""
    words = f"{sign} {part.get('label') or ''}".strip()
    return f'<div class="button {kind}">{text(words)}</div>'
