"""Ten years of trades files on paper: what a session was measured to cost, times what there is."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.harness import lined_up

SESSIONS, SIZES_GB, WORKERS = 2_520, (1.0, 2.0, 4.0), (1, 10, 100)
LINES_GBIT = (1.0, 10.0)
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one session, on the machine that measured."""

    wall_s_per_gb: float
    """A worker with that machine to itself, for each GB of the vendor's file."""
    cpu_s_per_gb: float
    serial_s: float
    """What the bot does with each, one after another."""
    turn_s: float
    """The part of it that the nightly run would wait for."""
    stored_bytes: float
    requests: float


@dataclass(frozen=True, slots=True)
class Bound:
    """The shortest time that one thing allows, for all sessions."""

    what: str
    seconds: float


def bounds(cost: Cost, size_gb: float, workers: int, line_gbit: float) -> list[Bound]:
    """Every one; all workers behind one line, which is the worst case of a line."""
    bits = 8 * size_gb
    return [
        Bound("workers", SESSIONS * size_gb * cost.wall_s_per_gb / workers),
        Bound("the line", SESSIONS * bits / line_gbit),
        Bound("the bot", SESSIONS * cost.serial_s),
    ]


def on_paper(cost: Cost) -> str:
    """A table: hours, and what saturates first."""
    head = ("GB a file", "workers", *(f"all behind {line:.0f} Gbit/s" for line in LINES_GBIT),
            "a line of 1 Gbit/s each", "requests a second")  # fmt: skip
    rows = [head, *(_row(cost, size, workers) for size in SIZES_GB for workers in WORKERS)]
    return "\n".join([_said(cost), lined_up(rows), *_limits(cost)])


def _said(cost: Cost) -> str:
    low, high = (SESSIONS * size / 1e3 for size in (SIZES_GB[0], SIZES_GB[-1]))
    return (
        f"\n  on paper: {SESSIONS:,} sessions of {SIZES_GB[0]:.0f}-{SIZES_GB[-1]:.0f} GB,"
        f" {low:.1f}-{high:.1f} TB in, {SESSIONS * cost.stored_bytes / 1e9:.1f} GB stored,"
        f" {SESSIONS * cost.requests:,.0f} requests; a GB takes a worker {cost.wall_s_per_gb:.1f} s"
        f" ({cost.cpu_s_per_gb:.1f} s of CPU)"
    )


def _row(cost: Cost, size: float, workers: int) -> tuple[str, ...]:
    shared = [_slowest(bounds(cost, size, workers, line)) for line in LINES_GBIT]
    own = _slowest(bounds(cost, size, workers, workers * LINES_GBIT[0]))
    pace = SESSIONS * cost.requests / own.seconds
    return (f"{size:.0f}", str(workers), *map(_cell, shared), _cell(own), f"{pace:.2f}")


def _slowest(found: list[Bound]) -> Bound:
    return max(found, key=lambda bound: bound.seconds)


def _cell(bound: Bound) -> str:
    return f"{bound.seconds / _HOUR_S:.1f} h ({bound.what})"


def _limits(cost: Cost) -> Iterator[str]:
    """How many workers it takes for something else to be what is waited for."""
    for line in LINES_GBIT:
        # A worker takes in so much; the size of a file cancels out.
        gbit = 8 / cost.wall_s_per_gb
        yield f"  a line of {line:.0f} Gbit/s is full with {line / gbit:.1f} workers"
    for size in SIZES_GB:
        most = size * cost.wall_s_per_gb / cost.serial_s
        yield f"  the bot is busy all the time with {most:.0f} workers on files of {size:.0f} GB"
