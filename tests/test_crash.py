"""SIGKILL at every step of publishing and delivering; `python -m bench.crash` runs hundreds."""

import pytest

from tests.crash.runs import DEATHS, crashes, main

SEEDS = range(16)


@pytest.mark.timeout(120)
async def test_whenever_it_is_killed_each_channel_has_one_digest_with_the_newest_content() -> None:
    told = await main(SEEDS, lambda run: None)
    assert len(told) == len(SEEDS)
    assert {problem for run in told for problem in run.problems} == set()
    died = [how for run in told for how in run.deaths]
    assert {how for how in DEATHS if any(d.startswith(how) for d in died)} == set(DEATHS)


async def test_the_judge_of_these_runs_sees_a_second_message_and_a_lost_edit() -> None:
    """What would be wrong is called wrong: otherwise the runs above prove nothing."""
    async with crashes() as running:
        told = await running.run(1000)
        assert told.problems == []
        channel = 200_000_000_000_000_000 + 10 * 1000 + 1
        (digest,) = running.discord.messages(channel)
        running.discord.channel(channel).messages.append(digest)
        assert running._wrong([channel], []) == [f"discord:{channel}: 2 messages"]
        running.discord.channel(channel).messages.pop()
        digest.embeds, digest.content = [], "GONE"
        assert "does not read as it should" in running._wrong([channel], [])[0]
