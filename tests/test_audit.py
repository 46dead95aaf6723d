"""The audit fails for a known hole, and for nothing else."""

import pytest

from tests.audit import verdict

GOOD = {"name": "polars", "version": "2.1", "vulns": []}
HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["3.15"], "aliases": [], "description": "x"}
BAD = {"name": "aiohttp", "version": "3.14", "vulns": [HOLE]}
UNKNOWN = {"name": "tzdata", "skip_reason": "Dependency not found on PyPI"}


def test_a_known_hole_fails_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict([GOOD, BAD, UNKNOWN]) == 1
    said = capsys.readouterr().out
    assert "aiohttp 3.14: PYSEC-2026-1, mended in 3.15" in said
    assert "audited: 2, with known holes: 1; 1 are not known" in said


def test_what_nobody_knows_is_said_and_does_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict([GOOD, UNKNOWN]) == 0
    assert "1 are not known to the service" in capsys.readouterr().out
