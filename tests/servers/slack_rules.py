"""What Slack accepts in a message: the limits of its documentation, without a server.

Block by block the limits are those of slackblocks' table, checked by hand; slack_sdk's own models
are asked for a second opinion. Lengths are counted in Unicode code points, as both libraries do;
Slack does not say what it counts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slackblocks import _limits as limits

from tests.servers.chat import Row
from tests.servers.slack_blocks import block_problems
from tests.servers.slack_parts import BlockProblem

TEXT, BLOCKS, BLOCK_CHARACTERS, METADATA_BYTES = 40_000, 50, 12_000, 8 * 1024
"""The third is what one can rely on: Slack refuses somewhere above 13,000 (bolt-js#2509)."""

_TABLES = ("table", "data_table")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that Slack refuses: its error, and what it says in response_metadata."""

    error: str
    message: str = ""

    def __str__(self) -> str:
        """Both."""
        return f"{self.error}: {self.message}" if self.message else self.error


def problems(payload: Row) -> list[str]:
    """All that Slack would refuse in the arguments of chat.postMessage; nothing if it would not."""
    return [str(problem) for problem in message_problems(payload)]


def message_problems(payload: Mapping[str, Any], *, edit: bool = False) -> list[Problem]:
    """The same, by errors; an edit may leave everything as it is."""
    return list(_message(payload, edit=edit))


def _message(payload: Mapping[str, Any], *, edit: bool) -> Iterator[Problem]:
    text, blocks = payload.get("text"), payload.get("blocks")
    if text is not None and not isinstance(text, str):
        yield Problem("invalid_arguments", "text must be a string")
        return
    if len(text or "") > TEXT:
        yield Problem("msg_too_long")
    if not (text or "").strip() and not blocks and not (edit and text is None):
        yield Problem("no_text")
    if blocks is not None:
        yield from _blocks(blocks)
    if payload.get("metadata"):
        yield from _metadata(payload["metadata"])


def _blocks(blocks: Any) -> Iterator[Problem]:
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        yield Problem("invalid_blocks_format")
        return
    yield from map(
        _invalid, block_list_problems(blocks, "/blocks", limits.MESSAGE_BLOCKS_MAX_ITEMS)
    )
    if sum(block.get("type") in _TABLES for block in blocks) > 1:
        yield Problem("invalid_attachments", "only_one_table_allowed")
    if characters(blocks) > BLOCK_CHARACTERS:
        yield Problem("msg_blocks_too_long")


def block_list_problems(blocks: list[Row], at: str, most: int) -> Iterator[BlockProblem]:
    """All that is wrong with the blocks of a message or a modal."""
    if len(blocks) > most:
        yield BlockProblem(at, f"no more than {most} items allowed")
    ids: set[str] = set()
    for i, block in enumerate(blocks):
        pointer = f"{at}/{i}"
        yield from list(block_problems(block, pointer)) or _second_opinion(block, pointer)
        block_id = block.get("block_id")
        if isinstance(block_id, str):
            if block_id in ids:
                yield BlockProblem(f"{pointer}/block_id", "block_id already exists")
            ids.add(block_id)


def characters(blocks: Any) -> int:
    """All that is to be read in blocks."""
    if isinstance(blocks, list):
        return sum(map(characters, blocks))
    if not isinstance(blocks, dict):
        return 0
    texts = [blocks.get(name) for name in ("text", "alt_text", "title")]
    own = sum(len(text) for text in texts if isinstance(text, str))
    return own + sum(map(characters, blocks.values()))


def _second_opinion(block: Row, pointer: str) -> Iterator[BlockProblem]:
    try:
        parsed = Block.parse(block)
        if parsed is not None:
            parsed.validate_json()
    except (SlackObjectFormationError, TypeError) as wrong:
        yield BlockProblem(pointer, str(wrong))


def _metadata(metadata: Any) -> Iterator[Problem]:
    kinds = {"event_type": str, "event_payload": dict}
    formed = isinstance(metadata, dict) and set(metadata) == set(kinds)
    if not formed or not all(isinstance(metadata[name], kinds[name]) for name in kinds):
        yield Problem("invalid_metadata_format")
    elif len(json.dumps(metadata).encode()) > METADATA_BYTES:
        yield Problem("metadata_too_large")


def _invalid(found: BlockProblem) -> Problem:
    return Problem("invalid_blocks", f"{found.text} [json-pointer:{found.pointer}]")
