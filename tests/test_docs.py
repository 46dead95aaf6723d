"""The documents name what exists, and everything that exists is in them."""

import re
from dataclasses import fields
from pathlib import Path

from bot.__main__ import _parser
from bot.commands import Commands
from bot.once import Exit
from bot.settings import Settings
from core.anomaly import Anomaly
from core.errors import Verdict

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_readme_and_no_other() -> None:
    named = re.findall(r"^\| `([A-Z][A-Z_0-9]+)` \|", README, re.MULTILINE)
    assert [name.lower() for name in named] == list(Settings.model_fields)


def test_every_shell_command_is_in_the_readme_and_no_other() -> None:
    named = set(re.findall(r"^\| `python -m bot ([a-z]+)", README, re.MULTILINE))
    (commands,) = (a for a in _parser()._actions if a.dest == "command")
    assert named == set(commands.choices or ())


def test_every_chat_command_is_in_the_readme_and_no_other() -> None:
    named = re.findall(r"^\| `/([a-z]+)", README, re.MULTILINE)
    assert named == list(Commands.USAGE)


def test_every_exit_code_and_verdict_is_in_the_readme() -> None:
    for code in set(Exit) - {Exit.INTERRUPTED}:
        assert f"| {code.value} |" in README, code
    for verdict in Verdict:
        assert verdict in README, verdict


def test_every_name_of_the_json_is_documented() -> None:
    text = (ROOT / "docs/json.md").read_text()
    for field in fields(Anomaly):
        assert f"`{field.name}`" in text, field.name


def test_links_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
