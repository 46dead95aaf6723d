"""Where bars are kept: Parquet files by name, each there whole or not at all. Blocking calls.

A name is `bars/all-daily-raw/2026-11-20.parquet`. `Folder` is a disk; core.bucket is object
storage. One suite runs against both.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, Protocol

import polars as pl

from core.whole import written_whole

_NO_LINKS = {
    *(errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL),
    *(errno.EMLINK, errno.EXDEV),
}
"""What SMB, exFAT, FUSE and others say who know no hard links, or have no more of them."""
_SETTLED_S = 2.0
"""So long a folder's time of change may stay the same while more is put there: FAT counts in two
seconds, others in hundredths."""
_BELIEVED_S = 60.0
"""So long at most: a file may be overwritten in its place by hand, and some file systems that are
made of several give a folder the times of one of them."""


class Stamp(NamedTuple):
    """What is known of a file without reading it."""

    state: str
    """Another one when the file has changed."""
    modified_s: float
    """Seconds since the epoch."""


Which = Callable[[str], bool]
"""Says yes to some names."""


def every(name: str) -> bool:
    """Yes."""
    return True


class Files(Protocol):
    """Every call may raise OSError: a full disk, a storage that is away."""

    def __hash__(self) -> int:
        """Of the place, not of what is in it."""

    @property
    def url(self) -> str:
        """Of whoever has it; empty for a disk."""

    def listed(self, folder: str, only: Which = every) -> Mapping[str, Stamp]:
        """The names in a folder, without it; those that `only` says yes to."""

    def look_again(self, folder: str, begins: str) -> None:
        """What others have written there just now counts, of the names that begin so."""

    def version(self, folder: str) -> str:
        """Letters that are others once a file was put there, moved or dropped, and now and then
        without that; empty if only listed() tells."""

    def stamp(self, name: str) -> Stamp | None:
        """None if there is no such file."""

    def paths(self, names: Sequence[str]) -> list[Path]:
        """On this machine, to be read now; FileNotFoundError for one that is not there."""

    def state_of(self, name: str, path: Path) -> str:
        """In which state the file was that has been read there, where paths() said it is; another
        one, or none, where it has changed meanwhile."""

    def put(self, name: str, whole: bytes) -> None:
        """In the place of what has this name, if anything has."""

    def copy(self, name: str, to: str) -> None:
        """The same file under another name as well."""

    def move(self, name: str, to: str) -> None:
        """Under the other name only, in the place of what has it; FileNotFoundError if there is no
        such file."""

    def drop(self, name: str) -> None:
        """It is not there afterwards, if it was before."""

    def empty(self, folder: str) -> None:
        """Nothing is in it afterwards, no half-written file either."""

    def forget_copy(self, name: str) -> None:
        """Ask for the file anew, where what is read is but a copy of it."""

    def probe(self) -> None:
        """Can files be listed, written and read here?"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine's disk."""

    root: Path
    link: Callable[[Path, Path], None] = os.link
    """The same file under another name as well; OSError where there is no such thing."""
    clock: Callable[[], float] = time.time
    """That of the disk, in seconds since the epoch."""

    def __str__(self) -> str:
        """As a person would name it."""
        return str(self.root)

    @property
    def url(self) -> str:
        """Nobody's."""
        return ""

    def listed(self, folder: str, only: Which = every) -> Mapping[str, Stamp]:
        """Without half-written files."""
        found = dict[str, Stamp]()
        gone = suppress(FileNotFoundError, NotADirectoryError)
        with gone, self._opened(folder) as there, os.scandir(there) as entries:
            for entry in entries:
                if not (entry.name.endswith(".parquet") and only(entry.name)):
                    continue
                # Each costs a call of the system, which is most of it where years are stored.
                if (stamp := _stamp_of(entry.stat)) is not None:
                    found[entry.name] = stamp
        return found

    def look_again(self, folder: str, begins: str) -> None:
        """Each look is anew."""

    def version(self, folder: str) -> str:
        """By the folder's own time of change, once that is long enough ago to be its last."""
        try:
            # Opened: what NFS says of a path may be as old as half a minute.
            with self._opened(folder) as there:
                stat = os.fstat(there)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        now_s = self.clock()
        if now_s - max(stat.st_mtime, stat.st_ctime) < _SETTLED_S:
            return ""
        times = f"{stat.st_mtime_ns}.{stat.st_ctime_ns}"
        return f"{stat.st_dev}.{stat.st_ino}.{times}.{now_s // _BELIEVED_S:.0f}"

    @contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        """By its number: each file's path from the root on would take a fifth longer."""
        number = os.open(self.root / folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield number
        finally:
            os.close(number)

    def stamp(self, name: str) -> Stamp | None:
        """Size and time of change."""
        # A path of its own for each would take longer than the question.
        return _stamp_of(partial(os.stat, f"{self.root}/{name}"))

    def paths(self, names: Sequence[str]) -> list[Path]:
        """Whether they are there shows when they are read."""
        return [self.root / name for name in names]

    def state_of(self, name: str, path: Path) -> str:
        """As it is by now: it does not come back to a state that it was in."""
        stamp = self.stamp(name)
        return "" if stamp is None else stamp.state

    def put(self, name: str, whole: bytes) -> None:
        """By another name first."""
        with written_whole(self.root / name) as file:
            file.write(whole)

    def copy(self, name: str, to: str) -> None:
        """Takes no place of its own, where the disk knows links."""
        try:
            self.link(self.root / name, self.root / to)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with (self.root / name).open("rb") as file, written_whole(self.root / to) as copy:
                shutil.copyfileobj(file, copy)

    def move(self, name: str, to: str) -> None:
        """A disk that is full has room for that."""
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).replace(self.root / to)

    def drop(self, name: str) -> None:
        """Readers that have it open go on."""
        (self.root / name).unlink(missing_ok=True)

    def empty(self, folder: str) -> None:
        """What a killed writer has left goes as well."""
        for path in (self.root / folder).glob("*"):
            path.unlink(missing_ok=True)

    def forget_copy(self, name: str) -> None:
        """There is none."""

    def probe(self) -> None:
        """By a file of nobody else's: two who ask at once would take away one with a name."""
        self.root.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=self.root):
            pass


def parquet(
    frame: pl.DataFrame, rows_a_group: int | None = None, page_bytes: int | None = None
) -> bytes:
    """The same bytes for the same frame, wherever they go."""
    whole = BytesIO()
    frame.write_parquet(
        whole, compression="zstd", row_group_size=rows_a_group, data_page_size=page_bytes
    )
    return whole.getvalue()


def _stamp_of(look: Callable[[], os.stat_result]) -> Stamp | None:
    """None for what has gone meanwhile, and for a link to nothing."""
    try:
        stat = look()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(f"{stat.st_size}.{stat.st_mtime_ns}", stat.st_mtime)
