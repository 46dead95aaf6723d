"""The documents name what exists, and everything that exists is in them."""

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from alerts.model import Action, File, Menu, Message, Row, Section, Table
from bot.commands import Commands
from bot.export import Stored
from bot.forms import FORM, FORMS, optional_form
from bot.once import LIST_CALLS, Exit, anomaly_json, day_json
from bot.settings import Settings
from bot.shell import _parser
from core.anomaly import VERSION, Anomaly, Market, Rule
from core.bars import BARS, Family, Scope, Series
from core.baseline import LOOKBACK_SESSIONS
from core.conditions import BUNDLED_VERSION
from core.errors import Refusal, Verdict
from core.news import Headline
from core.sources.access import Probe
from core.tape_bars import TAPE
from tests.grid import WORKERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SAID = (Message, Row, Section, Table, Action, Menu, File)


def test_every_setting_is_in_the_readme_and_no_other() -> None:
    named = re.findall(r"^\| `([A-Z][A-Z_0-9]+)` \|", README, re.MULTILINE)
    assert [name.lower() for name in named] == list(Settings.model_fields)


def test_where_an_address_may_be_plain_is_said_beside_each() -> None:
    for name in ("DISCORD_API_URL", "DISCORD_GATEWAY_URL", "SLACK_API_URL"):
        (row,) = re.findall(rf"^\| `{name}` \|.*$", README, re.MULTILINE)
        assert "only on this machine, a proxy elsewhere needs" in row


def test_every_shell_command_is_in_the_readme_and_no_other() -> None:
    named = set(re.findall(r"^\| `python -m bot ([a-z-]+)", README, re.MULTILINE))
    (commands,) = (a for a in _parser()._actions if a.dest == "command")
    assert named == set(commands.choices or ())


def test_every_chat_command_is_in_the_readme_and_no_other() -> None:
    named = re.findall(r"^\| `/([a-z]+)", README, re.MULTILINE)
    assert named == list(Commands.USAGE)


def test_every_form_that_can_be_asked_for_is_in_the_readme_and_no_other() -> None:
    named = re.findall(rf"`/([a-z]+) {FORM}`", README)
    assert named == [name for name in FORMS if optional_form(name) is not None]


def test_every_exit_code_and_verdict_is_in_the_readme() -> None:
    for code in Exit:
        assert f"| {code.value} |" in README, code
    for verdict in Verdict:
        assert verdict in README, verdict


def test_a_cluster_is_begun_as_the_bench_and_the_tests_begin_it() -> None:
    """What is measured is what is documented."""
    text = (ROOT / "docs/backfill.md").read_text()
    (commands,) = re.findall(r"```sh\n(dask scheduler.*?)```", text, re.DOTALL)
    (worker,) = re.findall(r"^(.*?)dask worker", commands.replace("\\\n", ""), re.MULTILINE)
    for name, value in WORKERS.items():
        assert f"{name}={value}" in worker.split()


def _section(title: str) -> str:
    """What stands under a heading of docs/json.md, up to the next one."""
    text = (ROOT / "docs/json.md").read_text()
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def _keys(made_by: Callable[..., object]) -> set[str]:
    """The keys that a function's source spells."""
    return set(re.findall(r'^ +"(\w+)":', inspect.getsource(made_by), re.MULTILINE))


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("An anomaly", {f.name for f in fields(Anomaly)} | _keys(anomaly_json)),
        ("An anomaly", {f.name for f in fields(Headline)}),
        ("`once --json`", _keys(day_json) | {f.name for f in fields(Refusal)}),
        ("`once --json`", {f.name for f in fields(Market)}),
        ("`bars --json` and `bars --csv`", _keys(Stored.json) | BARS.keys() - {"session"}),
        ("`bars --json` and `bars --csv`", set(TAPE)),
        ("`doctor --json`", {f.name for f in fields(Probe)}),
        ("`ask --json`", {f.name for kind in SAID for f in fields(kind)}),
    ],
)
def test_every_name_of_the_json_is_documented(title: str, names: set[str]) -> None:
    said = set(re.findall(r"`(\w+)`", _section(title)))
    assert names
    assert names - said == set()


DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / ".env.example"]
# Of others, and addresses.
NO_SETTINGS = {
    *("MALLOC_ARENA_MAX", "TAPEWATCH_BENCH_DATA", "RAILWAY_VOLUME_MOUNT_PATH"),
    *("SSL_CERT_FILE", "AWS_CA_BUNDLE"),
}
NO_COMMANDS = {
    *("data", "v", "invite", "slack", "tapewatch", "tw"),
    *("healthz", "readyz", "freshness", "metrics"),
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_and_command_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    settings = {name.upper() for name in Settings.model_fields} | {"MASSIVE_API_KEY"}
    named = set(re.findall(r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b", text)) - NO_SETTINGS
    assert {name.removesuffix("_FILE") for name in named if "__" not in name} <= settings
    typed = set(re.findall(r"`/([a-z]+)", text)) - NO_COMMANDS
    assert typed <= set(Commands.USAGE)
    (shell,) = (a for a in _parser()._actions if a.dest == "command")
    assert set(re.findall(r"python -m bot ([a-z-]+)", text)) <= set(shell.choices or ())


def test_every_token_that_a_text_of_ours_names_is_a_setting() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    texts = [text for path in (ROOT / "bot").rglob("*.py") for text in _texts(path)]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*_TOKEN\b", "\n".join(texts)))
    assert {"DISCORD_TOKEN", "SLACK_APP_TOKEN"} <= named <= settings


def _texts(path: Path) -> list[str]:
    """All that a module may say."""
    found = (n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant))
    return [value for value in found if isinstance(value, str)]


def _anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^):]+)\)", document.read_text()):
        file, _, anchor = target.partition("#")
        there = document.parent / file if file else document
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


TRANSCRIPTS = [ROOT / "docs/off-exchange.md"]


@pytest.mark.parametrize("document", TRANSCRIPTS, ids=lambda path: path.name)
def test_a_transcript_is_of_this_detector_and_these_settings(document: Path) -> None:
    """Another rule prints another stamp: then the samples are to be run again."""
    own = [
        *(Series(Scope.ALL, Family.SAMPLE), Series(Scope.OFF_EXCHANGE, Family.SAMPLE)),
        Series(Scope.OFF_EXCHANGE, Family.FINRA),
        Series(Scope.OFF_EXCHANGE, Family.TRADES, rules=BUNDLED_VERSION),
    ]
    top = Settings.model_fields["alert_top"].default
    stamps = {Rule().stamp(top, series.key) for series in own}
    said = re.findall(r"detector (\w+) · settings (\w+) · data revision", document.read_text())
    assert said
    assert {(detector, stamp) for detector, stamp in said} <= {(VERSION, s) for s in stamps}


def test_the_minutes_of_a_first_start_are_those_of_its_calls() -> None:
    per_minute = Settings.model_fields["polygon_calls_per_minute"].default
    (said,) = re.findall(r"\((\d+) calls a minute\) about (\d+) minutes", README)
    minutes = (LOOKBACK_SESSIONS + LIST_CALLS) / per_minute
    assert said[0] == str(per_minute)
    assert 0 <= int(said[1]) - minutes < 2
