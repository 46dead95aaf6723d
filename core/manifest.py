"""What is in a tar: names, sizes and sums of its files, in its last member. Blocking calls.

Last, because what somebody writes to meanwhile is read once. A tar that was cut off has no list.
"""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypedDict

LIST = "manifest.json"


class Entry(TypedDict):
    """One file; its size is in bytes, its sum in hex."""

    size: int
    sha256: str


@dataclass(slots=True)
class Packing:
    """A tar that is being written."""

    tar: tarfile.TarFile
    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, path: Path, name: str) -> None:
        """As it is now, though somebody may put another in its place."""
        with path.open("rb") as file:
            info, read = self.tar.gettarinfo(arcname=name, fileobj=file), _Summed(file)
            self.tar.addfile(info, read)
        self.entries[name] = {"size": info.size, "sha256": read.sum.hexdigest()}

    def end(self) -> None:
        """Nothing may be added any more."""
        body = json.dumps({"files": self.entries}, indent=1).encode()
        info = tarfile.TarInfo(LIST)
        info.size = len(body)
        self.tar.addfile(info, io.BytesIO(body))


class _Summed(io.RawIOBase):
    """A file, and the sum of what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sum = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        found = self._file.read(size)
        self.sum.update(found)
        return found


def fault_in(folder: Path) -> str:
    """What an unpacked tar has otherwise than its list says, in words; empty if nothing.

    FileNotFoundError if it has no list.
    """
    try:
        listed: dict[str, Entry] = json.loads((folder / LIST).read_text())["files"]
        there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        del there[LIST]
        if odd := sorted(listed.keys() ^ there.keys()):
            return f"{odd[0]} is missing" if odd[0] in listed else f"{odd[0]} is not in its list"
        for name, path in there.items():
            if _entry(path) != listed[name]:
                return f"{name} is not as it was"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{LIST} cannot be read"
    return ""


def _entry(path: Path) -> Entry:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": found}


def is_ended(tar: tarfile.TarFile, path: Path) -> bool:
    """Does it end as a tar does? One that was cut between two members does not."""
    if not (members := tar.getmembers()):
        return False
    last = members[-1]
    blocks = -(-last.size // tarfile.BLOCKSIZE)
    with path.open("rb") as file:
        file.seek(last.offset_data + blocks * tarfile.BLOCKSIZE)
        return file.read(2 * tarfile.BLOCKSIZE) == bytes(2 * tarfile.BLOCKSIZE)
