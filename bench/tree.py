"""What Linux tells of a process and everything below it: seconds of CPU, largest memory."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
ROOT, READER, TRACKER = "bot", "reader", "helper"
_NAMED = {"spawn_main": "worker", "dask worker": "worker", "tape_child": READER}


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one moment."""

    pid: int
    parent: int
    role: str
    """bot, worker, reader; helper for what only looks after others."""
    own_s: float
    """CPU of its own."""
    ended_s: float
    """CPU of its children that have ended."""
    peak_mb: float


def below(*roots: int) -> list[Seen]:
    """The roots and their descendants."""
    everyone = {seen.pid: seen for seen in _everyone()}
    found, young = list[Seen](), [everyone[root] for root in roots if root in everyone]
    while young:
        found += young
        numbers = {seen.pid for seen in young}
        young = [seen for seen in everyone.values() if seen.parent in numbers]
    return found


def cpu_s(seen: list[Seen]) -> float:
    """All of it, of those that have ended as well."""
    return sum(one.own_s + one.ended_s for one in seen)


def _everyone() -> Iterator[Seen]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError):
                yield _seen(folder)


def _seen(folder: Path) -> Seen:
    # pid (name) state ppid ...; a name may have blanks and brackets in it.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    role = next((role for word, role in _NAMED.items() if word in line), TRACKER)
    if "-m bot" in line:
        role = ROOT
    own, ended = (sum(map(int, fields[n : n + 2])) / _TICKS for n in (11, 13))
    return Seen(int(folder.name), int(fields[1]), role, own, ended, _peak_mb(folder))


def _peak_mb(folder: Path) -> float:
    for line in (folder / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
