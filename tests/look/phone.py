"""The screen of a locked phone: all that is read before anything is opened."""

from collections.abc import Mapping

from tests.look.page import Page, style, text


def page(name: str, said: Mapping[str, str]) -> Page:
    """A notification for each app, as an iPhone shows it and on one line as Android folds it."""
    notes = (
        f'<div class="note {kind}"><div class="app">{text(app)} · now</div>'
        f"<b>Tapewatch (#alerts)</b><p>{text(words)}</p></div>"
        for kind in ("long", "short")
        for app, words in said.items()
    )
    return Page(name, style("phone"), "".join(notes))
