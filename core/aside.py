"""What a data folder has, put aside inside of it: a volume's mount point has no other name.

Blocking calls.
"""

from pathlib import Path

STATE = "state.db"
PLACE = "bars.at"
"""Where the bars are, if that is not this disk (bot.storage)."""
JOURNALS = tuple(f"{STATE}-{of}" for of in ("wal", "shm", "journal"))
"""What SQLite keeps beside it, and puts into whatever has its name."""
_BELONGS_TO_IT = (*JOURNALS, PLACE, "bars", "held", "quarters", "measured", "staged")
_ASIDE = "set-aside"


def left_there(data_dir: Path) -> list[str]:
    """Which parts of a state are in a folder."""
    return [name for name in (STATE, *JOURNALS) if (data_dir / name).exists()]


def put_aside(data_dir: Path) -> Path:
    """The state, and all that belongs to it, in a folder of its own; what was copied stays."""
    taken = {path.name for path in data_dir.glob(f"{_ASIDE}-*")}
    folder = data_dir / next(
        name for n in range(1, len(taken) + 2) if (name := f"{_ASIDE}-{n}") not in taken
    )
    folder.mkdir()
    # The state first: while it is there, nobody takes this for done.
    for name in (STATE, *_BELONGS_TO_IT):
        if (data_dir / name).exists():
            (data_dir / name).replace(folder / name)
    return folder
