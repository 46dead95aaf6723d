"""The pool: what becomes of a task when whoever works is lost, away, or let go."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from core.conditions import bundled
from core.elsewhere import NobodyToWork, Receipt, Refused, Task, WorkerLost
from core.errors import Verdict
from core.pool import Pool, Processes
from tests.market import NEWEST

TASK = Task("sample market", "lit", NEWEST, bundled(), datetime(2026, 3, 7, tzinfo=UTC))
DONE = Refused("NotPublished", "not yet", Verdict.NOT_PUBLISHED_YET)


@dataclass(slots=True, eq=False)
class Desk(Executor):
    """Futures that nobody works on: the test says what becomes of each."""

    futures: list[Future[Any]] = field(default_factory=list)
    is_shut: bool = False
    is_broken: bool = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """concurrent.futures.Executor"""
        if self.is_broken:
            raise BrokenExecutor
        if self.is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.futures.append(Future())
        return self.futures[-1]


@dataclass(slots=True)
class Desks:
    """A crew that hires one desk after the other, and says what the test tells it to."""

    size: int = 1
    refuses: str = ""
    lost: str = ""
    stumbles: int = 0
    """So many looks are not answered."""
    looks: int = 0
    lets_end: bool = True
    asked: threading.Event = field(default_factory=threading.Event)
    decided: threading.Event | None = None
    """Hiring takes until then."""
    hired: list[Desk] = field(default_factory=list)
    dismissed: list[Executor] = field(default_factory=list)

    def count(self) -> int:
        return self.size

    def hire(self) -> Executor:
        """core.pool.Crew"""
        self.asked.set()
        if self.decided is not None:
            self.decided.wait(20)
        if self.refuses:
            raise OSError(self.refuses)
        self.hired.append(Desk())
        return self.hired[-1]

    def look(self) -> None:
        """core.pool.Crew"""
        self.looks += 1
        if self.lost:
            raise OSError(self.lost)
        if self.stumbles:
            self.stumbles -= 1
            raise TimeoutError

    def meant(self, error: BaseException) -> BaseException:
        """core.pool.Crew"""
        lost = isinstance(error, BrokenExecutor | CancelledError)
        return WorkerLost("somebody died") if lost else error

    def dismiss(self, executor: Executor) -> None:
        """core.pool.Crew"""
        self.dismissed.append(executor)


def work(task: Task) -> Receipt | Refused:
    return DONE


@pytest.fixture
def desks() -> Desks:
    return Desks()


@pytest.fixture
def pool(desks: Desks) -> Pool:
    return Pool(desks, work, look_every_s=0.01)


async def begun(pool: Pool, desks: Desks, count: int = 1) -> list[asyncio.Task[Receipt | Refused]]:
    """So many tasks on their way, on one desk."""
    tasks = [asyncio.create_task(pool(TASK)) for _ in range(count)]
    for _ in range(500):
        if desks.hired and sum(not f.done() for f in desks.hired[-1].futures) == count:
            return tasks
        await asyncio.sleep(0.01)
    raise AssertionError(desks)


async def test_a_task_comes_back(pool: Pool, desks: Desks) -> None:
    (task,) = await begun(pool, desks)
    desks.hired[0].futures[0].set_result(DONE)
    assert await task == DONE
    await pool.close()
    assert desks.dismissed == desks.hired


async def test_a_future_that_is_cancelled_over_there_is_a_worker_that_was_lost(
    pool: Pool, desks: Desks
) -> None:
    (task,) = await begun(pool, desks)
    desks.hired[0].futures[0].cancel()
    with pytest.raises(WorkerLost):
        await task
    assert desks.dismissed == desks.hired
    (task,) = await begun(pool, desks)
    assert len(desks.hired) == 2
    desks.hired[1].futures[0].set_result(DONE)
    assert await task == DONE


async def test_who_is_cancelled_here_is_cancelled_and_no_worker_was_lost(
    pool: Pool, desks: Desks
) -> None:
    (task,) = await begun(pool, desks)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    # Not by that: it would ask the network, on the loop. Closing does it.
    assert not desks.hired[0].futures[0].cancelled()
    await pool.close()
    assert desks.dismissed == desks.hired


async def test_an_error_of_the_task_is_its_own_and_costs_nobody_the_desk(
    pool: Pool, desks: Desks
) -> None:
    one, other = await begun(pool, desks, 2)
    desks.hired[0].futures[0].set_exception(KeyError("ours"))
    with pytest.raises(KeyError):
        await one
    assert desks.dismissed == []
    desks.hired[0].futures[1].set_result(DONE)
    assert await other == DONE


async def test_a_death_is_one_tasks_and_the_others_are_waited_for(pool: Pool, desks: Desks) -> None:
    one, other = await begun(pool, desks, 2)
    desks.hired[0].futures[0].set_exception(BrokenExecutor())
    with pytest.raises(WorkerLost):
        await one
    assert desks.dismissed == []
    desks.hired[0].futures[1].set_result(DONE)
    assert await other == DONE


async def test_an_executor_that_takes_nothing_any_more_is_let_go(pool: Pool, desks: Desks) -> None:
    await pool.ready()
    desks.hired[0].is_broken = True
    with pytest.raises(WorkerLost):
        await pool(TASK)
    assert desks.dismissed == desks.hired
    (task,) = await begun(pool, desks)
    desks.hired[1].futures[0].set_result(DONE)
    assert await task == DONE


async def test_nobody_who_can_be_hired_is_nobody_to_work(pool: Pool, desks: Desks) -> None:
    desks.refuses = "the scheduler is away"
    for call in (pool.ready(), pool(TASK)):
        with pytest.raises(NobodyToWork, match="the scheduler is away"):
            await call
    desks.refuses = ""
    await pool.ready()
    await pool.close()


async def test_when_all_are_gone_those_who_wait_are_told(pool: Pool, desks: Desks) -> None:
    tasks = await begun(pool, desks, 2)
    desks.lost = "no workers any more"
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [(type(r), str(r)) for r in results] == 2 * [(NobodyToWork, "no workers any more")]
    assert desks.dismissed == desks.hired


async def test_one_look_that_is_not_answered_loses_nobody_his_work(
    pool: Pool, desks: Desks
) -> None:
    (task,) = await begun(pool, desks)
    for _ in range(3):
        desks.stumbles, before = 1, desks.looks
        while desks.looks < before + 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not task.done()
    desks.stumbles = 2
    with pytest.raises(NobodyToWork, match="does not answer"):
        await task


async def test_what_is_closed_under_way_is_no_worker_that_was_lost(
    pool: Pool, desks: Desks
) -> None:
    (task,) = await begun(pool, desks)
    await pool.close("the backfill is cancelled")
    with pytest.raises(NobodyToWork, match="the backfill is cancelled"):
        await task


async def test_an_executor_that_has_ended_by_itself_is_nobody_to_work(
    pool: Pool, desks: Desks
) -> None:
    await pool.ready()
    desks.hired[0].is_shut = True
    with pytest.raises(NobodyToWork):
        await pool(TASK)
    assert desks.dismissed == desks.hired


async def test_who_is_hired_while_we_are_cancelled_is_dismissed(pool: Pool, desks: Desks) -> None:
    desks.decided = threading.Event()
    task = asyncio.create_task(pool(TASK))
    await asyncio.to_thread(desks.asked.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    desks.decided.set()
    await pool.close()
    assert desks.dismissed == desks.hired != []


def test_processes_that_die_are_lost_and_their_errors_are_not() -> None:
    crew = Processes(1, lambda line: None)
    assert isinstance(crew.meant(BrokenExecutor()), WorkerLost)
    error = KeyError("ours")
    assert crew.meant(error) is error
