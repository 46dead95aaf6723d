"""A message in a terminal: what is printed, at as many columns as the window has."""

import re

from alerts.model import Message
from bot.platforms.console import render
from tests.look.page import Page, style, text

COLUMNS = {"phone": 46, "desktop": 88}
"""So many letters fit into the windows."""

_COLOUR = re.compile("\x1b\\[([0-9;]*)m")
_CLASSES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}

_BAR = (
    '<div class="bar"><i style="background:#ff5f57"></i><i style="background:#febc2e"></i>'
    '<i style="background:#28c840"></i><span>tapewatch</span></div>'
)


def page(name: str, message: Message, columns: int) -> Page:
    """The window in which it was printed, and where the next command is typed."""
    printed = _coloured(render(message, columns))
    body = (
        f'{_BAR}<pre><span class="prompt">$</span> make run\n{printed}\n\n'
        'Type a command, such as /help; Ctrl-C leaves.\n<span class="prompt">&gt;</span> </pre>'
    )
    return Page(name, style("terminal"), body)


def _coloured(printed: str) -> str:
    """Colours as a terminal shows them, if there are any."""
    first, *others = _COLOUR.split(printed)
    made = [text(first)]
    for codes, words in zip(others[::2], others[1::2], strict=True):
        kinds = " ".join(_CLASSES[c] for c in codes.split(";") if c in _CLASSES)
        made.append(f'<span class="{kinds}">{text(words)}</span>' if kinds else text(words))
    return "".join(made)
