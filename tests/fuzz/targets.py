"""One function for each way in: bytes that anybody may have sent, and what may come of them.

A target returns, or raises what its caller is told to expect; anything else is a finding. The same
functions are run by hypothesis in the suite, and by atheris (`python -m tests.fuzz`).
"""

import asyncio
import gzip
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache, partial
from typing import Any

from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from alerts.words import inert
from bot import mute_words
from bot.amounts import amount
from bot.arguments import find_ticker, parse_date
from bot.door import Door
from bot.links import Link
from bot.platforms import discord_commands, slack_forms
from bot.platforms.slack_link import Posts, Timing
from bot.platforms.slack_words import linked, mentioned, typed
from bot.requests import CommandRequest
from bot.settings import Settings, load
from bot.timings import Timings
from core.calendar import trading_day
from core.conditions import bundled, from_reference
from core.errors import CommandError, ConfigError, SourceError
from core.sources import day_aggs, finra_file, grouped, short_volume
from core.sources.reference_rows import instrument, readable, renames, story
from core.tape import read_tape

Target = Callable[[bytes], None]

DAY = trading_day(date(2026, 10, 1))
SECRET = "a-signing-secret-of-a-test"
_NAMES = sorted(set(Settings.model_fields) - {"data_dir"})
TRADES_HEADER = (
    b"ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,"
    b"sip_timestamp,size,tape,trf_id,trf_timestamp\n"
)
AGGS_HEADER = b"ticker,volume,open,close,high,low,window_start,transactions\n"
FINRA_HEADER = b"Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\n"


def _expected(read: Callable[[], object], error: type[Exception]) -> str:
    """What it said if it was refused; a refusal without a word is a finding."""
    try:
        read()
    except error as refused:
        if not str(refused):
            raise RuntimeError("refused without a word") from refused
        return str(refused)
    return ""


def a_setting(data: bytes) -> None:
    """One setting with any value: taken, or named in a fault that does not show a secret."""
    name = _NAMES[data[0] % len(_NAMES)] if data else "port"
    value = data[1:].decode(errors="replace")
    said = _expected(lambda: load(**{name: value}), ConfigError)
    if len(value) > 8 and _is_secret(name):
        assert value not in said


def _is_secret(name: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[name].annotation)


def slack_text(data: bytes) -> None:
    """What is typed on Slack, down to the words of a command."""
    text = data.decode(errors="replace")
    for line in (typed("/tapewatch", text), typed("/mute", text), mentioned(text, "U0BOT")):
        assert line == line.strip()
        request = CommandRequest.parse(line, "slack:@U1", "slack:C1")
        _words(request)
    linked(inert(text), people=True)


def _words(request: CommandRequest) -> None:
    word = request.words[0] if request.words else ""
    readers: list[tuple[Callable[[], object], type[Exception]]] = [
        (request.redirected, CommandError),
        (lambda: mute_words.parse(request.words), CommandError),
        (lambda: amount(word), ValueError),
        (lambda: parse_date(word), CommandError),
        (lambda: find_ticker(word, {"NVDA", "BRK.B"}, "/ticker SYM"), CommandError),
    ]
    for read, refusal in readers:
        _expected(read, refusal)


KEYS = (
    *("results", "status", "T", "v", "vw", "o", "c", "h", "l", "t", "n", "ticker", "type"),
    *("primary_exchange", "date", "total_volume", "published_utc", "tickers", "id", "events"),
    *("name", "options", "value", "focused", "custom_id", "values", "state", "callback_id"),
    *("private_metadata", "blocks", "view", "actions", "update_rules", "consolidated"),
    *("ticker_change", "title", "publisher", "article_url", "market", "active", "data_types"),
)
_LIKELY = (
    *(
        "A",
        "BRK.B",
        "OK",
        "ERROR",
        "2026-10-01",
        "2026-10-01T12:00:00Z",
        "CS",
        "ETF",
        "XNYS",
        "stocks",
    ),
    *("ticker", "mute", "symbol", "add", "1", "-1", "nan", "\ud800", "https://example.com/a", ""),
)


