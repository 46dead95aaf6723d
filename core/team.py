"""Processes that know nothing of each other: one that dies takes nobody else's task along.

A ProcessPoolExecutor of several is broken by the first of them that dies, with all that the others
were at; several of one each are not.
"""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from threading import Lock
from typing import Any

from core.parent import deaf


class Team(Executor):
    """At most `size` executors of one worker each, made when there is work for them."""

    def __init__(self, size: int, make: Callable[[], Executor]) -> None:
        self._size, self._make = size, make
        self._tasks = dict[Executor, int]()
        """How many each has."""
        self._turn, self._over = Lock(), False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Blocking while a worker is started. Raises what starting one raises."""
        while True:
            one = self._chosen()
            try:
                with deaf():
                    future = one.submit(fn, *args, **kwargs)
            except BrokenExecutor:
                # It died while it had nothing to do, which is no task's business.
                self._drop(one)
            except OSError:
                self._drop(one)
                raise
            else:
                future.add_done_callback(partial(self._through, one))
                return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """All of them, at the same time."""
        with self._turn:
            self._over, everyone = True, list(self._tasks)
        for one in everyone:
            one.shutdown(wait=False, cancel_futures=cancel_futures)
        for one in everyone if wait else ():
            one.shutdown(wait=True)

    def _chosen(self) -> Executor:
        """An idle one, a new one, or the one with the least to do."""
        with self._turn:
            if self._over:
                raise RuntimeError("nothing is taken after the shutdown")
            least = min(self._tasks, key=self._tasks.__getitem__, default=None)
            if least is None or (self._tasks[least] and len(self._tasks) < self._size):
                least = self._make()
                self._tasks[least] = 0
            self._tasks[least] += 1
            return least

    def _through(self, one: Executor, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            return self._drop(one)
        with self._turn:
            if one in self._tasks:
                self._tasks[one] -= 1
        return None

    def _drop(self, one: Executor) -> None:
        with self._turn:
            self._tasks.pop(one, None)
        one.shutdown(wait=False)
