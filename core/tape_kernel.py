"""Lines of trades -> sums per ticker and venue: compiled, about 0.12 us a line.

A ticker has two rows in the sums, 2n for trades on an exchange and 2n + 1 for those off exchange;
`core.tape_bars` adds them up. Shares are whole numbers and 10^-18ths, so that sums are exact.
"""

from typing import NamedTuple

import numpy as np

from core.compiled import compiled
from core.exchanges import OFF_EXCHANGE_ID
from core.tape_lines import (
    CONDITIONS,
    CORRECTION,
    EMPTY,
    EXCHANGE,
    FIRST,
    LAST,
    NEWLINE,
    PART,
    PLACES,
    PRICE,
    RETURN,
    ROLES,
    SEQUENCE,
    SIP,
    SIZE,
    TICKER,
    TRF,
    WHOLE,
    Bytes,
    Words,
    find,
    same,
    split,
    word_at,
)
from core.tape_sums import (
    BLOCKS,
    CANCELLED,
    CANCELLED_SHARES,
    CLOSE,
    CLOSED,
    DOLLARS,
    HIGH,
    LARGEST,
    LARGEST_PRICE,
    LOW,
    OPEN,
    OPENED,
    PRICES,
    REGULAR,
    SUMS,
    TRADES,
    UNCOUNTED,
    UNCOUNTED_SHARES,
    VOLUME,
    WHOLE_SHARE,
    Floats,
    Ints,
)

BLOCK_SHARES, BLOCK_DOLLARS = 10_000, 200_000.0
_NEARLY = 1e-9  # dollars: a float's 200,000 may be a hair less
_MAX_SHARES, _MAX_DOLLARS = 10**12, 10**9
_EXACT = 2**53
_TENS = np.array([10**n for n in range(19)], np.int64)

# Places in `counts`.
LINES, UNREADABLE, OTHER_DAY, OFF_EXCHANGE, TICKERS, TEXTS, LAST_TICKER = range(7)
COUNTS = 7
MIDNIGHT, OPENS, CLOSES, NEXT_MIDNIGHT = range(4)  # places in `clock`: nanoseconds UTC
HIGH_LOW, OPEN_CLOSE, COUNTS_VOLUME = 1, 2, 4  # bits of a verdict
CODES = 256  # correction codes and TRF ids told apart; the last stands for all above

# Why `consume` came back.
DONE, NEW_CONDITIONS, TOO_MANY = range(3)


class State(NamedTuple):
    """All that is remembered between two blocks: arrays of a fixed size."""

    counts: Ints
    tickers: Words  # a row a ticker
    ticker_lengths: Ints
    ticker_slots: Ints
    texts: Words  # a row a distinct conditions field
    text_lengths: Ints
    text_slots: Ints
    verdicts: Ints
    sums: Ints
    prices: Floats
    corrections: Ints  # lines by correction code
    trfs: Ints  # off-exchange lines that count, by TRF id
    fields: Ints