def _body(data: bytes) -> dict[str, Any]:
    """JSON if it is that; else made of the bytes, each a choice of a key, a kind or a value."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    return body if isinstance(body, dict) else _made(iter(data), 4)


def _made(data: Iterator[int], depth: int) -> dict[str, Any]:
    return {KEYS[next(data, 0) % len(KEYS)]: _value(data, depth) for _ in range(next(data, 0) % 12)}


def _value(data: Iterator[int], depth: int) -> Any:
    kind = next(data, 0) % (10 if depth else 8)
    scalars = (None, True, next(data, 0), -next(data, 0) / 7, float("inf"), 10**400, "\0")
    if kind < len(scalars):
        return scalars[kind]
    if kind == 7:
        return _LIKELY[next(data, 0) % len(_LIKELY)]
    if kind == 8:
        return [_value(data, depth - 1) for _ in range(next(data, 0) % 5)]
    return _made(data, depth - 1)


def vendor_json(data: bytes) -> None:
    """An answer of the REST API, whatever table it should have been."""
    body = _body(data)
    tables: list[Callable[[], object]] = [
        lambda: grouped.parse(body, DAY),
        lambda: short_volume.parse(grouped.results_of(body), DAY),
        lambda: readable(grouped.results_of(body), instrument),
        lambda: readable(grouped.results_of(body), story),
        lambda: renames("NVDA", grouped.results_of(body)),
        lambda: from_reference(body),
    ]
    for table in tables:
        _expected(table, SourceError)


def day_file(data: bytes) -> None:
    """A flat file of day aggregates: the bytes themselves, and as the text inside."""
    for payload in (data, gzip.compress(data, 1), gzip.compress(AGGS_HEADER + data, 1)):
        _expected(partial(day_aggs.parse, payload, DAY), SourceError)


def trades_file(data: bytes) -> None:
    """A flat file of trades, likewise."""
    rules = bundled()
    for payload in (data, gzip.compress(data, 1), gzip.compress(TRADES_HEADER + data, 1)):
        _expected(partial(read_tape, io.BytesIO(payload), DAY, rules), SourceError)


def finra(data: bytes) -> None:
    """FINRA's daily file."""
    for payload in (data, FINRA_HEADER + data):
        _expected(partial(finra_file.parse, payload, DAY), SourceError)


def signature(data: bytes) -> None:
    """A stranger's post: 401, or 200 for a look at the address; bolt never sees it.

    With Slack's own signature bolt reads the same, and whatever it is, is no fault of the server.
    """
    when, _, rest = data.partition(b"\n")
    signed, _, body = rest.partition(b"\n")
    by_looks = b"application/json" if body[:1] in b"{[" else b"application/x-www-form-urlencoded"
    kind = signed if b"/" in signed else by_looks
    said = _posted(_Unread(), body, kind, when, signed)
    assert said == 401 or (said == 200 and len(body) <= 500 and b"ssl_check" in body)
    body = body.decode(errors="replace").encode()
    now = str(int(_NOW))
    by_slack = _VERIFIER.generate_signature(timestamp=now, body=body) or ""
    assert _posted(_bolt(), body, kind, now.encode(), by_slack.encode()) < 500


_NOW = 1790863200.0


class _Then(Clock):
    def now(self) -> float:
        return _NOW


_VERIFIER = SignatureVerifier(SECRET, _Then())


class _Unread:
    """In the place of bolt, for those who must not reach it."""

    async def async_dispatch(self, request: object) -> object:
        raise RuntimeError("a stranger's body was read")


@cache
def _bolt() -> AsyncApp:
    # Signatures are looked at in front of it, by a clock of ours.
    client = AsyncWebClient(token="xoxb-invented")
    quiet = logging.getLogger("slack_bolt.fuzz")
    quiet.setLevel(logging.CRITICAL)

    async def known(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_id="B1", bot_user_id="U1")

    return AsyncApp(
        client=client,
        signing_secret=SECRET,
        authorize=known,
        request_verification_enabled=False,
        logger=quiet,
    )


def _posted(app: Any, body: bytes, kind: bytes, when: bytes, signed: bytes) -> int:
    """The status that it is answered with."""
    link = Link("slack", lambda: datetime.fromtimestamp(_NOW, UTC))
    posts = Posts(app, Door(), link, _VERIFIER, Timing(), Timings())
    given = {
        "Content-Type": kind,
        "X-Slack-Request-Timestamp": when,
        "X-Slack-Signature": signed,
    }
    # A line's end in a header never gets as far as here.
    headers = {name: value.decode("latin-1").strip("\r\n\0") for name, value in given.items()}

    async def status() -> int:
        protocol = BaseProtocol(asyncio.get_running_loop())
        payload = StreamReader(protocol, 2**16)
        payload.feed_data(body)
        payload.feed_eof()
        request = make_mocked_request("POST", "/slack/events", headers, payload=payload)
        return (await posts.posted(request)).status

    return asyncio.run(status())


def interaction(data: bytes) -> None:
    """What a platform tells of a click or a form: malformed is a refusal, never a loop."""
    body = _body(data)
    for read in _READERS:
        try:
            read(body)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):
            # No platform sends that; whoever carries it out says so in the log.
            continue


def _submitted(body: dict[str, Any]) -> None:
    if (form := slack_forms.form_of(body)) is not None:
        slack_forms.line_of(form, body)


_READERS: tuple[Callable[[dict[str, Any]], object], ...] = (
    discord_commands.line,
    discord_commands.focused,
    _submitted,
    slack_forms.metadata,
)

TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (
        a_setting,
        slack_text,
        vendor_json,
        day_file,
        trades_file,
        finra,
        signature,
        interaction,
    )
}
