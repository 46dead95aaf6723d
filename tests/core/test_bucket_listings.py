"""core.bucket_listings: one asks, the others share what came of it, and nobody waits twice."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from core.bucket_listings import Listings
from core.errors import BarsAway, Verdict
from core.files import Stamp

ONE, TWO = Stamp("1", 1.0), Stamp("2", 2.0)
AWAY = BarsAway("s3://tape/: list: no answer", Verdict.UNREACHABLE)


@dataclass
class Storage:
    """Answers when it is told what."""

    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    answers: list[Future[dict[str, Stamp]]] = field(default_factory=list)

    def __call__(self, folder: str) -> dict[str, Stamp]:
        self.answers.append(Future())
        answer = self.answers[-1]
        self.begun.release()
        return answer.result(20)

    def asked(self) -> Future[dict[str, Stamp]]:
        """Once somebody waits for it."""
        assert self.begun.acquire(timeout=20)
        return self.answers[-1]


def failed_once(storage: Storage, many: ThreadPoolExecutor) -> Listings:
    """Somebody has asked it for `x`, in vain."""
    there = Listings(storage, kept_s=60)
    first = many.submit(there.of, "x")
    storage.asked().set_exception(AWAY)
    with pytest.raises(BarsAway):
        first.result(20)
    return there


@pytest.fixture
def many() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8)


@pytest.mark.parametrize("is_away", [True, False])
def test_all_who_ask_at_once_share_what_came_of_it(many: ThreadPoolExecutor, is_away: bool) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    all_of_them = [many.submit(there.of, "x") for _ in range(4)]
    answer = storage.asked()
    assert not many.submit(storage.begun.acquire, timeout=0.2).result()
    if is_away:
        answer.set_exception(AWAY)
        for one in all_of_them:
            with pytest.raises(BarsAway, match="no answer"):
                one.result(20)
    else:
        answer.set_result({"a": ONE})
        assert [one.result(20) for one in all_of_them] == 4 * [{"a": ONE}]
    assert len(storage.answers) == 1


def test_what_took_longer_than_it_is_kept_is_shared_as_well(many: ThreadPoolExecutor) -> None:
    storage, seconds = Storage(), [0.0]
    there = Listings(storage, kept_s=10, clock=lambda: seconds[0])
    all_of_them = [many.submit(there.of, "x") for _ in range(4)]
    answer = storage.asked()
    assert not many.submit(storage.begun.acquire, timeout=0.2).result()
    seconds[0] = 12.0
    answer.set_result({"a": ONE})
    assert [one.result(20) for one in all_of_them] == 4 * [{"a": ONE}]
    anew = many.submit(there.of, "x")
    storage.asked().set_result({})
    assert anew.result(20) == {}


def test_whoever_comes_when_it_is_back_hears_that(many: ThreadPoolExecutor) -> None:
    storage = Storage()
    there = failed_once(storage, many)
    all_of_them = [many.submit(there.of, "x") for _ in range(4)]
    storage.asked().set_result({"a": ONE})
    assert [one.result(20) for one in all_of_them] == 4 * [{"a": ONE}]


def test_another_folder_is_not_waited_for(many: ThreadPoolExecutor) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    many.submit(there.of, "x")
    hangs = storage.asked()
    other = many.submit(there.of, "y")
    storage.asked().set_result({"b": TWO})
    assert other.result(20) == {"b": TWO}
    hangs.set_result({})


def test_who_comes_while_it_is_tried_again_hears_at_once_how_it_ended_last(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there = failed_once(storage, many)
    again = many.submit(there.of, "x")
    answer = storage.asked()
    with pytest.raises(BarsAway, match="no answer"):
        many.submit(there.of, "x").result(20)
    answer.set_result({"a": ONE})
    assert again.result(20) == there.of("x") == {"a": ONE}


def test_what_is_written_and_dropped_meanwhile_counts(many: ThreadPoolExecutor) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    asks = many.submit(there.of, "x")
    answer = storage.asked()
    there.noted("x", "new", TWO)
    there.noted("x", "old", None)
    answer.set_result({"old": ONE, "a": ONE})
    assert asks.result(20) == there.of("x") == {"a": ONE, "new": TWO}
    there.noted("x", "a", TWO)
    assert there.of("x") == {"a": TWO, "new": TWO}


def test_an_answer_that_was_forgotten_meanwhile_is_nobody_elses(many: ThreadPoolExecutor) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    first = many.submit(there.of, "x")
    answer = storage.asked()
    there.forget("x")
    second = many.submit(there.of, "x")
    answer.set_result({"a": ONE})
    assert first.result(20) == {"a": ONE}
    storage.asked().set_result({"a": TWO})
    assert second.result(20) == {"a": TWO}


def test_a_part_is_asked_for_again_by_itself(many: ThreadPoolExecutor) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    there.renew("x", "a.", lambda: pytest.fail("nothing is known that could be old"))
    asks = many.submit(there.of, "x")
    storage.asked().set_result({"a": ONE, "a.gone": ONE, "a.other": ONE, "b": ONE})
    asks.result(20)
    there.renew("x", "a.", lambda: {"a.other": TWO, "a.new": TWO})
    assert there.of("x") == {"a": ONE, "a.other": TWO, "a.new": TWO, "b": ONE}


def test_an_answer_of_before_is_not_kept_when_a_part_is_asked_for_again(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    asks = many.submit(there.of, "x")
    of_before = storage.asked()
    there.renew("x", "a.", lambda: {})
    of_before.set_result({"a.gone": ONE})
    assert asks.result(20) == {"a.gone": ONE}
    again = many.submit(there.of, "x")
    storage.asked().set_result({})
    assert again.result(20) == {}


def test_that_it_was_away_stays_known_though_a_part_is_asked_for_again(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there = failed_once(storage, many)
    again = many.submit(there.of, "x")
    answer = storage.asked()
    there.renew("x", "a.", lambda: {})
    with pytest.raises(BarsAway, match="no answer"):
        many.submit(there.of, "x").result(20)
    answer.set_result({})
    again.result(20)


def part_asked_for(
    storage: Storage, many: ThreadPoolExecutor, **known: Stamp
) -> tuple[Listings, Future[None], Future[dict[str, Stamp]]]:
    """Of what is known in `x` the part that begins with `a`; who asks for it, and the answer."""
    there = Listings(storage, kept_s=60)
    asks = many.submit(there.of, "x")
    storage.asked().set_result(known)
    asks.result(20)
    asks_again = many.submit(there.renew, "x", "a", lambda: storage("x"))
    return there, asks_again, storage.asked()


def test_what_is_written_and_dropped_while_a_part_is_asked_for_counts(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there, asks, answer = part_asked_for(storage, many, a=ONE, a_old=ONE, a_back=ONE, b=ONE)
    there.noted("x", "a", TWO)
    there.noted("x", "a_new", TWO)
    there.noted("x", "a_old", None)
    for stamp in (TWO, ONE):
        there.noted("x", "a_back", stamp)
    for passing in (TWO, None):
        there.noted("x", "a_passing", passing)
    of_before = {"a": ONE, "a_old": ONE, "a_back": TWO, "a_passing": TWO, "a_theirs": TWO}
    answer.set_result(of_before)
    asks.result(20)
    written = {"a": TWO, "a_new": TWO, "a_back": ONE}
    assert there.of("x") == {**written, "a_theirs": TWO, "b": ONE}
    there.renew("x", "a", lambda: {"a": ONE})
    assert there.of("x") == {"a": ONE, "b": ONE}, "that was written before it was asked for"


@pytest.mark.parametrize("seen", [ONE, TWO])
def test_what_was_read_while_a_part_was_asked_for_is_asked_for_anew_if_it_is_another(
    many: ThreadPoolExecutor, seen: Stamp
) -> None:
    storage = Storage()
    there, asks, answer = part_asked_for(storage, many, a=ONE, b=ONE)
    there.met("x", "a", TWO, instead_of=ONE)
    answer.set_result({"a": seen})
    asks.result(20)
    if seen == ONE:
        anew = many.submit(there.of, "x")
        storage.asked().set_result({"a": TWO})
        assert anew.result(20) == {"a": TWO}
    else:
        assert there.of("x") == {"a": TWO, "b": ONE}


def test_an_answer_about_a_part_does_not_count_where_all_was_asked_for_since(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there, asks, answer = part_asked_for(storage, many, a=ONE)
    there.forget("x")
    all_of_it = many.submit(there.of, "x")
    storage.asked().set_result({"a": TWO})
    assert all_of_it.result(20) == {"a": TWO}
    answer.set_result({"a": ONE})
    asks.result(20)
    assert there.of("x") == {"a": TWO}


def test_who_comes_after_a_part_was_asked_for_in_vain_hears_that_while_it_is_tried_again(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there, asks, answer = part_asked_for(storage, many, a=ONE)
    answer.set_exception(AWAY)
    with pytest.raises(BarsAway, match="no answer"):
        asks.result(20)
    there.renew("x", "a", lambda: pytest.fail("nothing is known that could be old"))
    again = many.submit(there.of, "x")
    answer = storage.asked()
    with pytest.raises(BarsAway, match="no answer"):
        many.submit(there.of, "x").result(20)
    answer.set_result({"a": TWO})
    assert again.result(20) == there.of("x") == {"a": TWO}


def test_what_was_read_is_known_unless_it_was_written_meanwhile(
    many: ThreadPoolExecutor,
) -> None:
    storage = Storage()
    there = Listings(storage, kept_s=60)
    asks = many.submit(there.of, "x")
    there_is = storage.asked()
    there.noted("x", "written", TWO)
    there.met("x", "written", ONE, instead_of=ONE)
    there.met("x", "read", TWO, instead_of=ONE)
    there_is.set_result({"written": ONE, "read": ONE, "others": ONE})
    assert asks.result(20) == {"written": TWO, "read": TWO, "others": ONE}
    there.noted("x", "read", ONE)
    there.met("x", "read", TWO, instead_of=TWO)
    there.met("x", "others", TWO, instead_of=ONE)
    assert there.of("x") == {"written": TWO, "read": ONE, "others": TWO}
