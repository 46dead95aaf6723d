"""The built-in market: the same everywhere, in the vendor's formats, and true to what it says."""

import csv
import gzip
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from random import Random

import polars as pl
import pytest

from core.bars import bad_rows, check
from core.calendar import NEW_YORK, TradingDay, sessions, sessions_ending, trading_day
from core.sources.sample_market import SampleMarket
from core.sources.sample_trades import TRADES_HEADER, SampleBar, bells, trade_lines
from core.splits import restate

DAY = trading_day(date(2026, 9, 16))
OLD_DAY = trading_day(date(2025, 11, 28))  # whole shares, and a half day
SPAN = sessions_ending(trading_day(date(2026, 9, 25)), 90)
PINNED = {  # the uncompressed text: how gzip packs it may differ between machines
    "day_aggs": "77a9af07eaf65eedc708638d07bde69ee2c6dd85c0c0a01c77e6e1454fae3021",
    "trades": "6d0018f98e764e74ff2490f9e211dfaa7edb610af7fbf98b08a22bde5c30d778",
}
ODD = {
    *("QBRK.B", "ZORpA", "QXAT.WS", "ZNMCr", "XPAC.U", "NA", "NULL", "TRUE"),
    *("ZVZZT", "ZXZZT", "ZAAP", "ZAAp"),
}


def text(packed: bytes) -> str:
    return gzip.decompress(packed).decode("ascii")


def frame(market: SampleMarket, day: TradingDay) -> pl.DataFrame:
    table = pl.read_csv(
        gzip.decompress(market.day_aggs(day)), schema_overrides={"ticker": pl.String}
    )
    return check(table, day)


def span(market: SampleMarket, days: list[TradingDay]) -> pl.DataFrame:
    return pl.concat([frame(market, day) for day in days])


@pytest.fixture(scope="module")
def market() -> SampleMarket:
    return SampleMarket()


@pytest.fixture(scope="module")
def bars(market: SampleMarket) -> pl.DataFrame:
    """The ninety sessions of SPAN."""
    return span(market, SPAN)


@pytest.fixture(scope="module")
def tapes(market: SampleMarket) -> dict[TradingDay, str]:
    """The tape of a session of each era."""
    return {day: text(market.trades(day)) for day in (DAY, OLD_DAY)}


# The same everywhere.


def test_the_same_session_comes_out_the_same(
    market: SampleMarket, tapes: dict[TradingDay, str]
) -> None:
    assert market.day_aggs(DAY) == market.day_aggs(DAY) == SampleMarket(1).day_aggs(DAY)
    assert tapes[DAY] == text(SampleMarket(1).trades(DAY))
    assert market.day_aggs(DAY) != SampleMarket(2).day_aggs(DAY)


def test_the_text_is_pinned(market: SampleMarket, tapes: dict[TradingDay, str]) -> None:
    made = {"day_aggs": text(market.day_aggs(DAY)), "trades": tapes[DAY]}
    assert {k: hashlib.sha256(v.encode()).hexdigest() for k, v in made.items()} == PINNED


def test_order_of_asking_does_not_matter() -> None:
    days = sessions_ending(DAY, 8)
    one, other = SampleMarket(5), SampleMarket(5)
    forward = [one.day_aggs(day) for day in days]
    _forget()
    backward = [other.day_aggs(day) for day in reversed(days)]
    assert forward == backward[::-1]


def _forget() -> None:
    """Empty every cache of the module, so that nothing is remembered from another order."""
    import core.sources.sample_market as module

    for thing in vars(module).values():
        if hasattr(thing, "cache_clear"):
            thing.cache_clear()


# The vendor's formats.


def test_day_aggregates_look_like_the_vendors(market: SampleMarket) -> None:
    header, *lines = text(market.day_aggs(DAY)).splitlines()
    assert header == "ticker,volume,open,close,high,low,window_start,transactions"
    tickers = [line.split(",")[0].encode() for line in lines]
    assert tickers == sorted(set(tickers))
    midnight = int(datetime.combine(DAY.date, time(), NEW_YORK).timestamp()) * 10**9
    assert {line.split(",")[6] for line in lines} == {str(midnight)}


