"""The errand of making and counting sessions of the built-in market. Both processes import this."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Self

from core.calendar import TradingDay, trading_day
from core.conditions import Rules
from core.errors import BadBars, SourceError

_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class SampleJob:
    """An Errand: some sessions; its result is a Counted for each, in order."""

    seed: int
    days: tuple[TradingDay, ...]
    rules: Rules = field(repr=False)

    program: ClassVar[str] = "core.sources.sample_child"
    name: ClassVar[str] = "the built-in market"
    secrets: ClassVar[tuple[str, ...]] = ()
    errors: ClassVar[Mapping[str, type[SourceError]]] = {BadBars.__name__: BadBars}

    def line(self) -> bytes:
        """As JSON."""
        days = [str(day) for day in self.days]
        told = {"seed": self.seed, "days": days, "rules": self.rules.plain()}
        return json.dumps(told).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The other way round."""
        told = json.loads(line)
        days = tuple(trading_day(date.fromisoformat(day)) for day in told["days"])
        return cls(told["seed"], days, Rules.from_plain(told["rules"]))


def packed(parts: Sequence[bytes]) -> bytes:
    """The parts in one piece."""
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)


def unpacked(whole: bytes) -> Iterator[bytes]:
    """The other way round."""
    at = 0
    while at < len(whole):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(whole[at:begin], "big")
        yield whole[begin:at]
