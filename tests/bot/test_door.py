"""The one port: what is hung up there, what is not, and a port that is taken."""

import asyncio
import gzip
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.app import utc_now
from bot.door import SLACK_PATH, Door, DoorClosed
from bot.service import Service
from bot.settings import load
from core.lease import Lease


@asynccontextmanager
async def at(door: Door) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who knocks."""
    task = asyncio.create_task(door.serve())
    try:
        async with asyncio.timeout(5):
            while not door.is_open:  # noqa: ASYNC110 - nobody sets an event for it
                await asyncio.sleep(0.01)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{door.bound}") as session:
            yield session
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def yes() -> tuple[bool, dict[str, object]]:
    return True, {"so": True}


async def no() -> tuple[bool, dict[str, object]]:
    return False, {"so": False}


async def page() -> tuple[bytes, str]:
    return b"one 1\n", "text/plain; version=0.0.4; charset=utf-8"


async def test_yes_is_200_and_no_is_503() -> None:
    door = Door(0)
    door.tell("/yes", yes)
    door.tell("/no", no)
    door.show("/page", page)
    async with at(door) as stranger:
        for path, status in (("/yes", 200), ("/no", 503)):
            async with stranger.get(path) as answer:
                assert answer.status == status
                assert await answer.json() == {"so": status == 200}
        async with stranger.head("/yes") as answer:
            assert answer.status == 200
        async with stranger.get("/page") as answer:
            assert await answer.read() == b"one 1\n"
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        async with stranger.get("/yess") as answer:
            assert answer.status == 404
            assert await answer.text() == "not here; there is /no, /page, /yes"
        async with stranger.post("/yes") as answer:
            assert answer.status == 405
    assert not door.is_open


async def test_slack_is_told_to_come_again_while_nobody_listens() -> None:
    door = Door(0)

    async def heard(request: web.Request) -> web.StreamResponse:
        return web.Response(text=await request.text())

    async with at(door) as slack:
        async with slack.post(SLACK_PATH, data=b"hello") as answer:
            assert answer.status == 503
        door.slack = heard
        async with slack.post(SLACK_PATH, data=b"hello") as answer:
            assert (answer.status, await answer.text()) == (200, "hello")
        async with slack.post(SLACK_PATH, data=io.BytesIO(b"x" * (1024**2 + 1))) as answer:
            assert answer.status == 413


async def test_what_a_stranger_has_packed_is_not_unpacked() -> None:
    door = Door(0)

    async def heard(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await request.read())

    door.slack = heard
    packed = gzip.compress(b"x" * 1000)
    async with at(door) as stranger:
        for body in (packed, b"not packed at all"):
            told = {"Content-Encoding": "gzip"}
            async with stranger.post(SLACK_PATH, data=body, headers=told) as answer:
                assert (answer.status, await answer.read()) == (200, body)


async def test_a_port_that_is_taken_is_named() -> None:
    first = Door(0)
    async with at(first):
        second = Door(first.bound)
        with pytest.raises(DoorClosed, match=f"PORT={first.bound} cannot be listened on"):
            await second.serve()
        assert f"PORT={first.bound}" in second.seen


async def test_a_port_that_is_taken_is_a_line_and_no_trace(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    first = Door(0)
    async with at(first):
        port = first.bound
        settings = await asyncio.to_thread(load, data_dir=tmp_path, port=port)
        service = Service(settings, Lease(settings.state_db, utc_now), utc_now)
        door, *others = [asyncio.create_task(doing) for doing in service.beside()]
        async with asyncio.timeout(5):
            while "begins again" not in caplog.text:  # noqa: ASYNC110 - nobody sets an event for it
                await asyncio.sleep(0.01)
        for task in (door, *others):
            task.cancel()
        await asyncio.gather(door, *others, return_exceptions=True)
    (record,) = [r for r in caplog.records if "begins again" in r.getMessage()]
    assert record.exc_info is None
    assert vars(record)["seen"] == f"PORT={port} cannot be listened on: Address already in use"


def has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as one:
        one.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_it_is_open_to_both_kinds_of_address() -> None:
    door = Door(0)
    door.tell("/yes", yes)
    async with at(door) as stranger:
        for host in ("127.0.0.1", "[::1]"):
            async with stranger.get(f"http://{host}:{door.bound}/yes") as answer:
                assert answer.status == 200


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_where_ipv6_cannot_be_had_it_is_open_all_the_same() -> None:
    with socket.socket(socket.AF_INET6) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(("::", 0))
        door = Door(taken.getsockname()[1])
        door.tell("/yes", yes)
        async with at(door) as stranger, stranger.get("/yes") as answer:
            assert answer.status == 200


async def test_without_a_port_there_is_no_door() -> None:
    door = Door()
    await asyncio.wait_for(door.serve(), 1)
    assert not door.is_open


_POST = f"POST {SLACK_PATH} HTTP/1.1\r\nHost: x\r\n"
MALFORMED = {
    "LineTooLong": f"GET /{'a' * 9_000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "BadHttpMessage": f"{_POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "InvalidURLError": "GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
}


async def test_what_is_no_http_is_a_line_a_kind_and_no_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door(0)

    async def heard(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await request.read())

    async def broken() -> tuple[bytes, str]:
        raise KeyError("a fault of ours")

    door.show("/broken", broken)
    door.slack = heard
    async with at(door) as stranger:
        for raw in (*MALFORMED.values(), *MALFORMED.values()):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.bound)
            writer.write(raw.encode())
            assert (await reader.read(15)).startswith(b"HTTP/1.")
            writer.close()
        told = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "aiohttp.server"]
        assert told == [
            ("WARNING", f"no request that can be read ({kind}); no more are told")
            for kind in MALFORMED
        ]
        assert "Traceback" not in caplog.text
        async with stranger.get("/broken") as answer:
            assert answer.status == 500
    assert "a fault of ours" in caplog.text
