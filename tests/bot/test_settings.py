"""Settings: defaults, .env, every fault at once, and no secret shown."""

import contextlib
import os
import re
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.setting_checks import notices
from bot.settings import _SPELLED, Settings, load, secrets_asked, strangers
from core.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
SECRET = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t00"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    """What a start with these variables complains of."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load()
    return caught.value.faults


def test_with_nothing_set_it_is_the_sample_market_with_the_documented_defaults() -> None:
    settings = load()
    assert settings.sample
    assert settings.eod_schedule_time == time(11)
    assert (settings.eod_poll_minutes, settings.eod_deadline) == (10, time(20))
    assert (settings.polygon_calls_per_minute, settings.alert_top) == (5, 10)
    assert settings.polygon_rest_url == "https://api.massive.com"
    assert settings.flatfiles_endpoint_url == "https://files.massive.com"
    assert settings.flatfiles_bucket == "flatfiles"


def test_the_example_file_names_every_setting_once_with_its_default_and_one_comment() -> None:
    text = (ROOT / ".env.example").read_text()
    named = re.findall(r"^# .+\n([A-Z_0-9]+)=(.*)$", text, re.MULTILINE)
    assert [name.lower() for name, _ in named] == list(Settings.model_fields)
    assert len(re.findall(r"^[A-Z_0-9]+=", text, re.MULTILINE)) == len(named)
    example = load(**{name.lower(): value for name, value in named if value and "KEY" not in name})
    assert example == load()


def test_a_volume_that_is_attached_is_where_the_state_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAILWAY_VOLUME_MOUNT_PATH", str(tmp_path / "volume"))
    assert load().state_db == tmp_path / "volume" / "state.db"
    assert load(data_dir=tmp_path / "own").data_dir == tmp_path / "own"
    (tmp_path / ".env").write_text(f"DATA_DIR={tmp_path / 'named'}\n")
    assert load().data_dir == tmp_path / "named"


def test_whoever_pauses_it_may_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(ConfigError, match="should be a writable folder"):
        load()
    monkeypatch.setenv("PAUSED", "true")
    assert load().paused


def test_a_dotenv_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("ALERT_TOP=7\nEOD_POLL_MINUTES=3\nDISCORD_THINGS=1\n")
    monkeypatch.setenv("EOD_POLL_MINUTES", "4")
    settings = load()
    assert (settings.alert_top, settings.eod_poll_minutes) == (7, 4)


def test_the_vendors_new_name_for_the_key_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASSIVE_API_KEY", SECRET)
    key = load().polygon_api_key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_the_s3_secret_is_the_api_key_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", SECRET)
    monkeypatch.setenv("FLATFILES_ACCESS_KEY_ID", "id")
    settings = load()
    assert settings.flat_files_configured
    assert settings.flat_files_secret is not None
    assert settings.flat_files_secret.get_secret_value() == SECRET


def test_everything_wrong_is_said_at_once_with_name_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = faults(
        monkeypatch,
        ALERT_TOP="many",
        EOD_SCHEDULE_TIME="25:00",
        EOD_POLL_MINUTES="0",
        POLYGON_REST_URL="http://example.com",
        USE_FLAT_FILES="perhaps",
        FLATFILES_BUCKET="No Bucket",
    )
    for name, value in {
        "ALERT_TOP": "many",
        "EOD_SCHEDULE_TIME": "25:00",
        "EOD_POLL_MINUTES": "0",
        "POLYGON_REST_URL": "http://example.com",
        "USE_FLAT_FILES": "perhaps",
        "FLATFILES_BUCKET": "No Bucket",
    }.items():
        (line,) = [s for s in said if s.startswith(name)]
        assert repr(value) in line
        assert "should be" in line


def test_a_wrong_file_is_named_with_what_stands_in_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ALERT_TOP=-3\n")
    with pytest.raises(ConfigError, match="ALERT_TOP='-3': should be"):
        load()


def test_a_folder_that_cannot_be_written_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (said,) = faults(monkeypatch, DATA_DIR=str(tmp_path / "file" / "data"))
    assert "DATA_DIR" in said


def test_a_deadline_before_the_first_try_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = faults(monkeypatch, EOD_SCHEDULE_TIME="21:00")
    assert "EOD_DEADLINE=20:00 is not after EOD_SCHEDULE_TIME=21:00" in said


def test_flat_files_without_any_key_never_pass_for_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (said,) = faults(monkeypatch, USE_FLAT_FILES="true")
    assert "FLATFILES_ACCESS_KEY_ID" in said
    assert "unset USE_FLAT_FILES" in said


