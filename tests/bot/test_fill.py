"""`python -m bot backfill`: which job that was left behind it goes on with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.model import TERMINAL
from bot.fill import fill
from core.errors import CommandError
from core.jobs import Job, Jobs, JobState
from tests.bot.test_backfilling import WEEK, There, at
from tests.filled import EVE, Kind, until
from tests.shared import Shared

FIRST, LAST = str(WEEK[1]), str(WEEK[3])


@pytest.fixture
def folder(shared: Shared, tmp_path: Path) -> Path:
    return until(shared, Kind.SAMPLE, EVE, tmp_path / "data")


@pytest.fixture
async def there(folder: Path) -> AsyncIterator[There]:
    """Nobody works there but who is asked."""
    async with at(folder, running=False) as it:
        yield it


async def left_behind(there: There, *words: str) -> Job:
    """A job of which one session came in, and one was under way when its process died."""
    wish = there.app.backfilling.wish("run", [FIRST, LAST, *words])
    job = await there.app.backfilling.begin(wish, who="console:@me", place=str(TERMINAL))
    runner = there.app.backfilling.runner
    for _ in range(2):
        await runner.jobs.take(job)
    return job


async def jobs(there: There) -> list[str]:
    rows = await there.app.db.rows("SELECT state FROM jobs ORDER BY id")
    return [row["state"] for row in rows]


@pytest.mark.parametrize("words", [[FIRST, LAST], [FIRST, LAST, "oldest-first"]])
async def test_the_same_is_gone_on_with(there: There, words: list[str]) -> None:
    await left_behind(there)
    done = await fill(there.app, words)
    assert (done.wanted, done.stored, done.failed) == (3, 3, 0)
    assert await jobs(there) == [JobState.DONE]


async def test_a_span_that_is_stored_in_part_is_the_same_when_it_is_typed_again(
    there: There,
) -> None:
    await fill(there.app, [FIRST, FIRST])
    await left_behind(there)
    assert (await fill(there.app, [FIRST, LAST])).stored == 3
    assert await jobs(there) == [JobState.DONE, JobState.DONE]


@pytest.mark.parametrize(
    "words",
    [
        [str(WEEK[0]), LAST],
        [str(WEEK[2]), LAST],
        [FIRST, str(WEEK[2])],
        [FIRST, str(WEEK[4])],
        [FIRST, LAST, "all"],
        [FIRST, LAST, "missing+failed"],
    ],
)
async def test_another_span_or_policy_is_refused_with_the_way_out(
    there: There, words: list[str]
) -> None:
    await left_behind(there)
    with pytest.raises(CommandError) as refused:
        await fill(there.app, words)
    assert f"{FIRST} to {LAST} (missing, all-sample-raw) is not over" in str(refused.value)
    assert '/backfill cancel"' in str(refused.value)
    assert there.doing.asked == []
    assert await jobs(there) == [JobState.RUNNING]


async def test_another_series_is_refused_and_one_that_moved_down_is_the_same(
    there: There,
) -> None:
    job = await left_behind(there)
    own: Jobs = there.app.backfilling.runner.jobs
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET asked = 'all-daily-raw', series = 'all-sample-raw'")
    with pytest.raises(CommandError, match=r"\(missing, all-daily-raw\) is not over"):
        await fill(there.app, [FIRST, LAST])
    async with there.app.db.transaction() as writer:
        await writer.execute("UPDATE jobs SET asked = 'all-sample-raw'")
    await own.move(job, "all-sample-raw", "the better one is refused")
    assert (await fill(there.app, [FIRST, LAST])).stored == 3