def test_six_decimals_since_february_2026(market: SampleMarket) -> None:
    before, after = trading_day(date(2026, 2, 20)), trading_day(date(2026, 2, 23))
    for line in text(market.day_aggs(after)).splitlines()[1:]:
        assert all(len(field.split(".")[1]) == 6 for field in line.split(",")[1:6])
    for line in text(market.day_aggs(before)).splitlines()[1:]:
        _, volume, *prices = line.split(",")[:6]
        assert volume.isdecimal()
        assert not any("." in price and price.endswith(("0", ".")) for price in prices)


@pytest.mark.parametrize("day", [DAY, OLD_DAY], ids=str)
def test_trades_look_like_the_vendors(tapes: dict[TradingDay, str], day: TradingDay) -> None:
    packed = tapes[day]
    assert packed.startswith(
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,"
        "sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp\n"
    )
    rows = list(_tape(packed))
    for one, two in pairwise(rows):
        if one.ticker == two.ticker:
            assert (one.sip, one.sequence) < (two.sip, two.sequence)
            assert one.sequence < two.sequence
        else:
            assert one.ticker.encode() < two.ticker.encode()
    local = datetime.fromtimestamp(rows[0].sip / 1e9, NEW_YORK)
    assert local.date() == day.date
    off = [row for row in rows if row.exchange == 4]
    assert 0.36 < len(off) / len(rows) < 0.45
    assert {row.trf_id for row in off} == {201, 202, 203}
    assert {(row.trf_id, row.trf_time) for row in rows if row.exchange != 4} == {(0, 0)}
    assert all(row.participant < row.trf_time < row.sip for row in off)


def test_every_kind_of_print_is_there(tapes: dict[TradingDay, str]) -> None:
    rows = list(_tape(tapes[DAY]))
    assert {row.conditions for row in rows} >= {
        *("", "37", "12", "12,37", "14", "14,41", "53,52,41", "10,41", "2", "22"),
        *("17", "25", "8", "19", "15", "16", "38"),
    }
    assert '"14,41"' in tapes[DAY]
    kinds = Counter(row.correction for row in rows)
    assert set(kinds) == {0, 1, 7, 8, 10, 11, 12}
    assert (kinds[1], kinds[7], kinds[8]) == (kinds[12], kinds[11], kinds[10])
    assert max(row.sip - row.participant for row in rows) > 3600 * 10**9


# Trades and bars agree, by a reduction that shares nothing with the maker.

NO_VOLUME = {15, 16, 38}
NO_HIGH_LOW = {2, 7, 12, 13, 15, 16, 20, 21, 29, 37, 52, 53}
NO_OPEN_CLOSE = NO_HIGH_LOW | {5, 10, 22, 32, 33}


@dataclass(frozen=True, slots=True)
class Print:
    ticker: str
    conditions: str
    correction: int
    exchange: int
    participant: int
    price: Decimal
    sequence: int
    sip: int
    size: Decimal
    trf_id: int
    trf_time: int


def _tape(packed: str) -> Iterator[Print]:
    for row in csv.DictReader(io.StringIO(packed)):
        yield Print(
            row["ticker"],
            row["conditions"],
            int(row["correction"]),
            int(row["exchange"]),
            int(row["participant_timestamp"]),
            Decimal(row["price"]),
            int(row["sequence_number"]),
            int(row["sip_timestamp"]),
            Decimal(row["size"]),
            int(row["trf_id"]),
            int(row["trf_timestamp"]),
        )


def _reduced(prints: list[Print]) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal, int]:
    """Volume, open, close, high, low, transactions of one ticker."""
    volume, count = Decimal(0), 0
    ends: list[Decimal] = []
    reach: list[Decimal] = []
    for one in sorted(prints, key=lambda p: (p.sip, p.sequence)):
        if one.correction not in (0, 1):
            continue
        marks = {int(mark) for mark in one.conditions.split(",") if mark}
        if not marks & NO_VOLUME:
            volume, count = volume + one.size, count + 1
        if not marks & NO_HIGH_LOW:
            reach.append(one.price)
        if not marks & NO_OPEN_CLOSE:
            ends.append(one.price)
    return volume, ends[0], ends[-1], max(reach), min(reach), count