def test_addresses_with_passwords_are_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (said,) = faults(monkeypatch, FLATFILES_ENDPOINT_URL=f"https://me:{SECRET}@example.com")
    assert SECRET not in said


@pytest.mark.parametrize(
    "name",
    [
        *("FLATFILES_ENDPOINT_URL", "DATA_ENDPOINT_URL", "POLYGON_REST_URL", "FINRA_URL"),
        *("SLACK_API_URL", "DISCORD_GATEWAY_URL", "BACKFILL_SCHEDULER", "DATA_URL"),
        *("DISCORD_ALERT_CHANNEL", "SLACK_ALERT_CHANNEL", "OPERATOR_CHANNEL", "HEARTBEAT_URL"),
    ],
)
@pytest.mark.parametrize(
    "address",
    [
        "ftp://me:s3cr3t@example.com",
        "https://me:s3cr3t/x@example.com",
        "https://me:s3cr3t@exa℀mple.com",
        "ftp://example.com/?X-Amz-Signature=s3cr3t",
        "https://example.com:1x/?X-Amz-Signature=s3cr3t",
        "https://discord.com/api/webhooks/123/s3cr3t#",
        "https://hooks.slack.com/services/T0/B0/s3cr3t?",
    ],
)
def test_what_an_address_may_hide_is_not_repeated_by_its_fault(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(name, address)
    try:
        load()
    except ConfigError as error:
        said = str(error)
    else:
        return  # it is right, and nothing is said of it
    assert "s3cr3t" not in said
    assert f"{name}='(hidden)': should be" in said


@pytest.mark.parametrize(
    "value",
    [
        "https://hc-ping.com/1f3a5c7e-1111-2222-3333-0123456789ab",
        "Bearer AbCdEfGhIjKlMnOpQrStUvWxYz012345",
        "AbCdEfGhIjKlMnOpQrStUvWxYz012345 # my key",
        '"AbCdEfGhIjKlMnOpQrStUvWxYz012345"x',
    ],
)
def test_a_key_with_something_around_it_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OPERATOR_CHANNEL", value)
    with pytest.raises(ConfigError) as caught:
        load()
    assert "OPERATOR_CHANNEL='(hidden)': should be" in str(caught.value)


ADDRESSES = [name for name in Settings.model_fields if name.endswith("_url") and name != "data_url"]


@pytest.mark.parametrize("name", ADDRESSES)
def test_what_is_not_encrypted_stays_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Wherever keys go, and whatever decides what channels are told."""
    safe, bare = ("wss", "ws") if name == "discord_gateway_url" else ("https", "http")
    for host in ("127.0.0.1:8000", "localhost:1", "[::1]:2"):
        monkeypatch.setenv(name.upper(), f"{bare}://{host}/")
        assert getattr(load(), name)
    monkeypatch.setenv(name.upper(), f"{safe}://x.y/")
    assert getattr(load(), name)
    for host in ("mirror.example", "10.0.0.7:9000", "localhost.example", "127.0.0.1.example"):
        (said,) = faults(monkeypatch, **{name.upper(): f"{bare}://{host}/x"})
        assert said.startswith(f"{name.upper()}=")
        assert f"should be {safe}://" in said


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLYGON_API_KEY", "FLATFILES_ACCESS_KEY_ID", "FLATFILES_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    settings = load()
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.secrets == [SECRET] * 3


@pytest.mark.parametrize(
    ("files", "trades", "dark", "said"),
    [
        ("true", "true", "true", []),
        ("false", "true", "true", ["USE_TRADES_FILES without USE_FLAT_FILES"]),
        ("true", "true", "false", ["USE_TRADES_FILES without DARK_POOL_ONLY"]),
        ("false", "false", "true", ["DARK_POOL_ONLY without USE_TRADES_FILES"]),
        ("true", "false", "false", []),
    ],
)
def test_half_said_settings_are_explained_at_the_start(
    monkeypatch: pytest.MonkeyPatch, files: str, trades: str, dark: str, said: list[str]
) -> None:
    for name, value in (
        ("USE_FLAT_FILES", files), ("USE_TRADES_FILES", trades), ("DARK_POOL_ONLY", dark),
        ("POLYGON_API_KEY", SECRET), ("FLATFILES_ACCESS_KEY_ID", "0f1e2d3c-1111"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    assert [notice.partition(":")[0] for notice in notices(load())] == said


def test_trades_files_without_their_keys_are_said_to_be_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("USE_TRADES_FILES", "true")
    with pytest.raises(ConfigError, match="USE_TRADES_FILES=true, but FLATFILES_ACCESS_KEY_ID"):
        load()
    monkeypatch.setenv("POLYGON_API_KEY", SECRET)
    assert any("FLATFILES_ACCESS_KEY_ID is not set" in notice for notice in notices(load()))


def test_the_built_in_market_needs_no_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARK_POOL_ONLY", "true")
    assert notices(load()) == []


@given(
    st.dictionaries(
        st.sampled_from(["ALERT_TOP", "EOD_DEADLINE", "POLYGON_REST_URL", "USE_FLAT_FILES"]),
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1),
    )
)
def test_no_text_whatever_breaks_the_start_in_another_way(environment: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with contextlib.suppress(ConfigError):
            assert isinstance(load(), Settings)


def test_faults_of_every_kind_come_in_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    said = faults(
        monkeypatch,
        ALERT_TOP="ten",
        EOD_DEADLINE="09:00",
        DATA_DIR="/proc/x",
        POLYGON_API_KEY="a b",
    )
    assert [re.split("[= ]", fault)[0] for fault in said] == [
        *("POLYGON_API_KEY", "ALERT_TOP", "EOD_DEADLINE", "DATA_DIR"),
    ]
    assert "a b" not in "".join(said)


@pytest.mark.parametrize("port", ["99999", "0", "x"])
def test_a_port_that_cannot_be_is_a_fault(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    (said,) = faults(monkeypatch, POLYGON_REST_URL=f"http://127.0.0.1:{port}")
    assert f"POLYGON_REST_URL='http://127.0.0.1:{port}'" in said


def test_space_around_a_key_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", f" {SECRET}\n")
    key = load().polygon_api_key
    assert key is not None
    assert key.get_secret_value() == SECRET


@pytest.mark.parametrize("ending", ["CNMSshvol20261002.txt", "CNMSshvol20261002.TXT", "a.txt/"])
def test_the_address_of_one_file_of_finras_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    (said,) = faults(monkeypatch, FINRA_URL=f"https://cdn.finra.org/equity/regsho/daily/{ending}")
    assert said.startswith("FINRA_URL='https://cdn.finra.org/")
    assert said.endswith("the address of the folder, without the file's name")


def test_channels_are_named_by_id_and_need_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "\n".join(
        faults(
            monkeypatch,
            DISCORD_ALERT_CHANNEL="123456789012345678, #alerts",
            SLACK_ALERT_CHANNEL="C0123ABCDE, C0123ABCDE",
            OPERATOR_CHANNEL="irc:foo",
            HEARTBEAT_URL="ftp://example.org/secret",
        )
    )
    assert "DISCORD_ALERT_CHANNEL='123456789012345678, #alerts': should be channel ids" in told
    assert "OPERATOR_CHANNEL='irc:foo': should be discord: or slack: and a channel id" in told
    assert "HEARTBEAT_URL='(hidden)': should be an address that begins with https://" in told
    assert "SLACK_ALERT_CHANNEL is set, but SLACK_BOT_TOKEN is not" in told


@pytest.mark.parametrize("name", ["DISCORD_ALERT_CHANNEL", "SLACK_ALERT_CHANNEL"])
def test_a_token_that_is_put_where_a_channel_belongs_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for token in ("xoxb-1234-5678-abcdef", "MTExMTExMTExMTExMTExMTEx.GaBcDe.abcdefghijklmnop"):
        (told, *_) = faults(monkeypatch, **{name: token})
        assert token not in told
        assert "(hidden)" in told


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ALERT_DETAIL", "foo", "full or derived"),
        ("LOG_FORMAT", "foo", "text or json"),
        ("USE_FLAT_FILES", "foo", "true or false"),
        ("DATA_REGION", "us.east", "a name of lower case letters, digits and hyphens"),
        ("FLATFILES_BUCKET", "A", "a name of lower case letters, digits, dots and hyphens"),
        ("DISCORD_ALERT_CHANNEL", "123", "channel ids (15 to 20 digits: "),
        ("DISCORD_GUILD_ID", "123", "a server's id (15 to 20 digits: "),
        ("DISCORD_OPERATORS", "123", "ids of people or of roles (15 to 20 digits: "),
        ("SLACK_ALERT_CHANNEL", "c1", "channel ids (such as C0123ABCDEF"),
    ],
)
def test_each_setting_says_what_is_allowed_in_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    (said, *_) = faults(monkeypatch, **{name: value})
    assert said.startswith(f"{name}={value!r}: should be {allowed}")


def test_every_setting_that_takes_a_few_words_or_a_pattern_can_say_which() -> None:
    for name, field in Settings.model_fields.items():
        if any(hasattr(about, "pattern") and about.pattern for about in field.metadata):
            assert name.upper() in _SPELLED


def test_slack_tokens_that_are_swapped_are_a_fault_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    said = faults(monkeypatch, SLACK_BOT_TOKEN="xapp-1-2", SLACK_APP_TOKEN="xoxb-1-2")
    assert [line.partition(" (")[0] for line in said] == [
        "SLACK_BOT_TOKEN='(hidden)': should be the bot token, which begins with xoxb-",
        "SLACK_APP_TOKEN='(hidden)': should be the app-level token, which begins with xapp-",
    ]
    assert "1-2" not in "".join(said)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxe.xoxb-1-2")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1-2")
    assert load().slack_listens


def test_routes_of_the_environment_are_read_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DISCORD_TOKEN": "a-token",
        "DISCORD_ALERT_CHANNEL": "123456789012345678,123456789012345678, 123456789012345679",
        "SLACK_BOT_TOKEN": "xoxb-a",
        "SLACK_ALERT_CHANNEL": "C0123ABCDE",
        "OPERATOR_CHANNEL": "Slack:C0123ABCDF",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert [str(d) for d in settings.first_routes] == [
        "discord:123456789012345678",
        "discord:123456789012345679",
        "slack:C0123ABCDE",
    ]
    assert str(settings.operator) == "slack:C0123ABCDF"
    assert {"a-token", "xoxb-a"} <= set(settings.secrets)


def test_a_discord_without_operators_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    (said,) = notices(load())
    assert "nobody on Discord may /backfill run" in said
    for name in ("DISCORD_OPERATORS", "DISCORD_GUILD_ID"):
        with monkeypatch.context() as there:
            there.setenv(name, "123456789012345678")
            assert notices(load()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tape", "DATA_URL='tape': should be s3://BUCKET or s3://BUCKET/PREFIX"),
        ("s3://", "DATA_URL='s3://': should be s3://BUCKET"),
        ("s3://Tape/x y", "DATA_URL='s3://Tape/x y': should be s3://BUCKET"),
        ("https://tape.s3.amazonaws.com", "should be s3://BUCKET"),
    ],
)
def test_a_bucket_is_named_as_s3_names_it(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    found = faults(monkeypatch, DATA_URL=url, DATA_ACCESS_KEY_ID="a", DATA_SECRET_ACCESS_KEY="b")
    assert any(said in fault for fault in found)


def test_half_of_a_bucket_is_no_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, DATA_URL="s3://tape/of/us/", DATA_ACCESS_KEY_ID="a") == [
        "DATA_URL=s3://tape/of/us needs DATA_SECRET_ACCESS_KEY, which is not set"
    ]
    monkeypatch.delenv("DATA_URL")
    assert faults(monkeypatch, DATA_ACCESS_KEY_ID="a") == [
        "DATA_ACCESS_KEY_ID is set, but DATA_URL is not: where is the bucket?"
    ]


def test_secrets_may_be_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    (tmp_path / "token").write_text("  xoxb-1-2-3 \n\n")
    monkeypatch.setenv("MASSIVE_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    settings = load()
    assert settings.secrets == [SECRET, "xoxb-1-2-3"]


@pytest.mark.parametrize(
    "names",
    [
        ("POLYGON_API_KEY", "POLYGON_API_KEY_FILE"),
        ("POLYGON_API_KEY_FILE", "MASSIVE_API_KEY"),
        ("POLYGON_API_KEY", "MASSIVE_API_KEY_FILE"),
        ("POLYGON_API_KEY_FILE", "MASSIVE_API_KEY_FILE"),
        ("POLYGON_API_KEY", "MASSIVE_API_KEY"),
    ],
)
def test_one_secret_from_two_places_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    (tmp_path / "key").write_text(SECRET)
    values = {n: "key" if n.endswith("_FILE") else f"{SECRET}-{n}" for n in names}
    (said,) = faults(monkeypatch, **values)
    assert said == f"{names[0]} and {names[1]} are both set: which of them counts?"


def test_only_what_is_surely_a_path_is_shown_of_a_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("")
    shown = ("/run/secrets/polygon_api_key_2", "secrets/polygon", "key")
    hidden = (SECRET, "wJalrXUtnFEMI/K7MDENG/bPxRfiCY1", f"https://example.org/{SECRET}", "x" * 999)
    for value in (*shown, *hidden):
        (said,) = faults(monkeypatch, HEARTBEAT_URL_FILE=value)
        assert (value in said) is (value in shown)
        assert (value in secrets_asked()) is (value in hidden)


@pytest.mark.parametrize(
    "name", ["FLATFILES_BUCKET", "ALERT_FLOOR_USD", "ALERT_TOP", "POLYGON_REST_URL", "DATA_URL",
             "SLACK_OPERATORS", "OPERATOR_CHANNEL", "BACKFILL_SCHEDULER", "EOD_DEADLINE"]
)  # fmt: skip
@pytest.mark.parametrize(
    "key", ["AbCdEfGhIjKlMnOpQrStUvWxYz012345", "0F1E2D3C-1111-2222-3333-444455556666"]
)
def test_a_key_that_is_put_where_it_does_not_belong_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    said = "\n".join(faults(monkeypatch, **{name: key}))
    assert f"{name}='(hidden)': should be" in said
    assert key not in said


def test_one_key_under_both_names_is_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", SECRET)
    monkeypatch.setenv("MASSIVE_API_KEY", SECRET)
    assert load().secrets == [SECRET]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("FLATFILES_KEY", "did you mean FLATFILES_ACCESS_KEY_ID or FLATFILES_SECRET_ACCESS_KEY?"),
        ("SLACK_TOKEN", "did you mean SLACK_BOT_TOKEN or SLACK_APP_TOKEN?"),
        ("DISCORD_CHANNEL", "did you mean DISCORD_ALERT_CHANNEL?"),
        ("TAPEWATCH_ALERT_TOP", "did you mean ALERT_TOP?"),
        ("ALERT_TOPP", "did you mean ALERT_TOP?"),
        ("DISCORD_TOKN_FILE", "did you mean DISCORD_TOKEN_FILE?"),
        ("PORT_FILE", "only keys, tokens and secrets may be in files; set PORT"),
        ("ALERT_TOP_FILE", "only keys, tokens and secrets may be in files; set ALERT_TOP"),
    ],
)
def test_a_name_that_is_nearly_a_setting_is_pointed_out_also_when_the_start_fails(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "5")
    assert strangers() == [f"{name} is no setting: {hint}"]
    said = faults(monkeypatch, ALERT_DETAIL="foo")
    assert said[-1] == f"{name} is no setting: {hint}"


def test_a_pipe_is_no_file_with_a_secret_and_a_link_to_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (said,) = faults(monkeypatch, POLYGON_API_KEY_FILE=str(tmp_path / "pipe"))
    assert "should be a file with the value (it is no regular file)" in said
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "key").write_text(SECRET)
    (tmp_path / "key").symlink_to(Path("..data") / "key")
    monkeypatch.setenv("POLYGON_API_KEY_FILE", str(tmp_path / "key"))
    assert load().secrets == [SECRET]


def test_a_file_that_cannot_be_the_secret_is_said_and_what_is_in_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "spaced").write_text("se cret")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    said = faults(
        monkeypatch,
        POLYGON_API_KEY_FILE=str(tmp_path / "nowhere"),
        FLATFILES_ACCESS_KEY_ID_FILE=str(tmp_path / "empty"),
        DISCORD_TOKEN_FILE=str(tmp_path / "spaced"),
        SLACK_BOT_TOKEN_FILE=str(tmp_path / "large"),
        SLACK_APP_TOKEN_FILE=str(tmp_path / "bytes"),
        SLACK_SIGNING_SECRET_FILE=str(tmp_path / "empty"),
        SLACK_SIGNING_SECRET=SECRET,
        HEARTBEAT_URL_FILE=str(tmp_path),
    )
    told = "\n".join(said)
    for name, why in {
        "POLYGON_API_KEY_FILE": "No such file or directory",
        "FLATFILES_ACCESS_KEY_ID_FILE": "it is empty",
        "SLACK_BOT_TOKEN_FILE": "more than 65,536 bytes",
        "SLACK_APP_TOKEN_FILE": "it is no text",
        "HEARTBEAT_URL_FILE": "Is a directory",
    }.items():
        assert re.search(f"{name}='.*': should be a file with the value \\(.*{why}.*\\)", told), (
            name
        )
    assert "SLACK_SIGNING_SECRET and SLACK_SIGNING_SECRET_FILE are both set" in told
    assert "DISCORD_TOKEN='(hidden)': should be the key as the dashboard shows it" in told
    assert "se cret" not in told
    assert SECRET not in told


@pytest.mark.parametrize("name", ["POLYGON_API_KEY", "MASSIVE_API_KEY", "DISCORD_TOKEN"])
def test_a_file_with_something_that_is_no_secret_is_one_fault_among_others(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd").write_text("se\x01cret")
    said = faults(monkeypatch, **{f"{name}_FILE": str(tmp_path / "odd"), "ALERT_TOP": "many"})
    assert len(said) == 2
    assert "se\x01cret" not in "\n".join(said)
