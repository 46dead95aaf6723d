"""What is read of a platform's answer by ourselves."""

from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from bot.platforms.network import beginning
from tests.servers.local import Listener


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    """Until the other side hangs up."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write("é".encode() * 40_000)


async def short(request: web.BaseRequest) -> web.StreamResponse:
    """In two pieces, and no text in any encoding."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b'{"ok":')
    await answer.write(b"false}\xff")
    return answer


async def asked(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], most_bytes: int
) -> str:
    """The beginning of what it answers."""
    listener = Listener(web.ServerRunner(web.Server(handler), shutdown_timeout=0.05))
    url = await listener.open(0)
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await beginning(answer, most_bytes)
    finally:
        await listener.close()


async def test_of_an_answer_without_end_the_beginning_is_read() -> None:
    assert await asked(endless, 1_000) == "é" * 500


async def test_of_a_short_one_all_of_it() -> None:
    assert await asked(short, 1_000) == '{"ok":false}\ufffd'
