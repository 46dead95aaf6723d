"""Sides run in turn (A B A B), each in a fresh process; medians; a table of ratios; goals."""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median

from bench.child import Job, Outcome


@dataclass(frozen=True, slots=True)
class Side:
    """One way of doing the work."""

    name: str
    target: str
    repeats: int
    """How many children; the longest of all decides how many rounds there are."""


@dataclass(slots=True)
class Result:
    """What the children of one side measured."""

    side: Side
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median lap of all children."""
        return median(lap for outcome in self.outcomes for lap in outcome.laps_s)

    @property
    def peak_mb(self) -> float:
        """Median of the children's peaks, imports included."""
        return median(outcome.peak_mb for outcome in self.outcomes)

    @property
    def imports_mb(self) -> float:
        """Median of what was resident when everything was imported and nothing done."""
        return median(outcome.imports_mb for outcome in self.outcomes)

    def number(self, name: str) -> float:
        """Median of a number that the side returned."""
        return median(float(outcome.result[name]) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Goal:
    """A sentence and whether it holds in this run."""

    text: str
    met: bool
    seen: str

    def __str__(self) -> str:
        return f"  {'met    ' if self.met else 'NOT MET'}  {self.text}: {self.seen}"


def in_child(target: str, job: Job) -> Outcome:
    """Run one side in a fresh process; a side that fails ends the whole run."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-bench-") as scratch:
        asked = json.dumps(asdict(replace(job, scratch=scratch)))
        command = [sys.executable, "-m", "bench.child", target]
        done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome.load(done.stdout.splitlines()[-1])


def in_turn(job: Job, sides: Sequence[Side]) -> list[Result]:
    """Every side as often as it asks for, the turns spread evenly over the rounds."""
    results = [Result(side) for side in sides]
    rounds = max(side.repeats for side in sides)
    for turn in range(rounds):
        for result in results:
            step = rounds / result.side.repeats
            if turn == math.floor(len(result.outcomes) * step) and turn < rounds:
                result.outcomes.append(in_child(result.side.target, job))
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def table(results: Sequence[Result], unit: str) -> str:
    """Each side beside the first one; `unit` says what was timed."""
    ours = results[0]
    head = (unit, "children", "median", "x ours", "peak MB", "x ours", "imports MB")
    rows = [
        (
            r.side.name,
            str(len(r.outcomes)),
            duration(r.seconds),
            f"{r.seconds / ours.seconds:.2f}",
            f"{r.peak_mb:.0f}",
            f"{r.peak_mb / ours.peak_mb:.2f}",
            f"{r.imports_mb:.0f}",
        )
        for r in results
    ]
    return lined_up([head, *rows])


def lined_up(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )  # fmt: skip


def duration(seconds: float) -> str:
    """12.3 ms or 4.56 s."""
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
