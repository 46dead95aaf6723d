"""A rung of the ladder as a backfill reads it: its sources are asked by whoever works for it."""

from dataclasses import dataclass, replace

from bot.patience import SURE_AFTER
from core.calendar import TradingDay
from core.conditions import Rules
from core.elsewhere import Elsewhere, Made, MakeTask, Task
from core.pipeline import Pipeline, SplitsSource
from core.pool import Pool
from core.sources import Chain, Source
from core.staged import Staged


@dataclass(frozen=True, slots=True)
class Terms:
    """Who works, for whom, and by which rules."""

    pool: Pool
    staged: Staged
    task: MakeTask
    made: Made
    rules: Rules
    splits: SplitsSource | None
    """Instead of those whom the nightly run asks."""

    def read(self, rung: Pipeline) -> Pipeline:
        """The same rung, and the one beside it."""
        beside = None if rung.beside is None else self._elsewhere(rung.beside)
        return replace(self._elsewhere(rung), beside=beside, splits=self.splits or rung.splits)

    def _elsewhere(self, pipeline: Pipeline) -> Pipeline:
        told = (self.pool, self.staged, self._task, self.made)
        sources = [Elsewhere(source, *told) for source in pipeline.chain.sources]
        return replace(pipeline, chain=Chain(sources, sure_after=SURE_AFTER))

    async def _task(self, source: Source, day: TradingDay) -> Task:
        # The tables may have newer ones by now: a series is counted by its own to its end.
        return replace(await self.task(source, day), rules=self.rules)
