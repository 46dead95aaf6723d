"""Slack's requests in HTTP mode: signed, in three kinds of bodies; the answer is the ack."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp

from tests.servers.chat import Row
from tests.servers.slack_asked import Asked

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True, slots=True)
class Signing:
    """How one request is signed; a test spoils it here."""

    secret: str | None = None
    """Another than the app's."""
    age_s: float = 0.0
    """How long ago it says it was sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added last."""


class Requests:
    """The way to the bot by HTTP. The signature's time is the machine's, as the bot reads it."""

    def __init__(self, acknowledge: Callable[[Asked, object], None]) -> None:
        self.url = ""
        self.signing_secret = ""
        self.ack_within_s = 3.0
        self._acknowledge = acknowledge
        self._session: aiohttp.ClientSession | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    def dispatch(self, asked: Asked, signing: Signing) -> None:
        """Send it; its ack comes later."""
        asked.leaves()
        sending = asyncio.create_task(self._sent(asked, signing))
        self._under_way.add(sending)
        sending.add_done_callback(self._under_way.discard)

    async def verify_url(self, challenge: str, signing: Signing = Signing()) -> tuple[int, bytes]:
        """Ask the bot to prove that the address is its own."""
        body = {"token": "verif", "challenge": challenge, "type": "url_verification"}
        return await self._post(json.dumps(body), _JSON, signing)

    async def check_ssl(self, signing: Signing = Signing()) -> tuple[int, bytes]:
        """Look whether the certificate is good."""
        return await self._post(urlencode({"ssl_check": "1", "token": "verif"}), _FORM, signing)

    async def close(self) -> None:
        """Forget what is under way."""
        for sending in self._under_way:
            sending.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _sent(self, asked: Asked, signing: Signing) -> None:
        if asked.retry_attempt:
            retry = {
                "X-Slack-Retry-Num": str(asked.retry_attempt),
                "X-Slack-Retry-Reason": asked.retry_reason,
            }
            signing = Signing(signing.secret, signing.age_s, {**retry, **signing.headers})
        try:
            status, answer = await self._post(*_body(asked), signing)
        except TimeoutError:
            asked.is_lost("timeout")
            return
        except aiohttp.ClientError as error:
            asked.is_lost(repr(error))
            return
        asked.status, asked.answer = status, answer
        if status == 200:
            self._acknowledge(asked, _told(answer))
        else:
            asked.is_lost(f"status {status}")

    async def _post(self, body: str, kind: str, signing: Signing) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        at = str(int(time.time() - signing.age_s))
        secret = self.signing_secret if signing.secret is None else signing.secret
        headers = {
            **{"Content-Type": kind, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"},
            **{"X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature(secret, at, body)},
            **signing.headers,
        }
        patience = aiohttp.ClientTimeout(total=self.ack_within_s)
        async with self._session.post(
            self.url, data=body.encode(), headers=headers, timeout=patience
        ) as response:
            return response.status, await response.read()


def signature(secret: str, timestamp: str, body: str) -> str:
    """Slack's v0."""
    base = f"v0:{timestamp}:{body}".encode()
    return f"v0={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"


def _body(asked: Asked) -> tuple[str, str]:
    if asked.kind == "slash_commands":
        return urlencode(asked.payload), _FORM
    if asked.kind == "interactive":
        return urlencode({"payload": json.dumps(asked.payload)}), _FORM
    return json.dumps(asked.payload), _JSON


def _told(answer: bytes) -> object:
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        return answer.decode()


def payload_of(told: object) -> Row:
    """An ack's payload; a mere text is one too."""
    if isinstance(told, str):
        return {"text": told} if told else {}
    return dict(told) if isinstance(told, dict) else {}