@pytest.mark.parametrize("day", [DAY, OLD_DAY], ids=str)
def test_trades_add_up_to_the_bars(
    market: SampleMarket, tapes: dict[TradingDay, str], day: TradingDay
) -> None:
    tape: dict[str, list[Print]] = defaultdict(list)
    for one in _tape(tapes[day]):
        tape[one.ticker].append(one)
    published = {
        row["ticker"]: (
            *(Decimal(row[name]) for name in ("volume", "open", "close", "high", "low")),
            int(row["transactions"]),
        )
        for row in csv.DictReader(io.StringIO(text(market.day_aggs(day))))
    }
    assert {ticker: _reduced(prints) for ticker, prints in tape.items()} == published


@pytest.mark.parametrize("decimals", [False, True])
@pytest.mark.parametrize("trades", [*range(1, 16), 29, 30, 49, 50, 51])
def test_a_bar_of_few_trades_adds_up(trades: int, decimals: bool) -> None:
    low, high = (8_100, 9_900) if trades > 3 else (9_000, 9_500)
    open_ = 9_500 if trades == 1 else 9_000
    low = open_ if trades == 1 else low
    shares = Decimal(trades + 3) if trades % 2 else Decimal(90_000)
    micros = int(shares) * 10**6 + (777_001 if decimals else 0)
    bar = SampleBar("QXQQ", micros, open_, 9_500, high, low, trades)
    for seed in range(20):
        lines = trade_lines(bar, bells(DAY), Random(f"few:{seed}"), decimals)
        prints = list(_tape("\n".join((TRADES_HEADER, *lines))))
        volume, *prices, count = _reduced(prints)
        assert volume * 10**6 == micros
        assert [price * 10**4 for price in prices] == [open_, 9_500, high, low]
        assert count == trades
        assert all(p.size > 0 or p.conditions == "15" for p in prints)


# What the market is like.


def test_no_bar_is_bad(bars: pl.DataFrame) -> None:
    assert bars.height > 600 * 80
    for _, session in bars.group_by("session"):
        assert bad_rows(check(session, SPAN[0])).is_empty()


def test_every_liquidity_bucket_is_full(bars: pl.DataFrame) -> None:
    dollars = (
        bars.group_by("ticker")
        .agg((pl.col("close") * pl.col("volume")).median().alias("usd"), pl.len().alias("days"))
        .filter(pl.col("days") >= 20)["usd"]
    )
    edges = [0, 1e6, 5e6, 2e7, 1e8, 1e12]
    counts = [int(dollars.is_between(a, b, closed="left").sum()) for a, b in pairwise(edges)]
    assert min(counts) > 100
    assert dollars.quantile(0.03) < 4e5  # type: ignore[operator]
    assert dollars.max() > 1e9  # type: ignore[operator]


def test_names_differ_from_day_to_day_as_stocks_do(bars: pl.DataFrame) -> None:
    usual = (
        bars.filter(pl.col("ticker").is_in(["ZVZZT", "ZXZZT"]).not_())
        .sort("ticker", "session")
        .with_columns(
            pl.col("close").log().diff().over("ticker").alias("move"),
            pl.col("volume").log().alias("volume_log"),
            pl.col("transactions").log().alias("trades_log"),
        )
        .group_by("ticker")
        .agg(
            pl.col("move").std(),
            pl.col("volume_log").std(),
            pl.corr("volume_log", "trades_log").alias("together"),
            pl.len().alias("days"),
        )
        .filter(pl.col("days") > 60)
    )
    assert 0.01 < usual["move"].median() < 0.03  # type: ignore[operator]
    assert 0.45 < usual["volume_log"].median() < 0.65  # type: ignore[operator]
    assert usual["together"].median() > 0.9  # type: ignore[operator]


def test_odd_tickers_are_there_as_published(bars: pl.DataFrame) -> None:
    assert set(bars["ticker"]) >= ODD
    tests = bars.filter(ticker="ZVZZT")["volume"]
    assert tests.max() / tests.min() > 1000  # type: ignore[operator]


