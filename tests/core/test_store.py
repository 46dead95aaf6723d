"""core.store: whole files or none, and no revision lost."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.bars import BARS, Bars, Family, Scope, Series
from core.store import Store
from tests.frames import bars, day, row

DAY, NEXT = day("2026-11-19"), day("2026-11-20")
SERIES = Series(Scope.ALL, Family.DAILY)
FIRST = bars(DAY, [row("AAPL"), row("MSFT")])
SECOND = bars(DAY, [row("AAPL", volume=5.0), row("MSFT")])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.on_disk(tmp_path)


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_what_was_written_is_read_back_bit_by_bit(store: Store, tmp_path: Path) -> None:
    odd = bars(DAY, [row("A", volume=0.1 + 0.2, open=None, transactions=None), row("BApA")])

    store.write(SERIES, DAY, odd, 1)

    assert store.read(SERIES, [DAY]).equals(odd)
    assert dict(store.read(SERIES, [DAY]).schema) == BARS
    assert files(tmp_path) == ["bars/all-daily-raw/2026-11-19.parquet"]


def test_nothing_is_stored_at_first(store: Store) -> None:
    assert not store.has(SERIES, DAY)
    assert store.held(SERIES, DAY) is None
    assert dict(store.read(SERIES, [DAY]).schema) == BARS
    assert store.read(SERIES, [DAY], ["ticker", "volume"]).columns == ["ticker", "volume"]
    assert store.read(SERIES, []).is_empty()


def test_sessions_that_are_missing_are_left_out_of_a_span(store: Store) -> None:
    store.write(SERIES, DAY, FIRST, 1)
    store.write(SERIES, NEXT, bars(NEXT, [row("AAPL")]), 1)

    read = store.read(SERIES, [day("2026-11-18"), DAY, NEXT], ["session", "ticker"])

    assert read.rows() == [(DAY.date, "AAPL"), (DAY.date, "MSFT"), (NEXT.date, "AAPL")]


def test_series_do_not_see_each_other(store: Store) -> None:
    store.write(SERIES, DAY, FIRST, 1)

    assert not store.has(Series(Scope.ALL, Family.SAMPLE), DAY)
    assert store.read(Series(Scope.OFF_EXCHANGE, Family.DAILY), [DAY]).is_empty()


def test_the_revision_before_stays_beside_the_new_one(store: Store, tmp_path: Path) -> None:
    third = bars(DAY, [row("AAPL", volume=6.0)])
    for revision, made in enumerate((FIRST, SECOND, third), 1):
        store.write(SERIES, DAY, made, revision)

    folder = tmp_path / "bars" / SERIES.key
    assert store.read(SERIES, [DAY]).equals(third)
    assert pl.read_parquet(folder / "2026-11-19.r1.parquet").equals(FIRST)
    assert pl.read_parquet(folder / "2026-11-19.r2.parquet").equals(SECOND)


def test_a_revision_is_found_by_its_number(store: Store) -> None:
    store.write(SERIES, DAY, FIRST, 1)
    assert store.read_revision(SERIES, DAY, 1).equals(FIRST)

    store.write(SERIES, DAY, SECOND, 2)
    assert store.read_revision(SERIES, DAY, 1).equals(FIRST)
    assert store.read_revision(SERIES, DAY, 2).equals(SECOND)


def test_writing_a_revision_again_after_a_crash_keeps_the_one_before(
    store: Store, tmp_path: Path
) -> None:
    store.write(SERIES, DAY, FIRST, 1)
    store.write(SERIES, DAY, SECOND, 2)  # and then the ledger never heard of it

    store.write(SERIES, DAY, SECOND, 2)

    assert pl.read_parquet(tmp_path / "bars" / SERIES.key / "2026-11-19.r1.parquet").equals(FIRST)
    assert store.read(SERIES, [DAY]).equals(SECOND)


def test_what_was_begun_and_never_known_is_taken_back_byte_for_byte(
    store: Store, tmp_path: Path
) -> None:
    current = tmp_path / "bars" / SERIES.key / "2026-11-19.parquet"
    store.write(SERIES, DAY, FIRST, 1)
    first = current.read_bytes()
    store.write(SERIES, DAY, SECOND, 2)
    second = current.read_bytes()
    store.write(SERIES, DAY, FIRST, 3)
    before = files(tmp_path)

    store.back_to(SERIES, DAY, 3)
    assert (files(tmp_path), current.read_bytes()) == (before, first)

    store.back_to(SERIES, DAY, 2)
    assert current.read_bytes() == second
    assert current.with_name("2026-11-19.r1.parquet").read_bytes() == first
    assert files(tmp_path) == [f"bars/{SERIES.key}/2026-11-19.{end}"
                               for end in ("parquet", "r1.parquet")]  # fmt: skip

    # A state of long ago was put back: what is later than it knows is nobody's.
    store.write(SERIES, DAY, FIRST, 3)
    store.back_to(SERIES, DAY, 1)
    assert current.read_bytes() == first
    assert files(tmp_path) == [f"bars/{SERIES.key}/2026-11-19.parquet"]


def test_what_died_before_the_new_file_was_there_leaves_no_second_name(
    store: Store, tmp_path: Path
) -> None:
    store.write(SERIES, DAY, FIRST, 1)
    current = f"bars/{SERIES.key}/2026-11-19"
    store.files.copy(f"{current}.parquet", f"{current}.r1.parquet")

    store.back_to(SERIES, DAY, 1)
    assert files(tmp_path) == [f"{current}.parquet"]

    store.write(SERIES, DAY, SECOND, 2)
    store.files.drop(f"{current}.parquet")
    store.back_to(SERIES, DAY, 1)
    assert store.read(SERIES, [DAY]).equals(FIRST)


def test_nothing_is_put_back_from_a_file_that_cannot_be_read(store: Store, tmp_path: Path) -> None:
    store.write(SERIES, DAY, FIRST, 1)
    store.write(SERIES, DAY, SECOND, 2)
    (tmp_path / "bars" / SERIES.key / "2026-11-19.r1.parquet").write_bytes(b"PAR1")

    store.back_to(SERIES, DAY, 1)
    assert store.read(SERIES, [DAY]).equals(SECOND)


class _Killed(BaseException):
    """What a power cut would be."""


class _Dying(pl.DataFrame):
    """Bars whose writer is killed half-way through the file."""

    def write_parquet(self, file: Any, **_: Any) -> None:
        file.write(b"PAR1half a file")
        raise _Killed


def test_a_write_that_dies_halfway_leaves_the_file_before_untouched(
    store: Store, tmp_path: Path
) -> None:
    store.write(SERIES, DAY, FIRST, 1)
    with pytest.raises(_Killed):
        store.write(SERIES, DAY, Bars(_Dying(SECOND)), 2)

    assert store.read(SERIES, [DAY]).equals(FIRST)
    store.write(SERIES, DAY, SECOND, 2)
    assert store.read(SERIES, [DAY]).equals(SECOND)
    assert files(tmp_path) == [f"bars/{SERIES.key}/2026-11-19.{end}"
                               for end in ("parquet", "r1.parquet")]  # fmt: skip


def test_what_a_killed_write_left_is_neither_read_nor_in_the_way(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "bars" / SERIES.key
    folder.mkdir(parents=True)
    killed, running = (folder / f"2026-11-19.{n}.partial" for n in ("k1lled", "running"))
    for partial in (killed, running):
        partial.write_bytes(b"PAR1half a file")
    an_hour_ago = killed.stat().st_mtime - 3600
    os.utime(killed, (an_hour_ago, an_hour_ago))

    assert not store.has(SERIES, DAY)
    assert store.read(SERIES, [DAY]).is_empty()
    store.write(SERIES, DAY, FIRST, 1)
    assert files(tmp_path) == [
        f"bars/{SERIES.key}/2026-11-19.{end}" for end in ("parquet", "running.partial")
    ]


def test_held_rows_are_kept_apart_from_stored_ones(store: Store, tmp_path: Path) -> None:
    store.hold(SERIES, DAY, FIRST)

    held = store.held(SERIES, DAY)
    assert held is not None
    assert held.equals(FIRST)
    assert not store.has(SERIES, DAY)
    assert store.read(SERIES, [DAY]).is_empty()
    assert files(tmp_path) == [f"held/{SERIES.key}/2026-11-19.parquet"]


def test_held_again_the_later_rows_count(store: Store) -> None:
    store.hold(SERIES, DAY, FIRST)
    store.hold(SERIES, DAY, SECOND)

    held = store.held(SERIES, DAY)
    assert held is not None
    assert held.equals(SECOND)
    assert held["session"][0] == date(2026, 11, 19)
