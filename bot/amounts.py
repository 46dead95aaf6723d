"""Amounts as people type them: 5M, 500k, $2,000,000, 1e6, 4.5."""

import re

_AMOUNT = re.compile(r"\$?(\d+(?:\.\d*)?|\.\d+)(e\+?\d{1,2})?([kmb]?)", re.IGNORECASE | re.ASCII)
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


def amount(text: str) -> float:
    """A number that is not negative; ValueError for what is none."""
    # Commas only where thousands have them: "4,5" is a comma for a point, and not 45.
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text.strip())
    match = _AMOUNT.fullmatch(plain)
    if match is None:
        raise ValueError(f"{text!r} is no amount")
    digits, power, letter = match.groups()
    return float(digits + (power or "")) * _TIMES[letter.lower()]