def test_some_names_come_go_and_pause(bars: pl.DataFrame) -> None:
    seen = bars.group_by("ticker").agg(
        pl.col("session").min().alias("first"),
        pl.col("session").max().alias("last"),
        pl.len().alias("days"),
    )
    listed = seen.filter(pl.col("first") > SPAN[10].date)
    gone = seen.filter(pl.col("last") < SPAN[-10].date)
    assert listed.height >= 2
    assert gone.height >= 2
    paused = seen.filter((pl.col("days") < 85) & (pl.col("first") == SPAN[0].date))
    assert paused.height >= 20


def test_half_days_are_quiet_and_quad_witching_is_loud(market: SampleMarket) -> None:
    def median(day: date) -> float:
        days = sessions_ending(trading_day(day), 11)
        volumes = span(market, days).with_columns(
            (pl.col("volume") / pl.col("volume").median().over("ticker")).alias("ratio")
        )
        return float(str(volumes.filter(session=day)["ratio"].median()))

    # The market's own daily factor has a standard deviation of .15.
    assert 0.4 * 0.6 < median(OLD_DAY.date) < 0.4 * 1.6
    assert 1.6 * 0.65 < median(date(2026, 9, 18)) < 1.6 * 1.5


def test_splits_show_in_raw_prices_and_vanish_when_restated(
    market: SampleMarket, bars: pl.DataFrame
) -> None:
    splits = market.splits(SPAN[1].date, SPAN[-1].date)
    assert 4 <= len(splits) <= 11
    assert {split.shares_factor > 1 for split in splits} == {True, False}
    restated = restate(bars, splits, SPAN[-1].date)
    grown = []
    for split in splits:
        for table, jump in ((bars, split.shares_factor), (restated, 1.0)):
            own = table.filter(ticker=split.ticker).sort("session")
            i = own["session"].to_list().index(split.execution_date)
            assert own["close"][i - 1] / own["open"][i] == pytest.approx(jump, rel=0.08)
            usual = own["volume"][max(i - 20, 0) : i].median()
            now = own["volume"][i : i + 20].median()
            grown.append(now / usual / jump)  # type: ignore[operator]
    # One name's volume is too noisy for a narrow bound; the middle of all is not.
    assert sorted(grown)[len(grown) // 2] == pytest.approx(1.0, rel=0.4)


def test_splits_are_the_same_however_they_are_asked_for(market: SampleMarket) -> None:
    first, last = date(2024, 1, 2), date(2026, 9, 30)
    whole = market.splits(first, last)
    assert whole == sorted(whole)
    in_parts = [s for day in sessions(first, last) for s in market.splits(day.date, day.date)]
    assert in_parts == whole
    assert 30 < len(whole) < 60
    factors: dict[str, list[float]] = defaultdict(list)
    for split in whole:
        factors[split.ticker].append(split.shares_factor)
    assert 4 <= len(factors) <= 6
    for steps in factors.values():  # forward and reverse in turn, so prices stay bounded
        assert all((a > 1) != (b > 1) for a, b in pairwise(steps))


# What is planted can be seen.


def test_every_session_has_three_to_seven_events(market: SampleMarket) -> None:
    events = [market.planted(day) for day in SPAN]
    assert all(3 <= len(day) <= 7 for day in events)
    kinds = {event.kind for day in events for event in day}
    assert kinds == {"news", "block", "crowd", "quiet", "spike-and-fade", "squeeze"}


def _turnout(bars: pl.DataFrame) -> dict[date, float]:
    """Volume over its usual, in the median name of each session."""
    ratio = pl.col("volume") / pl.col("volume").median().over("ticker")
    middle = (
        bars.with_columns(ratio.alias("ratio")).group_by("session").agg(pl.col("ratio").median())
    )
    return dict(middle.select("session", "ratio").iter_rows())


def test_planted_events_are_visible_in_the_bars(market: SampleMarket, bars: pl.DataFrame) -> None:
    own = {key[0]: rows.sort("session") for key, rows in bars.group_by("ticker")}
    turnout = _turnout(bars)
    for day in SPAN[30:]:
        for event in market.planted(day):
            rows = own[event.ticker]
            i = rows["session"].to_list().index(day.date)
            before, now = rows[i - 1], rows[i]
            usual = rows[i - 30 : i]
            assert (usual["volume"] * usual["close"]).median() > 4e6  # type: ignore[operator]
            volume = now["volume"][0] / usual["volume"].median() / turnout[day.date]
            assert 0.4 < volume / event.volume_times < 2.5, event
            trades = now["transactions"][0] / usual["transactions"].median()
            assert 0.4 < trades / turnout[day.date] ** 0.85 / event.trades_times < 2.5, event
            move = now["close"][0] / before["close"][0] - 1
            assert move == pytest.approx(event.day_return, abs=0.02), event
            if event.kind == "spike-and-fade":
                assert move > 0.05
                assert now["close"][0] < 5
                assert now["high"][0] / before["close"][0] > 1.6
                assert now["close"][0] / now["low"][0] < 1.06


def test_a_planted_move_is_not_taken_back_the_next_day(
    market: SampleMarket, bars: pl.DataFrame
) -> None:
    own = {key[0]: rows.sort("session") for key, rows in bars.group_by("ticker")}
    taken_back = []
    for day, after in pairwise(SPAN[1:]):
        busy = {event.ticker for event in market.planted(after)}
        for event in market.planted(day):
            if event.kind == "news" and event.ticker not in busy:
                rows = own[event.ticker]
                i = rows["session"].to_list().index(day.date)
                next_move = rows["close"][i + 1] / rows["close"][i] - 1
                taken_back.append(next_move / event.day_return)
    assert len(taken_back) > 50
    assert sorted(taken_back)[len(taken_back) // 2] == pytest.approx(0, abs=0.1)


def test_a_squeeze_lasts_five_sessions(market: SampleMarket) -> None:
    runs: dict[str, list[float]] = defaultdict(list)
    for day in SPAN:
        for event in market.planted(day):
            if event.kind == "squeeze":
                runs[event.ticker].append(event.volume_times)
    assert [12.0, 10.0, 8.0, 5.0, 3.0] in runs.values()


def test_one_name_a_session_moves_off_exchange(market: SampleMarket) -> None:
    moved = [market.shifted(day) for day in SPAN]
    for day, ticker in zip(SPAN, moved, strict=True):
        assert ticker not in {event.ticker for event in market.planted(day)}
    # Hardly ever in its own baseline.
    assert all(moved[n - 15 : n].count(moved[n]) == 0 for n in range(15, len(moved)))
    for n, (least, most) in ((10, (0.8, 1.0)), (9, (0.05, 0.2))):
        off, every = [
            sum(p.size for p in _tape(text(market.trades(SPAN[n], {moved[10]})))
                if p.correction in (0, 1) and p.conditions not in ("15", "16")
                and (every or p.exchange == 4))
            for every in (False, True)
        ]  # fmt: skip
        assert least < off / every < most


def test_a_block_prints_off_exchange(market: SampleMarket) -> None:
    day, event = next((d, e) for d in SPAN for e in market.planted(d) if e.kind == "block")
    lines = text(market.trades(day)).splitlines()
    mine = [lines[0], *(x for x in lines if x.startswith(f"{event.ticker},"))]
    prints = [p for p in _tape("\n".join(mine)) if p.correction == 0]
    largest = max(prints, key=lambda p: p.size)
    assert largest.exchange == 4
    assert largest.size > sum(p.size for p in prints) / 2


def test_a_name_moves_off_exchange_where_all_those_in_turn_are_busy() -> None:
    """Of 23 years of the usual seed, one stretch of twenty sessions is like that."""
    usual = SampleMarket()
    stretch = sessions(date(2021, 5, 3), date(2021, 5, 28))
    moved = [usual.shifted(day) for day in stretch]
    assert len(set(moved)) == len(moved)
    for day, ticker in zip(stretch, moved, strict=True):
        assert ticker not in {event.ticker for event in usual.planted(day)}
