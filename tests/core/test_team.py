"""Workers apart: a death is one task's, an idle one's nobody's; no more of them than asked for."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from threading import Event

import pytest

from core.team import Team


def rest() -> None:
    time.sleep(1.5)


@pytest.fixture
def team() -> Iterator[Team]:
    fresh = multiprocessing.get_context("spawn")
    with Team(2, lambda: ProcessPoolExecutor(1, fresh)) as made:
        yield made


def test_who_dies_takes_nobody_along(team: Team) -> None:
    slow = team.submit(rest)
    # The interpreter of the other one is there when it ends.
    assert team.submit(os.getpid).result(30) != os.getpid()
    dies = team.submit(os._exit, 1)
    with pytest.raises(BrokenExecutor):
        dies.result(30)
    assert slow.result(30) is None
    assert team.submit(abs, -3).result(30) == 3


def test_who_dies_with_nothing_to_do_costs_no_task(team: Team) -> None:
    os.kill(team.submit(os.getpid).result(30), signal.SIGKILL)
    time.sleep(0.3)
    assert team.submit(abs, -3).result(30) == 3


def test_there_are_no_more_of_them_than_asked_for() -> None:
    made = list[Executor]()
    goes_on = Event()

    def make() -> Executor:
        made.append(ThreadPoolExecutor(1))
        return made[-1]

    team = Team(2, make)
    waiting = [team.submit(goes_on.wait, 20) for _ in range(5)]
    assert len(made) == 2
    goes_on.set()
    assert all(future.result(20) for future in waiting)
    team.submit(abs, 1).result(20)
    assert len(made) == 2
    team.shutdown()
    with pytest.raises(RuntimeError):
        team.submit(abs, 1)


def test_what_waits_is_taken_back_at_the_end() -> None:
    goes_on = Event()
    team = Team(1, lambda: ThreadPoolExecutor(1))
    first, second = team.submit(goes_on.wait, 20), team.submit(abs, 1)
    team.shutdown(wait=False, cancel_futures=True)
    goes_on.set()
    assert first.result(20)
    assert second.cancelled()
