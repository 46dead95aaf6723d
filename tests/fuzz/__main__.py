"""python -m tests.fuzz TARGET SECONDS, with atheris, which is installed by hand.

Coverage-guided, in one process; what it finds is written to `crash-...` in the current folder.
"""

import sys
import tempfile
from pathlib import Path

_SEEDS: dict[str, list[bytes]] = {
    "a_setting": [b"\x01https://api.massive.com", b"\x05xoxb-1-2", b"\x0911:00", b"\x10s3://b/p"],
    "slack_text": [b"ticker <http://BRK.B|BRK.B> 60", b'mute NVDA 5 until:double because "news"'],
    "vendor_json": [
        b'{"results":[{"T":"A","v":1,"vw":1,"o":1,"c":1,"h":1,"l":1,"t":1790884800000,"n":1}]}',
        b'{"results":[{"ticker":"A","type":"CS","primary_exchange":"XNYS"}]}',
    ],
    "day_file": [b"A,100,1,1,1,1,1790827200000000000,10\n"],
    "trades_file": [
        b"A,12,0,4,7,1790863200000000000,10.25,1,1790863200000000001,100,1,202,1790863200000000000\n",
    ],
    "finra": [b"20261001|A|1.0|0|2.0|B,Q,N\n1\n"],
    "signature": [
        b"1790863200\nv0=00\ncommand=%2Fticker",
        b"\n\nssl_check=1&token=a",
        b'\n\n{"type":"ssl_check=1","event":{}}',
    ],
    "interaction": [
        b'{"name":"ticker","options":[{"name":"symbol","type":3,"value":"NVDA","focused":true}]}',
        b'{"callback_id":"mute","private_metadata":"{}","state":{"values":{}}}',
    ],
}


def main() -> None:
    """Until the time is up, or something is found."""
    import atheris

    name, seconds = sys.argv[1], sys.argv[2]
    # Only what is ours is watched: to watch all that is loaded takes minutes.
    with atheris.instrument_imports(include=["bot", "core", "alerts"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(_SEEDS[name]):
            (Path(folder) / str(number)).write_bytes(seed)
        arguments = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=4096", folder]
        atheris.Setup([sys.argv[0], *arguments], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
