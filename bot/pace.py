"""How much one person, or one channel, may ask: a burst, then a steady trickle."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST_KEYS = 10_000


@dataclass(slots=True)
class Pace:
    """A bucket of `burst` tokens for each key, filled by one every `every_s` seconds."""

    burst: int
    every_s: float
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, key: str) -> float:
        """Seconds until there is a token again; 0.0 if there was one, which is taken."""
        now = self.clock()
        left, since = self._left.pop(key, (float(self.burst), now))
        left = min(float(self.burst), left + (now - since) / self.every_s)
        allowed = left >= 1
        # Whoever asked last stands last, so the first is the one that was silent for longest.
        self._left[key] = (left - allowed, now)
        if len(self._left) > _MOST_KEYS:
            del self._left[next(iter(self._left))]
        return 0.0 if allowed else (1 - left) * self.every_s
