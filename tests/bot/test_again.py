"""bot.again: a bounded hour of tries, and a rest that a signal ends."""

import os
import signal
import threading

from bot.again import pauses, rested


def test_the_pauses_grow_and_end_after_an_hour() -> None:
    found = list(pauses())
    assert found[:3] == [5, 10, 20]
    assert max(found) == 300
    assert 3000 < sum(found) < 3700


def test_a_rest_is_over_by_itself_or_by_a_signal_and_then_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    assert rested(0.01, ended_by=[signal.SIGUSR1])
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    assert not rested(30, ended_by=[signal.SIGUSR1])
    assert signal.getsignal(signal.SIGUSR1) == before
