"""Where machine code is kept: nothing stale may be found there, and nothing need be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import core.compiled_cache
from core.compiled_cache import cache_folder

CORE = Path(core.compiled_cache.__file__).parent


def printed(code: str, folder: Path, **more: str) -> str:
    """What a fresh interpreter prints, run in a folder."""
    plain = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "PYTHONPATH")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, env=plain | more
    )
    return done.stdout.strip()


def test_any_change_of_the_sources_is_another_folder(tmp_path: Path) -> None:
    shutil.copytree(CORE, tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    asked = "from core.compiled_cache import *; print(cache_folder(Path('kept')).name)"
    before = printed(asked, tmp_path)
    assert printed(asked, tmp_path) == before
    for name in ("tape_lines.py", "tape_sums.py", "compiled.py"):
        with (tmp_path / "core" / name).open("a") as source:
            source.write("#\n")
        assert printed(asked, tmp_path) != before, name
        assert len(list((tmp_path / "kept").iterdir())) == 1


def test_only_what_is_stale_is_removed(tmp_path: Path) -> None:
    for name in ("compiled-0123", "bars"):
        (tmp_path / "cache" / name).mkdir(parents=True)
    folder = cache_folder(tmp_path / "cache")
    assert {*(tmp_path / "cache").iterdir()} == {folder, tmp_path / "cache" / "bars"}
    assert cache_folder(tmp_path / "cache") == folder


def test_asking_for_the_folder_loads_no_compiler(tmp_path: Path) -> None:
    code = "import sys, core.compiled_cache; print('numba' in sys.modules)"
    assert printed(code, CORE.parent) == "False"


def test_the_folder_that_is_set_is_used_and_an_own_one_otherwise(tmp_path: Path) -> None:
    code = "from core.compiled import compiled; import numba; print(numba.config.CACHE_DIR)"
    assert printed(code, CORE.parent, NUMBA_CACHE_DIR=str(tmp_path)) == str(tmp_path)
    assert Path(printed(code, CORE.parent)).parent == CORE / "__pycache__"


def test_without_a_place_to_keep_it_code_is_compiled_all_the_same(tmp_path: Path) -> None:
    shutil.copytree(CORE, tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "core" / "__pycache__").write_text("a file, so no folder")
    code = (
        "import numpy as np\nfrom core.compiled import compiled, lowest_bit\n"
        "print(compiled(lambda word: lowest_bit(word))(np.uint64(8)))"
    )
    assert printed(code, tmp_path, PYTHONDONTWRITEBYTECODE="1") == "3"
