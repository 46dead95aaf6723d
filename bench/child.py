"""One side of a comparison in a process of its own: python -m bench.child SIDE < job.

Standard library only, so that what is loaded is the side's own doing. A side is `module:function`;
the function gets a Job and a Watch, and returns what the parent should see of its results.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Job:
    """Where everything is; made by the parent, read by the child."""

    market: str
    """Day aggregates in the vendor's layout: us_stocks_sip/day_aggs_v1/YYYY/MM/DATE.csv.gz."""
    work: str
    """The same sessions as Parquet (bars/), as plain text (csv/) and pickled for pandas."""
    scratch: str
    """An empty folder of this child's own."""
    days: tuple[str, ...]
    """ISO dates, oldest first."""

    @property
    def root(self) -> Path:
        """The work folder."""
        return Path(self.work)


@dataclass(slots=True)
class Watch:
    """Times what is inside `with watch.lap():`, and the peak of memory up to there."""

    laps_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    @contextmanager
    def lap(self) -> Iterator[None]:
        """One timed stretch."""
        start = time.perf_counter()
        yield
        self.laps_s.append(time.perf_counter() - start)
        self.peak_mb = peak_mb()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child measured."""

    laps_s: list[float]
    peak_mb: float
    imports_mb: float
    result: dict[str, Any]

    def dump(self) -> str:
        """As the one line that the parent reads."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """The other way round."""
        return cls(**json.loads(text))


def peak_mb() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Import the side, note what that cost, run it."""
    module, function = sys.argv[1].split(":")
    job = Job(**json.loads(sys.stdin.read()))
    side = getattr(importlib.import_module(module), function)
    imports_mb, watch = peak_mb(), Watch()
    result = side(job, watch)
    print(Outcome(watch.laps_s, watch.peak_mb or peak_mb(), imports_mb, result or {}).dump())


if __name__ == "__main__":
    main()
