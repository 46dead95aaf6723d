"""Answers that are being made when the process stops: waited for, then let go of."""

import asyncio
import logging

import pytest

from bot.platforms.work import Work


async def done(seconds: float, said: list[str]) -> None:
    """Something that takes its time."""
    try:
        await asyncio.sleep(seconds)
        said.append("done")
    except asyncio.CancelledError:
        said.append("let go")
        raise


async def test_what_is_under_way_is_waited_for_and_the_rest_let_go() -> None:
    work, said = Work("slack"), list[str]()
    work.begin(done(0.05, said), "short")
    work.begin(done(60, said), "long")
    await work.drain(0.2)
    assert said == ["done", "let go"]
    assert len(work) == 0


async def test_what_begins_meanwhile_is_waited_for_too() -> None:
    work, said = Work("slack"), list[str]()

    async def again() -> None:
        await asyncio.sleep(0.02)
        work.begin(done(0.05, said), "second")

    work.begin(again(), "first")
    await work.drain(5)
    assert said == ["done"]


async def test_there_is_patience_each_time() -> None:
    work, said = Work("slack"), list[str]()
    for patience_s in (0.01, 5.0):
        work.begin(done(0.05, said), "an answer")
        await work.drain(patience_s)
    assert said == ["let go", "done"]


async def test_what_one_of_them_meets_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ValueError("a mistake")

    work = Work("slack")
    work.begin(broken(), "an answer")
    await work.drain(5)
    (record,) = (r for r in caplog.records if r.levelno == logging.ERROR)
    assert record.__dict__["what"] == "slack an answer"
