"""What is found: our rule beside the tutorial's, in the same gate, on panels and on real days.

`python -m bench.detection [DATA]`. DATA is a folder with us_stocks_sip/day_aggs_v1, splits.csv and
labels/earnings.csv; without labels only the generated panels are measured. Seeded: the same
numbers on every run.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bench import detection_days, detection_null, detection_real
from bench.data import Data
from bench.detection_pool import processes
from bench.harness import Goal


def run(data: Data) -> list[Goal]:
    """Print the tables; the goals of detection."""
    return list(_measured(Path(data.job.market)))


def _measured(folder: Path | None) -> Iterator[Goal]:
    with processes() as pool:
        yield from detection_null.run(pool)
    if folder and (folder / detection_days.LABELS).exists():
        yield from detection_real.run(folder)
    else:
        print("  no labelled real days given: not measured")


def main() -> None:
    """The measurement alone, with no market generated for the others."""
    parser = argparse.ArgumentParser("python -m bench.detection", description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="a folder of labelled real days")
    for goal in _measured(parser.parse_args().data):
        print(goal, flush=True)


if __name__ == "__main__":
    main()
