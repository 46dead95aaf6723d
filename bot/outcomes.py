"""What an error makes of a session of a backfill, and of its job."""

from collections.abc import Sequence

from core.elsewhere import WorkerLost
from core.errors import (
    BadBars,
    HeldBars,
    NotPublished,
    SourceError,
    SourceUnavailable,
    TapewatchError,
)
from core.jobs import UNUSABLE, Unit
from core.sources import NoneServed, Source


def cannot_be_kept(error: Exception) -> str:
    """Why the job rests, for whoever can do something about it."""
    seen = (isinstance(error, OSError) and error.strerror) or str(error)
    return f"what comes in cannot be kept ({seen}); it goes on by itself when that is over"


def cause(error: TapewatchError | None) -> SourceError:
    """The weightiest of what the sources said; an empty one if nobody said anything."""
    cause = getattr(error, "weightiest", error)
    return cause if isinstance(cause, SourceError) else SourceError("")


def is_away(error: BaseException | None) -> bool:
    """Would the same be asked with better luck a little later?"""
    said = getattr(error, "weightiest", error)
    return isinstance(said, SourceUnavailable | WorkerLost)


def is_refusal_of_all(error: BaseException | None) -> bool:
    """Would every session be refused, if what the sources say is so?"""
    return isinstance(error, NoneServed) and error.for_every_session


def away_because(errors: Sequence[TapewatchError | None]) -> str:
    """Why nothing more is read for a while, by the last of several errors."""
    seen = next((error for error in reversed(errors) if error), None)
    lost = isinstance(seen, WorkerLost)
    return f"{'whoever reads dies' if lost else 'the source is away'} ({seen}); it is asked again"


def instead_of(sources: Sequence[Source]) -> str:
    """Who serves while the first one stays away; empty if there is nobody."""
    first, *others = (source.name for source in sources)
    if not others:
        return ""
    return f"{first} stays away, so {' or '.join(others)} serves; it is asked again now and then"


def outcome_of(error: SourceError) -> tuple[Unit, str]:
    """Where the session stands after it, and for which cause."""
    met = cause(error)
    match met:
        case HeldBars():
            return Unit.HELD, str(met.verdict)
        case BadBars():
            return Unit.FAILED, UNUSABLE
        case NotPublished():
            return Unit.ABSENT, str(met.verdict)
    return Unit.FAILED, str(met.verdict)
