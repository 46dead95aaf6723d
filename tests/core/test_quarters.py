"""core.quarters: what the files by ticker answer is what the files by session would."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.bars import Family, Scope, Series
from core.calendar import TradingDay, sessions_ending
from core.files import Folder
from core.quarters import Quarters
from core.store import Store
from tests.frames import bars, day, row

SERIES, OTHER = Series(Scope.ALL, Family.DAILY), Series(Scope.ALL, Family.SAMPLE)
DAYS = sessions_ending(day("2026-10-08"), 10)
"""Four sessions of the third quarter, six of the fourth."""
NAMES = ["A", "AA", "B", "BApA", "ZZZ"]


def write(
    store: Store, on: TradingDay, names: Sequence[str], volume: float = 1.0, revision: int = 1
) -> None:
    store.write(SERIES, on, bars(on, [row(n, volume=volume) for n in sorted(names)]), revision)


def by_session(store: Store, days: Sequence[TradingDay], names: Sequence[str]) -> pl.DataFrame:
    """What a reader of every daily file finds."""
    return store.read(SERIES, days).filter(pl.col("ticker").is_in(names)).sort("session", "ticker")


def made(root: Path) -> list[str]:
    return sorted(p.name.partition(".")[0] for p in root.glob(f"quarters/{SERIES.key}/*.parquet"))


def later(root: Path) -> Store:
    """Whose folders have not changed for some time."""
    now_s = time.time() + 1_000.0
    folder = Folder(root, clock=lambda: now_s)
    return Store(folder, folder)


@dataclass(slots=True)
class Clock:
    """Set by hand."""

    now_s: float

    def __call__(self) -> float:
        return self.now_s

    def __hash__(self) -> int:
        return id(self)


def changed(root: Path, n: int) -> None:
    """Each change of a folder has a time of its own, however coarse the disk's clock is."""
    for folder in ("bars", "quarters"):
        if (path := root / folder / SERIES.key).exists():
            os.utime(path, ns=(n, n))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.on_disk(tmp_path)
    for on in DAYS:
        write(store, on, NAMES)
    return store


def test_a_quarter_is_made_once_and_anew_when_a_session_changes(
    store: Store, tmp_path: Path
) -> None:
    assert store.compact(OTHER) == 0
    assert store.compact(SERIES) == 2
    assert made(tmp_path) == ["2026Q3", "2026Q4"]
    assert store.compact(SERIES) == 0

    write(store, DAYS[-1], NAMES, volume=7.0, revision=2)
    read = store.read(SERIES, DAYS, tickers=["B"])
    assert read["volume"].to_list() == [1.0] * 9 + [7.0]
    assert store.compact(SERIES) == 1
    assert made(tmp_path) == ["2026Q3", "2026Q4"]
    assert store.read(SERIES, DAYS, tickers=["B"]).equals(read)


def test_what_somebody_left_who_died_before_he_dropped_it_goes(
    store: Store, tmp_path: Path
) -> None:
    store.compact(SERIES)
    there = store.files.listed(f"quarters/{SERIES.key}")
    write(store, DAYS[-1], NAMES, volume=7.0, revision=2)
    (stale,) = (name for name in there if name.startswith("2026Q4"))
    whole = (tmp_path / "quarters" / SERIES.key / stale).read_bytes()
    store.compact(SERIES)
    store.files.put(f"quarters/{SERIES.key}/{stale}", whole)
    assert store.compact(SERIES) == 0
    assert made(tmp_path) == ["2026Q3", "2026Q4"]
    assert store.read(SERIES, DAYS, tickers=["B"])["volume"].to_list() == [1.0] * 9 + [7.0]


_WRITES = st.lists(
    st.tuples(st.sampled_from(range(len(DAYS))), st.sets(st.sampled_from(NAMES), min_size=1)),
    max_size=8,
)


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    writes=_WRITES,
    compacted=st.integers(0, 8),
    span=st.sets(st.sampled_from(DAYS)),
    begun=st.sampled_from([later, Store.on_disk]),
    names=st.sets(st.sampled_from([*NAMES, "NONE"])),
)
def test_whenever_it_was_made_the_answer_is_the_same(
    writes: list[tuple[int, set[str]]],
    compacted: int,
    span: set[TradingDay],
    begun: Callable[[Path], Store],
    names: set[str],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, revisions = begun(Path(folder)), dict[int, int]()
        days, asked = sorted(span), sorted(names)
        for n, (place, traded) in enumerate(writes):
            revisions[place] = revisions.get(place, 0) + 1
            write(store, DAYS[place], sorted(traded), float(n), revisions[place])
            if n == compacted:
                store.compact(SERIES)
            changed(Path(folder), n)
            read = store.read(SERIES, days, tickers=asked)
            assert read.equals(by_session(store, days, asked))
        read = store.read(SERIES, days, tickers=asked)
        assert read.equals(by_session(store, days, asked))
        few = store.read(SERIES, days, ["ticker", "volume"], asked)
        assert few.equals(read.select("ticker", "volume"))


def test_no_file_is_looked_at_while_its_folder_is_as_it_was(store: Store, tmp_path: Path) -> None:
    store.compact(SERIES)
    clock, dates = Clock(time.time() // 60 * 60 + 1_000.0), [on.date for on in DAYS]
    quarters = Quarters(Folder(tmp_path, clock=clock), SERIES)
    whole = quarters.names(dates)
    daily = tmp_path / "bars" / SERIES.key / f"{DAYS[-1]}.parquet"
    os.utime(daily, ns=(1, 1))
    assert quarters.names(dates) == whole, "nobody of ours changes one in its place"
    assert Quarters(store.files, SERIES).names(dates) != whole, "the folder is too young for that"
    by_session = [whole[0], *(f"bars/{SERIES.key}/{on}.parquet" for on in DAYS[4:])]
    changed(tmp_path, 7)
    assert quarters.names(dates) == by_session
    store.compact(SERIES)
    whole = quarters.names(dates)
    os.utime(daily, ns=(2, 2))
    clock.now_s += 60.0
    assert quarters.names(dates) == by_session, "by hand it may be, and that is seen in a minute"


@pytest.mark.parametrize("spoiled", [b"", b"PAR1 and then the disk was full"])
def test_a_file_that_is_spoiled_is_not_believed(
    store: Store, tmp_path: Path, spoiled: bytes
) -> None:
    store.compact(SERIES)
    for file in tmp_path.glob("quarters/*/*.parquet"):
        file.write_bytes(spoiled)
    assert store.read(SERIES, DAYS, tickers=["A"]).equals(by_session(store, DAYS, ["A"]))


def test_a_disk_without_room_for_it_changes_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "quarters").write_bytes(b"where the folder would be")
    assert store.compact(SERIES) == 0
    assert store.read(SERIES, DAYS, tickers=["A"]).equals(by_session(store, DAYS, ["A"]))
