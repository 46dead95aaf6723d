"""core.quarters: what the files by ticker answer is what the files by session would."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.bars import Family, Scope, Series
from core.calendar import TradingDay, sessions_ending
from core.store import Store
from tests.frames import bars, day, row

SERIES, OTHER = Series(Scope.ALL, Family.DAILY), Series(Scope.ALL, Family.SAMPLE)
DAYS = sessions_ending(day("2026-10-08"), 10)
"""Five sessions of the third quarter, five of the fourth."""
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
    names=st.sets(st.sampled_from([*NAMES, "NONE"])),
)
def test_whenever_it_was_made_the_answer_is_the_same(
    writes: list[tuple[int, set[str]]],
    compacted: int,
    span: set[TradingDay],
    names: set[str],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, revisions = Store.on_disk(Path(folder)), dict[int, int]()
        for n, (place, traded) in enumerate(writes):
            revisions[place] = revisions.get(place, 0) + 1
            write(store, DAYS[place], sorted(traded), float(n), revisions[place])
            if n == compacted:
                store.compact(SERIES)
        days, asked = sorted(span), sorted(names)
        read = store.read(SERIES, days, tickers=asked)
        assert read.equals(by_session(store, days, asked))
        few = store.read(SERIES, days, ["ticker", "volume"], asked)
        assert few.equals(read.select("ticker", "volume"))


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
