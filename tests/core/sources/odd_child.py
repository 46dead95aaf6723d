"""A child process that misbehaves as its errand says; it tells its own pid as its progress."""

import json
import os
import signal
import sys
import time

from core.errors import BadBars, NotPublished, SourceUnavailable, Verdict
from core.sources.errand_child import Told, run


def work(line: bytes, told: Told) -> bytes:
    """Do the odd thing, or give back what was sent along."""
    asked = json.loads(line)
    told(os.getpid(), 7)
    if asked["do"] == "wait":
        time.sleep(60)
    elif asked["do"] == "die":
        os.kill(os.getpid(), asked["signal"])
        signal.pause()
    elif asked["do"] == "exit":
        os._exit(3)
    elif asked["do"] == "crash":
        sys.stderr.write("a warning\n")
        raise RuntimeError(f"no use for {asked['with']}")
    elif asked["do"] == "babble":
        sys.stdout.write("{'not': 'json'}\n" * 10)
        sys.stdout.flush()
    elif asked["do"] == "boast":
        sys.stdout.buffer.write(b'{"result_bytes": 1000}\nno more')
        sys.stdout.flush()
        os._exit(0)
    elif asked["do"] == "complain":
        sys.stderr.write("a long line of complaint\n" * 100_000)
    elif asked["do"] == "refuse":
        raise BadBars("a header and no trade")
    elif asked["do"] == "fail":
        raise SourceUnavailable("no line", Verdict.RATE_LIMITED)
    elif asked["do"] == "surprise":
        raise NotPublished("nobody expects this of it")
    elif asked["do"] == "look":
        about = {"environment": dict(os.environ), "arguments": sys.orig_argv, "nice": os.nice(0)}
        return json.dumps(about).encode()
    return str(asked.get("with", "")).encode() * int(asked.get("times", 1))


if __name__ == "__main__":
    run(work)
