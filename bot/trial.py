"""The settings a preview can try, as people type them: /preview min:4.5 floor:5M."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alerts.budget import clipped
from alerts.preview_card import Tried
from alerts.words import price
from bot.amounts import amount
from core.anomaly import Rule
from core.errors import CommandError
from core.measure import LEAST_Z

USAGE = "/preview min:4.5 floor:5M"
IN_DOLLARS = frozenset({"floor", "price"})
"""Words for a floor under what the vendor counts or quotes."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What decides which lines a digest has."""

    rule: Rule
    top: int


@dataclass(frozen=True, slots=True)
class _Knob:
    """One setting: where its value is, and what may be typed for it."""

    setting: str
    field: str
    """Of the rule; empty for the cap."""
    least: float
    most: float
    should: str
    such: str
    meaning: str
    spelled: Callable[[float], str]

    def of(self, standard: Standard) -> float:
        """The value it has."""
        return float(getattr(standard.rule, self.field) if self.field else standard.top)

    def both(self, now: float, then: float) -> tuple[str, str]:
        """Two values in words: the same words only if they are the same."""
        said = self.spelled(now), self.spelled(then)
        return said if now == then or said[0] != said[1] else (repr(now), repr(then))

    def changed(self, standard: Standard, value: float) -> Standard:
        """The same with another value."""
        if not self.field:
            return replace(standard, top=int(value))
        field: dict[str, Any] = {self.field: value}
        return replace(standard, rule=replace(standard.rule, **field))


_KNOBS = {
    "min": _Knob(
        "ALERT_MIN_Z", "min_z", LEAST_Z, 12, f"a number from {LEAST_Z:g} to 12", "4.5",
        "the cut, in the name's own spread", lambda z: f"{z:g}",
    ),
    "floor": _Knob(
        "ALERT_FLOOR_USD", "min_adv_usd", 1e4, 1e10, "dollars a day from 10k to 10B", "5M",
        "usual dollar volume a day, at least", lambda usd: f"${usd:,.0f}",
    ),
    "price": _Knob(
        "ALERT_MIN_PRICE_USD", "min_close_usd", 0.01, 1000, "dollars from 0.01 to 1000", "5",
        "close, at least", price,
    ),
    "top": _Knob(
        "ALERT_TOP", "", 1, 50, "a whole number from 1 to 50", "20",
        "lines of a digest, at most", lambda lines: f"{lines:g}",
    ),
}  # fmt: skip


def present(standard: Standard) -> list[tuple[str, str]]:
    """Every setting that can be tried: its word with the value it has, and what it means."""
    return [
        (f"{word} {knob.spelled(knob.of(standard))}", f"{knob.meaning}; {word}: {knob.should}")
        for word, knob in _KNOBS.items()
    ]


def typed(words: Sequence[str], standard: Standard) -> tuple[Standard, list[Tried]]:
    """What was typed over the present settings, and each value that was named.

    Raises CommandError with the one sentence that fits.
    """
    other, tried = standard, list[Tried]()
    for text in words:
        word, value = _read(text)
        knob = _KNOBS[word]
        if word in (t.word for t in tried):
            raise CommandError(f"{word}: is there twice; name it once. {USAGE}")
        other = knob.changed(other, value)
        now, then = knob.both(knob.of(standard), value)
        tried.append(Tried(word, now, then, f"{knob.setting}={value:.12g}"))
    return other, tried


def _read(text: str) -> tuple[str, float]:
    """`min:4.5` -> min, 4.5."""
    word, colon, said = text.replace("=", ":", 1).partition(":")
    word = word.lower()
    if word not in _KNOBS or not colon:
        raise CommandError(_unknown(text, word, colon))
    knob = _KNOBS[word]
    such = f"such as {word}:{knob.such}"
    if not said:
        raise CommandError(f"{word}: needs its value right behind the colon, {such}")
    wrong = f"{word}:{clipped(said, 40)} should be {knob.should}, {such}"
    try:
        value = amount(said)
    except ValueError as error:
        raise CommandError(wrong) from error
    if not knob.least <= value <= knob.most or (not knob.field and value != int(value)):
        raise CommandError(wrong)
    return word, value


def _unknown(text: str, word: str, colon: str) -> str:
    near = difflib.get_close_matches(word, _KNOBS, 1, 0.5) if colon else []
    there = f"did you mean {near[0]}:?" if near else "there are min:, floor:, price: and top:"
    return f"{clipped(text, 40)!r} is no setting that can be tried; {there} {USAGE}"
