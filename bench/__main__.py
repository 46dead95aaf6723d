"""python -m bench [ingest] [judge] [loop] [tape] [stream]: ratios against named rivals."""

import argparse
import importlib
import os
import platform
import time

from bench.data import ENVIRONMENT, prepared

NAMES = ("ingest", "judge", "loop", "tape", "stream")


def main() -> None:
    """Run the measurements asked for, all by default."""
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"{', '.join(NAMES)}; all by default")
    asked = parser.parse_args().name or NAMES
    if unknown := set(asked) - set(NAMES):
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