def new_state(max_tickers: int, max_texts: int, max_ticker: int, max_text: int) -> State:
    """Nothing counted yet; a table has twice as many slots as entries, a power of two.

    `max_ticker` and `max_text` are bytes, multiples of eight.
    """
    return State(
        np.zeros(COUNTS, np.int64),
        np.zeros((max_tickers, max_ticker // 8), np.uint64),
        np.zeros(max_tickers, np.int64),
        np.full(2 << max_tickers.bit_length(), -1, np.int64),
        np.zeros((max_texts, max_text // 8), np.uint64),
        np.zeros(max_texts, np.int64),
        np.full(2 << max_texts.bit_length(), -1, np.int64),
        np.zeros(max_texts, np.int64),
        np.zeros((2 * max_tickers, SUMS), np.int64),
        np.full((2 * max_tickers, PRICES), np.nan),
        np.zeros(CODES, np.int64),
        np.zeros(CODES, np.int64),
        np.zeros((len(ROLES), 3), np.int64),
    )


@compiled
def consume(
    text: Bytes, at: int, end: int, columns: Ints, starts: Ints, clock: Ints, state: State
) -> tuple[int, int]:
    """Count the lines of text[at:end], all of them whole: where it stopped, and why.

    At a conditions field not seen before it stops, so that the caller can put its verdict into
    `state.verdicts`, and is called again for the same line.
    """
    # The helpers get the arrays they need: to hand them the whole state would cost more than all.
    fields, counts, sums, prices = state.fields, state.counts, state.sums, state.prices
    texts, text_lengths, text_slots = state.texts, state.text_lengths, state.text_slots
    tickers, ticker_lengths, ticker_slots = state.tickers, state.ticker_lengths, state.ticker_slots
    verdicts, corrections, trfs = state.verdicts, state.corrections, state.trfs
    while at < end:
        if text[at] == NEWLINE or (text[at] == RETURN and text[at + 1] == NEWLINE):
            at += 1
            continue
        after, whole = split(text, at, columns, starts, fields)
        if whole and _readable(fields, 8 * tickers.shape[1], 8 * texts.shape[1]):
            first = fields[CONDITIONS, FIRST]
            length = fields[CONDITIONS, LAST] - first
            known = find(text, first, length, texts, text_lengths, text_slots)
            if known < 0:
                slot = -1 - known
                new = _add_name(
                    text, first, length, slot, texts, text_lengths, text_slots, counts, TEXTS
                )
                return at, TOO_MANY if new < 0 else NEW_CONDITIONS
            ticker = _ticker(text, fields, tickers, ticker_lengths, ticker_slots, counts)
            if ticker < 0:
                return at, TOO_MANY
            corrections[min(fields[CORRECTION, WHOLE], CODES - 1)] += 1
            _trade(ticker, verdicts[known], clock, fields, counts, sums, prices, trfs)
        else:
            counts[UNREADABLE] += 1
        counts[LINES] += 1
        at = after
    return at, DONE


@compiled
def _readable(fields: Ints, max_ticker: int, max_text: int) -> bool:
    """Has the line a ticker, and numbers that can be true?"""
    for role in (EXCHANGE, PRICE, SEQUENCE, SIP, SIZE):
        if fields[role, PLACES] == EMPTY:
            return False
    for role in (CORRECTION, EXCHANGE, SEQUENCE, SIP, TRF):
        if fields[role, PART] != 0:
            return False
    return bool(
        0 < fields[TICKER, LAST] - fields[TICKER, FIRST] <= max_ticker
        and fields[CONDITIONS, LAST] - fields[CONDITIONS, FIRST] <= max_text
        and (fields[PRICE, WHOLE] > 0 or fields[PRICE, PART] > 0)
        and fields[PRICE, WHOLE] < _MAX_DOLLARS
        and fields[SIZE, WHOLE] < _MAX_SHARES
    )


@compiled
def _add_name(
    text: Bytes, first: int, length: int, slot: int,
    names: Words, lengths: Ints, slots: Ints, counts: Ints, count: int,
) -> int:  # fmt: skip
    """Give a text the next number; -1 if there is no room for one more."""
    new = counts[count]
    if new == len(lengths):
        return -1
    lengths[new] = length
    for i in range(0, length, 8):
        names[new, i >> 3] = word_at(text, first + i, length - i)
    slots[slot] = new
    counts[count] += 1
    return int(new)


@compiled
def _ticker(
    text: Bytes, fields: Ints, names: Words, lengths: Ints, slots: Ints, counts: Ints
) -> int:
    """The ticker's number, a new one if need be; -1 if there are too many."""
    last, first = counts[LAST_TICKER], fields[TICKER, FIRST]
    length = fields[TICKER, LAST] - first
    if lengths[last] == length and same(text, first, length, names, last):
        return int(last)
    known = find(text, first, length, names, lengths, slots)
    if known < 0:
        slot = -1 - known
        known = _add_name(text, first, length, slot, names, lengths, slots, counts, TICKERS)
    counts[LAST_TICKER] = max(known, 0)
    return known


@compiled
def _trade(
    ticker: int, verdict: int, clock: Ints,
    fields: Ints, counts: Ints, sums: Ints, prices: Floats, trfs: Ints,
) -> None:  # fmt: skip
    """Count one line for its ticker and venue."""
    sip = fields[SIP, WHOLE]
    if sip < clock[MIDNIGHT] or sip >= clock[NEXT_MIDNIGHT]:
        counts[OTHER_DAY] += 1
    off = 1 if fields[EXCHANGE, WHOLE] == OFF_EXCHANGE_ID else 0
    counts[OFF_EXCHANGE] += off
    row = 2 * ticker + off
    shares, part = fields[SIZE, WHOLE], _scaled(fields[SIZE, PART], fields[SIZE, PLACES])
    if fields[CORRECTION, WHOLE] > 1:
        sums[row, CANCELLED] += 1
        _add(sums, row, CANCELLED_SHARES, shares, part)
        return
    price = _price(fields[PRICE, WHOLE], fields[PRICE, PART], fields[PRICE, PLACES])
    if verdict & HIGH_LOW:
        # Written so that a first price replaces the NaN.
        prices[row, HIGH] = prices[row, HIGH] if prices[row, HIGH] >= price else price
        prices[row, LOW] = prices[row, LOW] if prices[row, LOW] <= price else price
    if verdict & OPEN_CLOSE:
        _ends(sums, prices, row, sip, fields[SEQUENCE, WHOLE], counts[LINES], price)
    if not verdict & COUNTS_VOLUME:
        sums[row, UNCOUNTED] += 1
        _add(sums, row, UNCOUNTED_SHARES, shares, part)
        return
    trfs[min(fields[TRF, WHOLE], CODES - 1)] += off
    _volume(sums, prices, row, shares, part, price)
    if clock[OPENS] <= sip < clock[CLOSES]:
        _add(sums, row, REGULAR, shares, part)


@compiled
def _volume(sums: Ints, prices: Floats, row: int, shares: int, part: int, price: float) -> None:
    """Count a trade that counts: its shares, its dollars, whether it is large."""
    first = sums[row, TRADES] == 0
    sums[row, TRADES] += 1
    _add(sums, row, VOLUME, shares, part)
    dollars = price * (shares + part / WHOLE_SHARE if part else float(shares))
    prices[row, DOLLARS] = dollars if first else prices[row, DOLLARS] + dollars
    if shares >= BLOCK_SHARES or dollars >= BLOCK_DOLLARS - _NEARLY:
        sums[row, BLOCKS] += 1
    whole, rest = sums[row, LARGEST], sums[row, LARGEST + 1]
    more = shares > whole or (shares == whole and part > rest)
    equal = shares == whole and part == rest
    if first or more or (equal and price > prices[row, LARGEST_PRICE]):
        sums[row, LARGEST] = shares
        sums[row, LARGEST + 1] = part
        prices[row, LARGEST_PRICE] = price


@compiled
def _add(sums: Ints, row: int, column: int, shares: int, part: int) -> None:
    """Add shares to a sum of two columns."""
    total = sums[row, column + 1] + part
    carry = 1 if total >= WHOLE_SHARE else 0
    sums[row, column] += shares + carry
    sums[row, column + 1] = total - carry * WHOLE_SHARE


@compiled
def _ends(
    sums: Ints, prices: Floats, row: int, sip: int, sequence: int, line: int, price: float
) -> None:
    """Is this the ticker's first trade so far, or its last, by time and sequence?"""
    opened, closed = sums[row, OPENED], sums[row, CLOSED]
    new = np.isnan(prices[row, OPEN])
    if new or sip < opened or (sip == opened and sequence < sums[row, OPENED + 1]):
        sums[row, OPENED] = sip
        sums[row, OPENED + 1] = sequence
        sums[row, OPENED + 2] = line
        prices[row, OPEN] = price
    if new or sip > closed or (sip == closed and sequence >= sums[row, CLOSED + 1]):
        sums[row, CLOSED] = sip
        sums[row, CLOSED + 1] = sequence
        sums[row, CLOSED + 2] = line
        prices[row, CLOSE] = price


@compiled
def _scaled(part: int, places: int) -> int:
    """The decimals of a number in 10^-18ths."""
    return part * _TENS[18 - places] if part else part


@compiled
def _price(whole: int, part: int, places: int) -> float:
    """The float nearest to a price, exactly so up to fifteen digits."""
    while places > 9 and part % 10 == 0:
        part //= 10
        places -= 1
    if places <= 9:
        mantissa = whole * _TENS[places] + part
        if mantissa < _EXACT:
            return float(mantissa / _TENS[places])
    return float(whole + part / _TENS[places])
