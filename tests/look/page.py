"""A page that needs nothing from elsewhere: one message in a window of a given width."""

import base64
import html
from dataclasses import dataclass
from pathlib import Path

PHONE, DESKTOP = 400, 760
WIDTHS = {"phone": PHONE, "desktop": DESKTOP}
NOTHING = "#ff00fe"
"""What is outside the window, to be cut off: no platform has this colour."""

_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
*{{box-sizing:border-box}}html,body{{margin:0;background:{nothing}}}
main{{width:{width}px;overflow:hidden;-webkit-font-smoothing:antialiased}}
pre,p,h1,h2,h3{{margin:0}}img{{display:block;max-width:100%}}
{style}</style></head><body><main class="{kind}">{body}</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What is looked at, but for the width of the window."""

    name: str
    style: str
    body: str

    def at(self, width: int) -> str:
        """The whole page."""
        kind = "narrow" if width < 500 else "wide"
        return _FRAME.format(
            title=text(self.name),
            nothing=NOTHING,
            width=width,
            style=self.style,
            kind=kind,
            body=self.body,
        )


def text(said: object) -> str:
    """Words in which nothing is markup."""
    return html.escape(str(said))


def picture(png: bytes, alt: str = "") -> str:
    """An image that is in the page itself."""
    coded = base64.b64encode(png).decode()
    return f'<img alt="{text(alt)}" src="data:image/png;base64,{coded}">'


def style(platform: str) -> str:
    """The look of a platform, which stands beside its module."""
    return (Path(__file__).parent / f"{platform}.css").read_text()


def head(name: str, at: str) -> str:
    """Who said it, and when."""
    return (
        f'<span class="who">{text(name)}</span><span class="app">APP</span>'
        f'<span class="at">{text(at)}</span>'
    )
