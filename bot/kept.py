"""An answer that is kept for a moment: however often strangers ask, it is made once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def kept(ask: Callable[[], Awaitable[T]], for_s: float) -> Callable[[], Awaitable[T]]:
    """The same question; whoever comes while it is asked waits for that answer."""
    turn, last = asyncio.Lock(), list[tuple[float, T]]()

    async def answer() -> T:
        clock = asyncio.get_running_loop().time
        async with turn:
            if not last or clock() - last[0][0] > for_s:
                found = await ask()
                last[:] = [(clock(), found)]
            return last[0][1]

    return answer
