"""A message on its way to Slack, and what of it may have to be left out. Pure."""

from dataclasses import dataclass, replace

from alerts.model import Message
from bot.platforms.slack_text import DIGEST, Look, Rendered, Shown, rendered, text_only


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that Slack has and nobody sees yet."""

    file_id: str
    name: str

    def where(self, thread: str) -> str:
        """Where it will be, in words."""
        return f"{self.name} is in this {'thread' if thread else 'channel'}"


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a message, or as much of it as has not been refused."""

    message: Message
    pictures: tuple[Shown, ...] = ()
    look: Look = DIGEST
    bare: bool = False
    """Without any layout."""
    uploaded: tuple[Uploaded, ...] = ()
    """Files that are shown to all as soon as the message is."""

    def made(self) -> Rendered:
        """As Slack is to show it."""
        if self.bare:
            return text_only(self.message, self.look)
        return rendered(self.message, self.pictures, self.look)

    def plainer(self, *, about_a_file: bool) -> "Draft | None":
        """Without what was probably refused; None if there is nothing left to leave out."""
        if self.bare:
            return None
        has_table = self.message.table is not None and self.look.table
        if self.pictures and (about_a_file or not has_table):
            return replace(self, pictures=())
        if has_table:
            # Slack has refused tables at times, and what a table holds.
            return replace(self, look=replace(self.look, table=False))
        return replace(self, bare=True)

    def saying(self, banner: str) -> "Draft":
        """With a remark about what is not there."""
        message = self.message
        return replace(self, message=replace(message, banners=(*message.banners, banner)))
