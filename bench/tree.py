"""What Linux tells of a process and everything below it: seconds of CPU, largest memory."""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
ROOT, READER, TRACKER, WORKER = "bot", "reader", "helper", "worker"
_NAMED = {
    "spawn_main": WORKER,
    "dask worker": WORKER,
    "dask scheduler": "scheduler",
    "tape_child": READER,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one moment."""

    pid: int
    parent: int
    role: str
    """bot, worker, reader, scheduler; helper for what only looks after others."""
    own_s: float
    """CPU of its own."""
    ended_s: float
    """CPU of its children that have ended."""
    peak_mb: float


def below(*roots: int) -> list[Seen]:
    """The roots and their descendants."""
    # Whoever looks often must not be a load of its own: of all others only the parent is read.
    children = defaultdict[int, list[int]](list)
    for pid, fields in _everyone():
        children[int(fields[1])].append(pid)
    found, young = list[Seen](), list(roots)
    while young:
        for pid in young:
            with suppress(OSError, IndexError):
                found.append(_seen(pid))
        young = [child for pid in young for child in children[pid]]
    return found


def cpu_s(seen: list[Seen]) -> float:
    """All of it, of those that have ended as well."""
    return sum(one.own_s + one.ended_s for one in seen)


def busy_s() -> float:
    """Seconds that all cores together have not been idle, since this machine began."""
    words = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _, _, hard, soft, stolen = (int(word) / _TICKS for word in words[:8])
    return user + nice + system + hard + soft + stolen


def _everyone() -> Iterator[tuple[int, list[bytes]]]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
        if name.isdecimal():
            with suppress(OSError, IndexError):
                yield int(name), _stat(int(name))


def _stat(pid: int) -> list[bytes]:
    with Path(f"/proc/{pid}/stat").open("rb", buffering=0) as file:
        # pid (name) state ppid ...; a name may have blanks and brackets in it.
        return file.read().rpartition(b")")[2].split()


def _seen(pid: int) -> Seen:
    folder, fields = Path(f"/proc/{pid}"), _stat(pid)
    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    role = next((role for word, role in _NAMED.items() if word in line), TRACKER)
    if "-m bot" in line:
        role = ROOT
    own, ended = (sum(map(int, fields[n : n + 2])) / _TICKS for n in (11, 13))
    return Seen(pid, int(fields[1]), role, own, ended, _peak_mb(folder))


def _peak_mb(folder: Path) -> float:
    for line in (folder / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
