"""Who says, on stderr, what settings that say half of something are taken to mean."""

from pathlib import Path

import pytest

from bot.once import Exit
from bot.setting_checks import notices
from bot.settings import load
from bot.shell import main

HALF_SAID = "DARK_POOL_ONLY without USE_TRADES_FILES"


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key, of which nothing is asked: all these commands end before that."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("POLYGON_API_KEY", "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t00")
    for name in ("POLYGON_REST_URL", "FINRA_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("DARK_POOL_ONLY", "true")


@pytest.mark.parametrize(
    "words", [["once", "--session", "2999-01-04"], ["backfill", "2999-01-04", "2999-01-05"]]
)
def test_who_reads_sessions_says_what_the_settings_mean(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == Exit.USAGE
    caught = capsys.readouterr()
    (notice,) = notices(load())
    assert caught.err.startswith(f"{notice}\n")
    assert HALF_SAID in notice
    assert HALF_SAID not in caught.out


@pytest.mark.parametrize(
    "words",
    [
        *(["ask", "/help"], ["bars", "2999-01-04"], ["anomalies", "2999-01-04"]),
        ["doctor", "--session", "2999-01-04"],
    ],
    ids=lambda words: words[0],
)
def test_who_only_looks_says_nothing_of_them(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(words)
    caught = capsys.readouterr()
    assert HALF_SAID not in caught.out + caught.err


@pytest.mark.parametrize("words", [["once"], ["doctor"]])
def test_names_that_are_nearly_settings_are_pointed_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "DISCORD_ALERT_CHANEL=1\nSOMETHING=2\nALERT_TOP=7\nSLACK_TOKEN=\n"
    )
    for name in (
        "TAPEWATCH_DATA_DIR",
        "TAPEWATCH_X",
        "POLYGON_APIKEY",
        "HOMEBREW_PREFIX",
        "DATABASE",
    ):
        monkeypatch.setenv(name, "s3cr3t")
    monkeypatch.setenv("MASSIVE_API_KEY_FILE", "")
    main([*words, "--session", "2999-01-04"])
    said = [line for line in capsys.readouterr().err.splitlines() if " is no setting" in line]
    assert said == [
        "DISCORD_ALERT_CHANEL is no setting: did you mean DISCORD_ALERT_CHANNEL?",
        "POLYGON_APIKEY is no setting: did you mean POLYGON_API_KEY?",
        "SLACK_TOKEN is no setting: did you mean SLACK_BOT_TOKEN or SLACK_APP_TOKEN?",
        "SOMETHING is no setting of Tapewatch; .env.example lists them",
        "TAPEWATCH_DATA_DIR is no setting: did you mean DATA_DIR?",
        "TAPEWATCH_X is no setting of Tapewatch; .env.example lists them",
    ]
