"""SIGKILL at every step of publishing and delivering, over seeded runs, against local platforms."""

import asyncio
from collections import Counter

from bench.data import Data
from bench.harness import Goal
from tests.crash.runs import DEATHS, Run, main

RUNS = 240


def run(data: Data) -> list[Goal]:
    """Two revisions of a session to four channels in each run; processes die on the way."""
    told: list[Run] = asyncio.run(main(range(RUNS), lambda one: None))
    died = Counter(how for one in told for how in one.deaths)
    print(f"  {RUNS} runs, {sum(one.starts for one in told)} processes, {died.total()} killed:")
    for how, count in sorted(died.items()):
        print(f"    {how:<40} {count:>5}")
    wrong = [f"seed {one.seed}: {problem}" for one in told for problem in one.problems]
    print("\n".join(f"  {problem}" for problem in wrong), end="\n" if wrong else "")
    kinds = {how for how in DEATHS if any(d.startswith(how) for d in died)}
    return [
        Goal("every channel has one digest a session, reading as it should", not wrong,
             f"{len(wrong)} wrong in {4 * RUNS} channels"),
        Goal("every way to die happened", kinds == set(DEATHS), ", ".join(sorted(kinds))),
    ]  # fmt: skip
