"""python -m bench [ingest] [judge] [loop] [tape] [stream] [detection] ...: against named rivals.

Numbers after a name are its own: `soak 2` lasts two minutes.
"""

import argparse
import importlib
import os
import platform
import time
from collections.abc import Sequence

from bench.data import ENVIRONMENT, prepared

NAMES = ("ingest", "judge", "loop", "tape", "stream", "reads")
ON_REQUEST = (
    *("detection", "crash", "delivery", "acknowledge", "soak"),
    *("backfill-kills", "scaling", "acknowledge-backfill", "quarter", "footprint"),
)
_HELP = f"{', '.join(NAMES)}; all of these by default; or {', '.join(ON_REQUEST)}"


def main() -> None:
    """Run the measurements asked for; by default all but those on request."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=_HELP)
    asked = _with_numbers(parser.parse_args().name or NAMES)
    if unknown := {name for name, _ in asked} - {*NAMES, *ON_REQUEST}:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; {ENVIRONMENT} chooses data")
    with prepared() as data:
        print(data.label)
        for name, numbers in asked:
            start = time.monotonic()
            measurement = importlib.import_module(f"bench.{name.replace('-', '_')}")
            print(f"\n{name}: {measurement.__doc__}")
            goals = measurement.run(data, *numbers)
            print("\n".join(map(str, goals)))
            print(f"  ({time.monotonic() - start:.0f} s)")


def _with_numbers(words: Sequence[str]) -> list[tuple[str, list[float]]]:
    """`["loop", "soak", "2"]` -> `[("loop", []), ("soak", [2.0])]`."""
    found: list[tuple[str, list[float]]] = []
    for word in words:
        if found and word.replace(".", "", 1).isdecimal():
            found[-1][1].append(float(word))
        else:
            found.append((word, []))
    return found


if __name__ == "__main__":
    main()
