"""Lines of CSV, many bytes at a time: compiled. A line is split into the few fields needed.

First all ends of fields are found, then each field is read by itself, so that the processor works
on several at once. Every function trusts that the text ends with a newline and SLACK behind it.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled, load_eight, lowest_bit, matches
from core.tape_sums import Ints

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.uint64]  # texts, eight bytes a word, padded with zeros

NEWLINE, RETURN, QUOTE, COMMA, POINT = 10, 13, 34, 44, 46

# What is needed of a line: the index of its row in `fields`. The first two are text.
TICKER, CONDITIONS, CORRECTION, EXCHANGE, PRICE, SEQUENCE, SIP, SIZE, TRF = range(9)
ROLES = ("ticker", "conditions", "correction", "exchange", "price", "sequence_number",
         "sip_timestamp", "size", "trf_id")  # fmt: skip
MISSING = -1  # the column of a role that the file does not have

# A row of `fields`: where the text begins and ends; or a number's whole part, its decimals as a
# whole number, and how many they are (EMPTY: no number at all).
FIRST, LAST = 0, 1
WHOLE, PART, PLACES = 0, 1, 2
EMPTY = -1
MAX_DIGITS, MAX_PLACES = 19, 18

SLACK = 64
"""Bytes that may be looked at, not used, behind the end of the text."""

# Words of eight bytes.
_ONE = np.uint64(1)
_HALVES, _SIXES = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x0606060606060606)
_THREES, _ZEROS = np.uint64(0x3333333333333333), np.uint64(0x3030303030303030)
_PAIRS = np.uint64(0x000000FF000000FF)
_HUNDREDS, _UNITS = np.uint64(0x000F424000000064), np.uint64(0x0000271000000001)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_TENS = np.array([10**n for n in range(9)], np.int64)


@compiled
def split(text: Bytes, at: int, columns: Ints, starts: Ints, fields: Ints) -> tuple[int, bool]:
    """Split the line that starts at `at`: where the next one starts, and whether it was whole.

    `columns` has the place of each role in the line, `starts` room for one more than there are.
    """
    count, after = find_starts(text, at, starts)
    if count != len(starts) - 1:
        return after, False
    if text[after - 2] == RETURN:
        starts[count] -= 1
    whole = True
    for role in range(len(columns)):
        column = columns[role]
        if column == MISSING:
            continue
        begin, end = starts[column], starts[column + 1] - 1
        if role <= CONDITIONS:
            text_field(text, begin, end, role, fields)
        else:
            whole &= number(text, begin, end, role, fields)
    return after, whole


@compiled
def find_starts(text: Bytes, at: int, starts: Ints) -> tuple[int, int]:
    """Note where the fields of a line start, and the next line; how many fields, and that line.

    What is more than there is room for is counted only. A comma between quotes ends no field.
    """
    starts[0] = at
    count, quoted = 0, np.uint64(0)
    while True:
        commas, newlines = matches(text, at, COMMA), matches(text, at, NEWLINE)
        quotes = matches(text, at, QUOTE)
        if quotes | quoted:
            quoted ^= odd_so_far(quotes)
            commas &= ~quoted
            quoted = np.uint64(0) - (quoted >> np.uint64(63))
        # No further than the first newline: newlines - 1 differs from newlines up to there only.
        ends = (commas | newlines) & (newlines ^ (newlines - _ONE))
        while ends:
            count += 1
            if count < len(starts):
                starts[count] = at + lowest_bit(ends) + 1
            ends &= ends - _ONE
        if newlines:
            return count, at + lowest_bit(newlines) + 1
        at += 64


@compiled
def odd_so_far(bits: np.uint64) -> np.uint64:
    """For each bit: is the number of those set up to it, it included, odd?"""
    for step in (1, 2, 4, 8, 16, 32):
        bits ^= bits << np.uint64(step)
    return bits


@compiled
def text_field(text: Bytes, begin: int, end: int, role: int, fields: Ints) -> None:
    """Note where a text lies, without its quotes."""
    if end - begin >= 2 and text[begin] == QUOTE and text[end - 1] == QUOTE:
        begin += 1
        end -= 1
    fields[role, FIRST] = begin
    fields[role, LAST] = end


@compiled
def number(text: Bytes, begin: int, end: int, role: int, fields: Ints) -> bool:
    """Read a number such as 114.790000 exactly; is it one, or nothing at all?"""
    whole, at = digits(text, begin)
    count, part, places = at - begin, 0, 0
    if text[at] == POINT:
        part, last = digits(text, at + 1)
        places = last - at - 1
        at = last
    fields[role, WHOLE] = whole
    fields[role, PART] = part
    fields[role, PLACES] = places if end > begin else EMPTY
    lone_point = end > begin and count + places == 0
    too_long = count > MAX_DIGITS or places > MAX_PLACES or whole < 0
    return at == end and not lone_point and not too_long


@compiled
def digits(text: Bytes, at: int) -> tuple[int, int]:
    """The digits from `at` on as a number, eight in one go, and where they end."""
    value = 0
    while True:
        word = load_eight(text, at)
        # A byte is 0x30 to 0x39 if its high half is 3, and still is with 6 added.
        other = ((word & _HALVES) | (((word + _SIXES) & _HALVES) >> np.uint64(4))) ^ _THREES
        count = lowest_bit(other) >> 3
        if count == 0:
            return value, at
        # The digits at hand, moved up so that zeros stand before them; then by pairs.
        word = (word - _ZEROS) << np.uint64(8 * (8 - count))
        word = (word * np.uint64(10)) + (word >> np.uint64(8))
        pairs = (word & _PAIRS) * _HUNDREDS
        pairs += ((word >> np.uint64(16)) & _PAIRS) * _UNITS
        value = value * _TENS[count] + np.int64(pairs >> np.uint64(32))
        at += count
        if count < 8:
            return value, at


@compiled
def find(text: Bytes, first: int, length: int, names: Words, lengths: Ints, slots: Ints) -> int:
    """The number of a text among `names`, or -1 - the free slot of the hash table for it."""
    key = np.uint64(length)
    for i in range(0, length, 8):
        key = (key ^ word_at(text, first + i, length - i)) * _SPREAD
        key ^= key >> np.uint64(32)
    mask = len(slots) - 1
    slot: int = np.int64(key & np.uint64(mask))  # type: ignore[assignment]
    while slots[slot] >= 0:
        name = slots[slot]
        if lengths[name] == length and same(text, first, length, names, name):
            return int(name)
        slot = (slot + 1) & mask
    return -1 - slot


@compiled
def same(text: Bytes, first: int, length: int, names: Words, name: int) -> bool:
    """Are the `length` bytes of the text from `first` on those of a name as long?"""
    for i in range(0, length, 8):
        if word_at(text, first + i, length - i) != names[name, i >> 3]:
            return False
    return True


@compiled
def word_at(text: Bytes, at: int, left: int) -> np.uint64:
    """The next eight bytes, of which only the first `left` count."""
    word = load_eight(text, at)
    if left < 8:
        word &= (np.uint64(1) << np.uint64(8 * left)) - np.uint64(1)
    return word
