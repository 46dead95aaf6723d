"""python -m tests.audit: known holes of the pinned dependencies, by pip-audit.

Fails for every hole that is known. Where the service that knows cannot be reached, or does not know
a package, it says so and does not fail: a check without a network must not pretend either way.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
_COMMAND = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
_WITHIN_S = 60


def main() -> int:
    """0: nothing is known, or nothing can be known here; 1: something is."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(REQUIREMENTS), *_COMMAND]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        return _said("not audited: the service did not answer in time")
    try:
        found: list[dict[str, Any]] = json.loads(told.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _said(
            f"not audited: {(told.stderr.strip().splitlines() or ['no answer'])[-1][:200]}"
        )
    return verdict(found)


def verdict(found: list[dict[str, Any]]) -> int:
    """What is said of a report, and whether it fails."""
    known = [one for one in found if "vulns" in one]
    holes = [(one, hole) for one in known for hole in one["vulns"]]
    for one, hole in holes:
        fixed = ", ".join(hole.get("fix_versions") or ["no version yet"])
        print(f"{one['name']} {one['version']}: {hole['id']}, mended in {fixed}")
    unknown = len(found) - len(known)
    print(
        f"dependencies audited: {len(known)}, with known holes: {len(holes)}"
        + (f"; {unknown} are not known to the service that can be reached here" if unknown else "")
    )
    return 1 if holes else 0


def _said(text: str) -> int:
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
