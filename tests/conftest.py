"""What every test has: no blocking call on the loop, no settings of the machine."""

import gc
import logging
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
import stamina
from blockbuster import BlockBuster
from syrupy.assertion import SnapshotAssertion

from tests.shared import Shared

# Fonts are looked for once, and not again for every folder that a test has.
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))

# A busy machine is no fault of the code's: no test here is timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_PREFIXES = (
    *("POLYGON_", "MASSIVE_", "FLATFILES_", "FINRA_", "AWS_", "EOD_", "ALERT_", "DATA_"),
    *("DISCORD_", "SLACK_", "OPERATOR_", "HEARTBEAT_", "BACKFILL_"),
)
_NAMES = (
    *("USE_FLAT_FILES", "USE_TRADES_FILES", "DARK_POOL_ONLY", "LOG_FORMAT", "PORT"),
    *("PAUSED", "RAILWAY_VOLUME_MOUNT_PATH"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Four thousand tests stay until the end: no collector has to walk them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take long is mostly waiting, and comes first: on one worker, while others work."""
    items.sort(key=_patience_s, reverse=True)


def _patience_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None and marker.args else 0.0


@pytest.fixture(scope="session")
def _blocking_calls() -> BlockBuster:
    """Found once: there are sixty of them."""
    return BlockBuster(scanned_modules=["bot", "alerts", "core"])


@pytest.fixture(autouse=True)
def _loop_stays_free(_blocking_calls: BlockBuster) -> Iterator[BlockBuster]:
    """A blocking call made on the event loop by our own code fails the test."""
    _blocking_calls.activate()
    yield _blocking_calls
    _blocking_calls.deactivate()


@pytest.fixture(autouse=True)
def _no_waiting_between_tries() -> Iterator[None]:
    """In-request retries still happen, at once."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """A command that a test has run leaves no handler behind, which writes where nobody reads."""
    yield
    root = logging.getLogger()
    for handler in [h for h in root.handlers if type(h) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own keys, proxies and .env have no say."""
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name in _NAMES:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A place for what is made once for all workers."""
    own = tmp_path_factory.getbasetemp()
    return Shared((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared")


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Texts without the letters that change with every number of the rule."""

    def masked(data: object, path: object) -> object:
        return (
            re.sub(r"\bsettings [0-9a-f]{6}\b", "settings (...)", data)
            if isinstance(data, str)
            else data
        )

    return snapshot.with_defaults(matcher=masked)
