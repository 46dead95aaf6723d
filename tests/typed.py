"""What a shell is told, of a command that this process carries out itself.

That `python -m bot` does the same is shown where one is started: each start costs a second.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from bot.shell import main


@dataclass(frozen=True, slots=True)
class Typist:
    """Types commands, and reads what comes of them."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    async def __call__(self, environment: Mapping[str, str], *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capsys.readouterr()
        with self.monkeypatch.context() as own:
            for name, value in environment.items():
                own.setenv(name, value)
            code = await asyncio.to_thread(main, list(words))
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err
