"""How long a backfill waits for a source that is away, and how often it is to be refused."""

from dataclasses import dataclass

_RESTS, _AGAIN_S = 10, 600.0
SURE_AFTER = 2
"""So many refusals in a row are no mistake of a moment."""


@dataclass(slots=True)
class Patience:
    """Bars of another source, and those of another series, are others: a moment is waited."""

    rests: int = _RESTS
    """So many in a row, in which nothing came in, are waited."""
    again_s: float = _AGAIN_S
    """So long the next source serves; then the first one is asked again."""
    _rested: int = 0
    _refused: int = 0
    _until_s: float | None = None

    @property
    def waits(self) -> bool:
        """Is a source that is away waited for, now?"""
        return self._until_s is None

    def is_sure(self, *, refused: bool) -> bool:
        """One more session was refused as all would be, or was not: is it to be believed?"""
        self._refused = self._refused + 1 if refused else 0
        return self._refused >= SURE_AFTER

    def came_in(self) -> None:
        """A session did, or a source had an answer."""
        if self.waits:
            self._rested = 0

    def rested(self, now_s: float) -> None:
        """Once more, for a source was away."""
        self._rested += 1
        if self.waits and self._rested >= self.rests:
            self._until_s = now_s + self.again_s

    def is_over(self, now_s: float) -> bool:
        """Has the next source served for so long? Then all are to be asked again, once."""
        if self._until_s is None or now_s < self._until_s:
            return False
        # One rest more tells: it was away all the time.
        self._until_s, self._rested = None, self.rests - 1
        return True
