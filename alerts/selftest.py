"""A destination's self-test, by the very path that alerts take: post with a picture, find, edit."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.deliver import Sender
from alerts.model import Check, Destination, Letter, Message, Picture, Tried
from core.errors import DeliveryAmbiguous, DeliveryError

_LONG_AGO = timedelta(minutes=10)
"""So long after an attempt nobody trusts a platform's own memory of it: history is read."""


async def self_test(
    sender: Sender, destination: Destination, who: str, now: Callable[[], datetime]
) -> list[Check]:
    """What it needs, then a real message with a picture, found again and edited."""
    began = now()
    letter = Letter(
        f"self-test/{destination}/{began.isoformat()}",
        _greeting(destination, f"asked for by {who}"),
        silent=True,
        pictures=(Picture(_picture(), "Self-test picture: a grey square", "self-test.png"),),
    )
    checks: list[Check] = []
    async with sender.turn(destination):
        checks += await sender.examine(destination)
        try:
            receipt = await sender.send(destination, letter)
        except DeliveryError as error:
            return [*checks, Check("post a message with a picture", ok=False, seen=str(error))]
        plain = receipt.fallback
        checks.append(
            Check("post a message with a picture", ok=not plain, seen=plain or "it is there")
        )
        tried = Tried(began - _LONG_AGO, now() + _LONG_AGO, began - _LONG_AGO)
        checks.append(await _found_again(sender, destination, letter, tried))
        passed = all(check.ok for check in checks)
        after = replace(letter, message=_greeting(destination, _word(passed)), pictures=())
        try:
            await sender.edit(destination, receipt, after)
        except DeliveryError as error:
            checks.append(Check("edit it", ok=False, seen=str(error)))
        else:
            checks.append(Check("edit it", ok=True, seen="it says how the test went"))
    return checks


async def _found_again(
    sender: Sender, destination: Destination, letter: Letter, tried: Tried
) -> Check:
    name = "find it in the history"
    try:
        found = await sender.find(destination, letter, tried)
    except DeliveryAmbiguous as error:
        return Check(name, ok=False, seen=str(error), next_step=WITHOUT_HISTORY)
    except DeliveryError as error:
        return Check(name, ok=False, seen=str(error))
    return Check(name, ok=found is not None, seen="found" if found else "it is not there")


WITHOUT_HISTORY = (
    "without it a message that may or may not have arrived waits in /outbox for an operator"
)


def failed(checks: Sequence[Check]) -> list[Check]:
    """Those that are not as they should be."""
    return [check for check in checks if not check.ok]


def _word(passed: bool) -> str:
    return "passed: alerts will arrive here" if passed else "not passed; whoever asked was told why"


def _greeting(destination: Destination, word: str) -> Message:
    return Message(
        title="Self-test",
        lead=f"Tapewatch self-test of {destination}: {word}.",
        brief=True,
    )


def _picture(side: int = 32, grey: int = 0x80) -> bytes:
    """A grey square (PNG, https://www.w3.org/TR/png-3/)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    lines = (b"\0" + bytes([grey]) * side) * side
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
