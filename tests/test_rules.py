"""The house rules that no linter knows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = [p for folder in ("core", "alerts", "bot") for p in (ROOT / folder).rglob("*.py")]
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 350, 40
BROAD_HANDLERS = {"bot/app.py": 1, "bot/commands.py": 1, "bot/supervise.py": 1}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_modules_and_functions_stay_small() -> None:
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= MAX_MODULE_LINES, path
        for function in functions(path):
            lines = (function.end_lineno or 0) - function.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{path}: {function.name} has {lines} lines"


def test_every_module_and_public_function_says_what_it_is() -> None:
    for path in SOURCES:
        assert ast.get_docstring(ast.parse(path.read_text())), path
        tree = ast.parse(path.read_text())
        bodies = [tree.body, *(n.body for n in ast.walk(tree) if isinstance(n, ast.ClassDef))]
        members = [n for body in bodies for n in body]
        for function in members:
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not function.name.startswith("_"):
                assert ast.get_docstring(function), f"{path}: {function.name}"


def test_broad_handlers_stand_in_the_allowed_places_only() -> None:
    broad = re.compile(r"^\s*except( Exception| BaseException)?( as \w+)?:", re.MULTILINE)
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        found = [m for m in broad.finditer(path.read_text()) if "BaseException" not in m.group()]
        assert len(found) == BROAD_HANDLERS.get(name, 0), name


def test_the_clock_is_read_in_one_place() -> None:
    reads = re.compile(r"datetime\.now\(|date\.today\(|time\.time\(")
    allowed = {"bot/app.py", "core/sources/s3.py"}  # s3: the clock that botocore signs by
    found = {p.relative_to(ROOT).as_posix() for p in SOURCES if reads.search(p.read_text())}
    assert found == allowed


def test_no_test_uses_a_mock() -> None:
    forbidden = re.compile(
        "Magic" + "Mock|Async" + "Mock|mock" + r"\.patch|monkeypatch\.set" + "attr"
    )
    for path in (ROOT / "tests").rglob("*.py"):
        assert not forbidden.search(path.read_text()), path


def test_no_committed_file_names_a_registry_or_a_path_of_a_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    forbidden = re.compile(
        r"pypi\.org|pythonhosted|--index" + r"-url|--find" + r"-links|/home/|/root/"
    )
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".txt", ".toml", "") and name != "tests/test_rules.py":
            assert not forbidden.search(path.read_text(errors="replace")), name
