"""Where tasks are done: any `concurrent.futures.Executor`, made when there is work to do."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Protocol

from core.elsewhere import Receipt, Refused, Task, WorkerLost


class Crew(Protocol):
    """Who works; a new one is hired when all of the last one are gone."""

    @property
    def size(self) -> int:
        """How many tasks are worth being on their way."""

    def hire(self) -> Executor:
        """Blocking. Raises OSError in words if nobody can be had."""

    def dismiss(self, executor: Executor) -> None:
        """Blocking: end it at once, work under way as well."""


@dataclass(slots=True)
class Processes:
    """Processes of this machine: the loop stays free, and their memory comes back."""

    size: int
    settle_in: Callable[[Connection], None]
    """Runs in each of them first, and is given a line that ends when they are to end."""
    _line: Connection | None = None

    def hire(self) -> Executor:
        """Processes are started as tasks come."""
        fresh = multiprocessing.get_context("spawn")
        # No lock or event that is shared: whoever is killed would take it along.
        theirs, self._line = fresh.Pipe(duplex=False)
        return ProcessPoolExecutor(self.size, fresh, self.settle_in, (theirs,))

    def dismiss(self, executor: Executor) -> None:
        """Hang up, which ends them in the midst of their work."""
        if self._line is not None:
            self._line.close()
        executor.shutdown(cancel_futures=True)


@dataclass(slots=True)
class Pool:
    """core.elsewhere.Submit over a crew."""

    crew: Crew
    do: Callable[[Task], Receipt | Refused]
    """Runs over there; found there by its name."""
    _executor: Executor | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, task: Task) -> Receipt | Refused:
        """Raises WorkerLost."""
        async with self._turn:
            if self._executor is None:
                try:
                    self._executor = await asyncio.to_thread(self.crew.hire)
                except OSError as error:
                    raise WorkerLost(f"nobody to work: {error}") from error
            executor = self._executor
        try:
            # Starting a process takes a while, and it is started here.
            future = await asyncio.to_thread(executor.submit, self.do, task)
            return await asyncio.wrap_future(future)
        except BrokenExecutor as error:
            await self._let_go(executor)
            raise WorkerLost("the process that read it died: out of memory?") from error

    async def close(self) -> None:
        """Nothing more to do."""
        if self._executor is not None:
            await self._let_go(self._executor)

    async def _let_go(self, executor: Executor) -> None:
        async with self._turn:
            if self._executor is executor:
                self._executor = None
                await asyncio.to_thread(self.crew.dismiss, executor)
