"""Who used the cores while a backfill ran, and what it waited for."""

import os
import resource
import time
from dataclasses import dataclass, field

from bench import tree

_FULL = 0.9
"""So much of what there is, and it is what is waited for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What everyone has used up to here."""

    job: list[tree.Seen]
    """The bot, its workers, their readers, and a cluster's scheduler."""
    server: list[tree.Seen]
    watch_s: float
    busy_s: float
    """Of this machine, whoever it was."""
    at_s: float = field(default_factory=time.monotonic)

    @classmethod
    def now(cls, job: list[tree.Seen], server_pid: int) -> "Moment":
        """The watch is this process, with the threads that it looks by."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        watch_s = own.ru_utime + own.ru_stime
        return cls(job, tree.below(server_pid), watch_s, tree.busy_s())


@dataclass(frozen=True, slots=True)
class Used:
    """Between two moments; seconds of CPU, but for the wall."""

    wall_s: float
    job_s: float
    bot_s: float
    server_s: float
    watch_s: float
    busy_s: float

    @classmethod
    def between(cls, first: Moment, last: Moment) -> "Used":
        """What came in between."""
        return cls(
            last.at_s - first.at_s,
            tree.cpu_s(last.job) - tree.cpu_s(first.job),
            _of_root(last.job) - _of_root(first.job),
            tree.cpu_s(last.server) - tree.cpu_s(first.server),
            last.watch_s - first.watch_s,
            last.busy_s - first.busy_s,
        )

    @property
    def others_s(self) -> float:
        """Nobody's here: other processes, and what the kernel does for none."""
        return max(0.0, self.busy_s - self.job_s - self.server_s - self.watch_s)

    def limit(self, cores: int) -> str:
        """What it waited for; `cores`: how many the job may use, 0 for all."""
        there = os.cpu_count() or 1
        if self.server_s >= _FULL * self.wall_s:
            return "THE SERVER, which has one loop"
        if cores and self.job_s >= _FULL * cores * self.wall_s:
            return f"its {cores} core{'s'[: cores - 1]}"
        if self.busy_s >= _FULL * there * self.wall_s:
            return f"the {there} cores, of which it had {self.job_s / self.wall_s:.2f}"
        return "neither cores nor server: what a reader does in turn"


def _of_root(seen: list[tree.Seen]) -> float:
    return sum(one.own_s for one in seen if one.role == tree.ROOT)
