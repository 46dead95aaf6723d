"""Buttons: a click types a command. The command stays here; the button carries its key."""

import json
from collections.abc import Sequence
from datetime import datetime

from alerts.model import Action, Message
from alerts.reads import Rows
from core.db import Connection, Db, insert, iso


def actions_of(message: Message) -> Sequence[Action]:
    """Everything in it that can be clicked."""
    return (*message.actions, *(option for menu in message.menus for option in menu.options))


async def keep(db: Db, message: Message, now: datetime) -> None:
    """Before a message is sent: what its buttons mean, for as long as anybody may click them."""
    wanted = {action.key: action.command for action in actions_of(message)}
    # Most are on record already: a digest of one session is the same in every channel.
    known = await _known(db.rows, list(wanted))
    if new := [(key, command) for key, command in wanted.items() if key not in known]:
        async with db.transaction() as writer:
            await kept(writer, new, now)


async def _known(rows: Rows, keys: Sequence[str]) -> set[str]:
    found = await rows(
        "SELECT key FROM buttons WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
    )
    return {str(row["key"]) for row in found}


async def kept(writer: Connection, buttons: Sequence[tuple[str, str]], now: datetime) -> None:
    """Keys and commands, as part of a transaction."""
    for key, command in buttons:
        row = {"key": key, "command": command, "kept_at": iso(now)}
        await insert(writer, "buttons", row, or_="IGNORE")


async def command_of(rows: Rows, key: str) -> str | None:
    """What a click on it types; None for a key that is not known."""
    found = await rows("SELECT command FROM buttons WHERE key = ?", (key,))
    return next((str(row["command"]) for row in found), None)
