"""How long the event loop stands still while a day is taken in and judged by the real Pipeline."""

from bench.data import Data
from bench.harness import Goal, Result, Side, duration, in_turn, lined_up

_MAX_S = 0.100


def run(data: Data) -> list[Goal]:
    """Print the table; the goal for the loop. The worst of all children counts."""
    sides = [
        Side("ours: in threads", "bench.lag:in_threads", 5),
        Side("the same work inline", "bench.lag:inline", 5),
    ]
    ours, _ = results = in_turn(data.job, sides)
    head = ("one day, taken in and judged", "children", "wall", "p99 lag", "max lag", "max x ours")
    print(lined_up([head, *(_row(result, _worst_s(ours)) for result in results)]))
    worst_s = _worst_s(ours)
    return [Goal("loop never late by 100 ms", worst_s < _MAX_S, f"worst {duration(worst_s)}")]


def _worst_s(result: Result) -> float:
    return max(float(outcome.result["max_s"]) for outcome in result.outcomes)


def _row(result: Result, ours_s: float) -> tuple[str, ...]:
    worst_s = _worst_s(result)
    return (
        result.side.name,
        str(len(result.outcomes)),
        duration(result.seconds),
        duration(result.number("p99_s")),
        duration(worst_s),
        f"{worst_s / ours_s:.1f}",
    )
