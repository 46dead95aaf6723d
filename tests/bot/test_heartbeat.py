"""The dead-man signal: a ping counts when it is taken, and its address is a secret."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from alerts.model import Destination, Letter, Message, Tried
from bot.platforms.heartbeat import HeartbeatSender
from core.errors import (
    DeliveryAmbiguous,
    DeliveryDeferred,
    DeliveryError,
    DeliveryRefused,
    Reason,
)
from tests.servers import faults
from tests.servers.chat import Call, ChatServer
from tests.servers.faults import Answer, Fault, Hang, Reset, Status
from tests.servers.local import utc_now

SECRET = "8a1f-nobody-may-see"
TO = Destination("heartbeat", "deadman")
LETTER = Letter("ping", Message("t", "l"))


class Watch(ChatServer):
    """A service that waits for pings."""

    def route(self, method: str, path: str) -> tuple[str, Mapping[str, str]]:
        """Everything is a ping."""
        return "ping", {}

    async def respond(self, call: Call) -> Answer:
        """Thanks."""
        return Answer(200, b"OK")


@asynccontextmanager
async def watched(answer_within_s: float = 5.0) -> AsyncIterator[tuple[Watch, HeartbeatSender]]:
    async with (
        Watch(port=0, now=utc_now, clock_shift=utc_now() - utc_now()) as watch,
        aiohttp.ClientSession() as session,
    ):
        url = f"{watch.url}/{SECRET}"
        yield watch, HeartbeatSender(url, session, answer_within_s=answer_within_s)


async def test_a_ping_arrives() -> None:
    async with watched() as (watch, sender), sender.turn(TO):
        receipt = await sender.send(TO, LETTER)
        assert await sender.edit(TO, receipt, LETTER) == receipt
        now = datetime.now(UTC)
        assert await sender.find(TO, LETTER, Tried(now, now, now)) is None
        assert [(seen.call.method, seen.call.path) for seen in watch.requests] == [
            ("GET", f"/{SECRET}")
        ]


async def test_a_look_pings_nobody() -> None:
    async with watched() as (watch, sender):
        (check,) = await sender.examine(TO)
        assert check.ok
        assert SECRET not in str(check)
        assert watch.requests == []


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (Status(404), DeliveryRefused, Reason.CHANNEL_GONE),
        (Status(403), DeliveryRefused, Reason.NO_PERMISSION),
        (Status(429, headers={"Retry-After": "9"}), DeliveryDeferred, Reason.RATE_LIMITED),
        (faults.html(502), DeliveryAmbiguous, Reason.SERVER_ERROR),
        (Hang(), DeliveryAmbiguous, Reason.NO_ANSWER),
        (
            Status(302, headers={"Location": f"/elsewhere/{SECRET}"}),
            DeliveryRefused,
            Reason.CHANNEL_GONE,
        ),
    ],
)
async def test_what_is_not_taken_is_no_ping_and_tells_no_address(
    fault: Fault,
    kind: type[DeliveryError],
    reason: Reason,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with watched(answer_within_s=0.2) as (watch, sender):
        watch.faults.always(fault)
        with pytest.raises(DeliveryError) as caught:
            await sender.send(TO, LETTER)
        assert (type(caught.value), caught.value.reason) == (kind, reason)
        logging.getLogger().error("as a lane would", exc_info=caught.value)
        assert SECRET not in f"{caught.value}{caught.value!r}{caplog.text}"
        assert [seen.call.path for seen in watch.requests] == [f"/{SECRET}"], "and nowhere else"
        if isinstance(caught.value, DeliveryDeferred) and reason is Reason.RATE_LIMITED:
            assert caught.value.retry_after_s == 9


async def test_a_reset_and_an_address_of_nobody() -> None:
    async with watched() as (watch, sender):
        watch.faults.always(Reset())
        with pytest.raises(DeliveryAmbiguous):
            await sender.send(TO, LETTER)
    async with aiohttp.ClientSession() as session:
        nobody = HeartbeatSender(f"http://127.0.0.1:9/{SECRET}", session)
        with pytest.raises(DeliveryDeferred):
            await nobody.send(TO, LETTER)
