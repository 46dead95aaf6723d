"""`bars`: what a shell gets of a stored session, and each way in which there is nothing."""

import asyncio
import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest

from bot.app import opened
from bot.export import Stored
from bot.once import Exit
from bot.settings import load
from bot.shell import main
from core.bars import Family, Scope, Series
from core.calendar import sessions_ending
from core.ledger import Entry, Status
from tests.market import NEWEST, NOW, compiled_once
from tests.shared import Shared, copied

BEFORE = sessions_ending(NEWEST, 2)[0]


@pytest.fixture(scope="module")
def stored(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in market's newest session with its tape, and nothing before it."""
    return copied(shared.once("export", _fill), tmp_path_factory.mktemp("stored"))


def _fill(folder: Path) -> None:
    async def fill() -> None:
        settings = await asyncio.to_thread(load, data_dir=folder, dark_pool_only="true")
        async with opened(settings, now=lambda: NOW) as app:
            await app.ladder.top.trading_day(NEWEST, announce=False)

    compiled_once(folder)
    asyncio.run(fill())


@pytest.fixture(autouse=True)
def _settings(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(stored))
    monkeypatch.setenv("DARK_POOL_ONLY", "true")


def test_the_csv_has_a_header_and_leaves_null_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bars", str(NEWEST), "--csv"]) == Exit.DONE
    out = capsys.readouterr().out
    assert out.startswith("ticker,open,high,low,close,volume,transactions,vwap,blocks,largest,")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["ticker"] for row in rows] == sorted(row["ticker"] for row in rows)
    without = [row for row in rows if row["open"] == ""]
    assert without, "some names trade off exchange in odd lots alone"
    assert all(float(row["volume"]) > 0 for row in without)


def test_both_scopes_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for scope in ("all", "off_exchange"):
        assert main(["bars", str(NEWEST), "--scope", scope, "--json"]) == Exit.DONE
        found[scope] = json.loads(capsys.readouterr().out)
        assert found[scope]["scope"] == scope
        assert found[scope]["series"].startswith(f"{scope}-sample")
    every = {bar["ticker"]: bar["volume"] for bar in found["all"]["bars"]}
    assert all(bar["volume"] <= every[bar["ticker"]] for bar in found["off_exchange"]["bars"])


def test_a_person_sees_the_largest_and_where_they_come_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bars", str(NEWEST)]) == Exit.DONE
    out = capsys.readouterr().out
    assert out.startswith(f"{NEWEST} · off_exchange-sample-raw · ")
    assert "more: --csv or --json" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([str(BEFORE)], Exit.NOTHING_STORED, "no bars of scope off_exchange are stored for"),
        (["2026-03-07"], Exit.USAGE, "is a Saturday"),
        (["2031-01-02"], Exit.USAGE, "in the future"),
        (["yesterday"], Exit.USAGE, "is no date"),
    ],
)
def test_nothing_to_show_says_why(
    words: list[str], code: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bars", *words]) == code
    caught = capsys.readouterr()
    assert said in caught.err
    assert caught.out == ""


def test_a_scope_that_is_not_read_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DARK_POOL_ONLY", "false")
    assert main(["bars", str(NEWEST), "--scope", "off_exchange"]) == Exit.NOTHING_STORED
    assert "DARK_POOL_ONLY=true" in capsys.readouterr().err


def test_no_text_of_stored_bars_is_a_formula() -> None:
    rows = pl.DataFrame({"ticker": ["=HYPERLINK(1)", "A", None], "close": [-1.5, 2.0, None]})
    nothing = (None, None, (), None, False, NOW, NOW, None)
    entry = Entry(NEWEST, Status.STORED, 1, "rest", *nothing)
    stored = Stored(Series(Scope.ALL, Family.SAMPLE), entry, rows)
    assert stored.csv().splitlines() == ["ticker,close", "'=HYPERLINK(1),-1.5", "A,2.0", ","]
