"""python -m bench [ingest] [judge] [loop] [tape] [stream] [detection]: against named rivals."""

import argparse
import importlib
import os
import platform
import time

from bench.data import ENVIRONMENT, prepared

NAMES = ("ingest", "judge", "loop", "tape", "stream")
ON_REQUEST = ("detection", "crash", "delivery")
_HELP = f"{', '.join(NAMES)}; all of these by default; or {', '.join(ON_REQUEST)}"


def main() -> None:
    """Run the measurements asked for; by default all but those on request."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=_HELP)
    asked = parser.parse_args().name or NAMES
    if unknown := set(asked) - {*NAMES, *ON_REQUEST}:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; {ENVIRONMENT} chooses data")
    with prepared() as data:
        print(data.label)
        for name in asked:
            start = time.monotonic()
            print(f"\n{name}: {importlib.import_module(f'bench.{name}').__doc__}")
            goals = importlib.import_module(f"bench.{name}").run(data)
            print("\n".join(map(str, goals)))
            print(f"  ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()
