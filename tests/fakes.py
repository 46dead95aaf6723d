"""Small honest stand-ins for what is outside: they keep the ports' promises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from core.bars import Bars, Family, Scope, Series
from core.calendar import TradingDay
from core.db import Connection, insert
from core.errors import NotPublished, SourceError
from core.judged import Judged
from core.sources import Served
from core.splits import Split

SERIES = Series(Scope.ALL, Family.DAILY)


@dataclass
class FakeSource:
    """Serves what is in `days`: bars, or the error it raises; anything else is not published."""

    name: str = "fake"
    days: dict[date, Bars | SourceError] = field(default_factory=dict)
    versions: dict[date, str] = field(default_factory=dict)
    otherwise: SourceError | None = None
    series: Series = SERIES
    asked: list[date] = field(default_factory=list)
    also: dict[date, tuple[tuple[Series, Bars], ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    async def bars(self, day: TradingDay) -> Served:
        """core.sources.Source."""
        self.asked.append(day.date)
        found = self.days.get(day.date, self.otherwise or NotPublished(f"no file for {day}"))
        if isinstance(found, SourceError):
            raise found
        return Served(
            found,
            self.name,
            self.versions.get(day.date),
            unknown=self.unknown,
            also=self.also.get(day.date, ()),
        )

    async def version(self, day: TradingDay) -> str | None:
        """core.sources.Source."""
        return self.versions.get(day.date)


@dataclass
class FakeSplits:
    """Knows these splits, or cannot be asked."""

    known: list[Split] = field(default_factory=list)
    error: SourceError | None = None

    async def splits(self, first: date, last: date) -> list[Split]:
        """core.pipeline.SplitsSource."""
        if self.error is not None:
            raise self.error
        return [s for s in self.known if first <= s.execution_date <= last]


@dataclass
class FakePublish:
    """Keeps what it was given, and one row a revision in the caller's transaction."""

    judged: list[Judged] = field(default_factory=list)
    error: Exception | None = None

    async def __call__(self, writer: Connection, judged: Judged, now: datetime) -> None:
        """core.pipeline.Publish."""
        key = {"series": judged.series.key, "session": str(judged.session)}
        made = await insert(writer, "digests", {**key, "revision": judged.revision, "report": "{}",
                                                "created_at": now.isoformat()},
                            or_="IGNORE")  # fmt: skip
        if self.error is not None:
            raise self.error
        if made:
            self.judged.append(judged)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def __call__(self) -> datetime:
        return self.at


def bars_of(days: Mapping[TradingDay, Bars]) -> dict[date, Bars | SourceError]:
    """A source's days by date."""
    return {day.date: made for day, made in days.items()}
