"""Lines of CSV, byte by byte: compiled. A line is split into the few fields that are needed.

Every function here trusts that the text ends with a newline, and reads no further.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled, first_byte, load_eight

Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]  # texts, eight bytes a word, padded with zeros

NEWLINE, RETURN, QUOTE, COMMA, POINT, ZERO = 10, 13, 34, 44, 46, 48

# What a column is for: the index of its row in `fields`. The first two are text.
TICKER, CONDITIONS, CORRECTION, EXCHANGE, PRICE, SEQUENCE, SIP, SIZE, TRF = range(9)
ROLES = ("ticker", "conditions", "correction", "exchange", "price", "sequence_number",
         "sip_timestamp", "size", "trf_id")  # fmt: skip
UNUSED = -1

# A row of `fields`: where the text begins and ends; or a number's whole part, its decimals as a
# whole number, and how many they are (EMPTY: no number at all).
FIRST, LAST = 0, 1
WHOLE, PART, PLACES = 0, 1, 2
EMPTY, GARBAGE = -1, -2
MAX_DIGITS, MAX_PLACES = 19, 18

SLACK = 16
"""Bytes that may be looked at, not used, behind the end of the text."""

# Words of eight bytes.
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_COMMAS, _NEWLINES = np.uint64(0x2C2C2C2C2C2C2C2C), np.uint64(0x0A0A0A0A0A0A0A0A)
_HALVES, _SIXES = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x0606060606060606)
_THREES, _ZEROS = np.uint64(0x3333333333333333), np.uint64(0x3030303030303030)
_PAIRS = np.uint64(0x000000FF000000FF)
_HUNDREDS, _UNITS = np.uint64(0x000F424000000064), np.uint64(0x0000271000000001)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_TENS = np.array([10**n for n in range(9)], np.int64)


@compiled
def split(text: Bytes, at: int, roles: Ints, fields: Ints) -> tuple[int, bool]:
    """Split the line that starts at `at`: where the next one starts, and whether it was whole."""
    whole = True
    for column in range(len(roles)):
        role = roles[column]
        begin = at
        if role > CONDITIONS:
            at = number(text, at, role, fields)
            whole &= fields[role, PLACES] != GARBAGE
        else:
            at = field_end(text, at)
            if role >= 0:
                text_field(text, begin, at, role, fields)
        if column + 1 < len(roles):
            if text[at] != COMMA:
                whole = False
                break
            at += 1
    if text[at] != NEWLINE:
        whole = False
        while text[at] != NEWLINE:
            at += 1
    return at + 1, whole


@compiled
def field_end(text: Bytes, at: int) -> int:
    """Where the field that starts at `at` ends: at its comma or at the end of the line."""
    if text[at] == QUOTE:
        at = quote_end(text, at)
    while True:
        word = load_eight(text, at)
        comma, newline = word ^ _COMMAS, word ^ _NEWLINES
        # The lowest byte that was zero has its high bit set, and no lower one has.
        ends = (((comma - _ONES) & ~comma) | ((newline - _ONES) & ~newline)) & _HIGHS
        if ends:
            return at + first_byte(ends)
        at += 8


@compiled
def quote_end(text: Bytes, at: int) -> int:
    """From an opening quote to its closing one, or to the end of the line."""
    at += 1
    while text[at] != NEWLINE:
        if text[at] == QUOTE:
            if text[at + 1] != QUOTE:
                break
            at += 1
        at += 1
    return at


@compiled
def text_field(text: Bytes, begin: int, end: int, role: int, fields: Ints) -> None:
    """Note where a text lies, without its quotes or the line's carriage return."""
    if end > begin and text[end] == NEWLINE and text[end - 1] == RETURN:
        end -= 1
    if end - begin >= 2 and text[begin] == QUOTE and text[end - 1] == QUOTE:
        begin += 1
        end -= 1
    fields[role, FIRST] = begin
    fields[role, LAST] = end


@compiled
def number(text: Bytes, at: int, role: int, fields: Ints) -> int:
    """Read a number such as 114.790000 exactly; where its field ends."""
    begin = at
    whole, at = digits(text, at)
    count, part, places = at - begin, 0, 0
    if text[at] == POINT:
        part, end = digits(text, at + 1)
        places = end - at - 1
        at = end
    fields[role, WHOLE] = whole
    fields[role, PART] = part
    fields[role, PLACES] = places if at > begin else EMPTY
    if text[at] == RETURN and text[at + 1] == NEWLINE:
        at += 1
    lone_point = at > begin and count + places == 0
    if lone_point or count > MAX_DIGITS or places > MAX_PLACES or whole < 0:
        fields[role, PLACES] = GARBAGE
    if text[at] != COMMA and text[at] != NEWLINE:
        fields[role, PLACES] = GARBAGE
        return field_end(text, at)
    return at


@compiled
def digits(text: Bytes, at: int) -> tuple[int, int]:
    """The digits from `at` on as a number, eight in one go, and where they end."""
    value = 0
    while True:
        word = load_eight(text, at)
        # A byte is 0x30 to 0x39 if its high half is 3, and still is with 6 added.
        other = ((word & _HALVES) | (((word + _SIXES) & _HALVES) >> np.uint64(4))) ^ _THREES
        count = first_byte(other)
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
