"""Where tasks are done: any `concurrent.futures.Executor`, made when there is work to do."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Protocol

from core.elsewhere import NobodyToWork, Receipt, Refused, Task, WorkerLost
from core.team import Team

_LOOK_EVERY_S, _LOOK_S = 2.0, 15.0
_MISSED = 2
"""A scheduler that is busy for a moment does not answer; one that is gone does not either."""
_DEATHS = (BrokenExecutor, CancelledError, BrokenPipeError)
"""The last: killed while it was being started."""
_DIED = "the process that read it died: out of memory?"


class Crew(Protocol):
    """Who works; a new one is hired when all of the last one are gone."""

    @property
    def lets_end(self) -> bool:
        """Is a session under way worth waiting for, when its job is paused or cancelled?"""

    @property
    def size(self) -> int:
        """How many tasks are worth being on their way; 1 while nobody is hired."""

    def count(self) -> int:
        """Blocking: the size as it would be. Raises OSError in words if nobody can be had."""

    def hire(self) -> Executor:
        """Blocking. Raises OSError in words if nobody can be had."""

    def look(self) -> None:
        """Blocking. Raises OSError in words if those who were hired are there no more."""

    def meant(self, error: BaseException) -> BaseException:
        """What an error of a task is: WorkerLost, WorkerUnfit, NobodyToWork, or just itself."""

    def dismiss(self, executor: Executor) -> None:
        """Blocking: end it at once, work under way as well."""


@dataclass(slots=True)
class Processes:
    """Processes of this machine: the loop stays free, and their memory comes back."""

    size: int
    settle_in: Callable[[Connection], None]
    """Runs in each of them first, and is given a line that ends when they are to end."""
    lets_end: bool = True
    _line: Connection | None = None

    def count(self) -> int:
        """By the settings."""
        return self.size

    def hire(self) -> Executor:
        """Processes are started as tasks come."""
        fresh = multiprocessing.get_context("spawn")
        # No lock or event that is shared: whoever is killed would take it along.
        theirs, self._line = fresh.Pipe(duplex=False)
        one = partial(ProcessPoolExecutor, 1, fresh, self.settle_in, (theirs,))
        return Team(self.size, one)

    def look(self) -> None:
        """The team itself sees who dies."""

    def meant(self, error: BaseException) -> BaseException:
        """The one that had the task has died."""
        return WorkerLost(_DIED) if isinstance(error, _DEATHS) else error

    def dismiss(self, executor: Executor) -> None:
        """Hang up, which ends them in the midst of their work."""
        if self._line is not None:
            self._line.close()
        executor.shutdown(cancel_futures=True)


@dataclass(eq=False, slots=True)
class _Hired:
    """An executor, those who wait for it, and why they are to wait no longer."""

    executor: Executor
    waiting: set[asyncio.Event] = field(default_factory=set)
    absent: str = ""
    watch: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Pool:
    """core.elsewhere.Submit over a crew."""

    crew: Crew
    do: Callable[[Task], Receipt | Refused]
    """Runs over there; found there by its name."""
    look_every_s: float = _LOOK_EVERY_S
    _hired: _Hired | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ready(self) -> None:
        """Have a crew; raises NobodyToWork."""
        await self._crew()

    async def __call__(self, task: Task) -> Receipt | Refused:
        """Raises WorkerLost, WorkerUnfit and NobodyToWork."""
        hired = await self._crew()
        future = await self._submitted(task, hired)
        await self._ended(future, hired)
        if not future.done():
            raise NobodyToWork(hired.absent)
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            return future.result()
        if isinstance(error, CancelledError):
            await self._let_go(hired)
        raise self._meant(error, hired) from error

    async def close(self, why: str = "it is ended") -> None:
        """Nothing more to do; who waits for a task is told that it is not done."""
        async with self._turn:
            hired = self._hired
        if hired is not None:
            await self._let_go(hired, why)

    async def _crew(self) -> _Hired:
        # Whoever is cancelled while somebody is hired leaves nobody who is never dismissed.
        return await asyncio.shield(asyncio.create_task(self._hire()))

    async def _hire(self) -> _Hired:
        async with self._turn:
            if self._hired is None:
                try:
                    executor = await asyncio.to_thread(self.crew.hire)
                except OSError as error:
                    raise NobodyToWork(str(error)) from error
                self._hired = _Hired(executor)
                watching = self._watch(self._hired)
                self._hired.watch = asyncio.create_task(watching, name="crew")
            return self._hired

    async def _submitted(self, task: Task, hired: _Hired) -> Future[Receipt | Refused]:
        # In a thread: starting a process takes a while, and it is started here.
        submitting = asyncio.ensure_future(asyncio.to_thread(hired.executor.submit, self.do, task))
        await asyncio.wait([submitting])
        error = submitting.exception()
        if error is None:
            return submitting.result()
        if isinstance(error, BrokenPipeError):
            raise self._meant(error, hired) from error
        await self._let_go(hired)
        if isinstance(error, RuntimeError) and not isinstance(error, BrokenExecutor):
            raise NobodyToWork(hired.absent or "whoever was hired has ended") from error
        raise self._meant(error, hired) from error

    async def _ended(self, future: Future[Receipt | Refused], hired: _Hired) -> None:
        """Until the task is done, or nobody is there to do it.

        Not by awaiting the future: one that is cancelled over there would look like the
        cancellation of whoever waits here; and cancelling it may block, by asking the network.
        """
        rung, loop = asyncio.Event(), asyncio.get_running_loop()

        def ring(_: Future[Receipt | Refused]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and all who waited with it
                loop.call_soon_threadsafe(rung.set)

        hired.waiting.add(rung)
        try:
            future.add_done_callback(ring)
            if not hired.absent:
                await rung.wait()
        finally:
            hired.waiting.discard(rung)

    async def _watch(self, hired: _Hired) -> None:
        missed = 0
        while True:
            await asyncio.sleep(self.look_every_s)
            try:
                async with asyncio.timeout(_LOOK_S):
                    await asyncio.to_thread(self.crew.look)
                missed = 0
            except OSError as error:  # TimeoutError is one
                missed += 1
                if missed == _MISSED:
                    why = str(error) or "whoever was hired does not answer"
                    return await self._let_go(hired, why)

    def _meant(self, error: BaseException, hired: _Hired) -> BaseException:
        """What is let go because nobody is there is not the fault of a worker."""
        return NobodyToWork(hired.absent) if hired.absent else self.crew.meant(error)

    async def _let_go(self, hired: _Hired, why: str = "") -> None:
        hired.absent = hired.absent or why
        async with self._turn:
            if self._hired is hired:
                self._hired = None
                await asyncio.to_thread(self.crew.dismiss, hired.executor)
        if why:
            for rung in hired.waiting:
                rung.set()
        if hired.watch is not None and hired.watch is not asyncio.current_task():
            hired.watch.cancel()
