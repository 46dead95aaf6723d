"""Slack's modals: the triggers that open one, what may be in it, and what a submission does."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from slackblocks import _limits as limits

from tests.servers.chat import Row
from tests.servers.slack_asked import Asked
from tests.servers.slack_messages import Refused
from tests.servers.slack_parts import BlockProblem, Found, keys, string, text
from tests.servers.slack_rules import block_list_problems
from tests.servers.slack_store import StoredView

_KEYS = {
    *("type", "title", "submit", "close", "blocks", "private_metadata", "callback_id"),
    *("external_id", "clear_on_close", "notify_on_close", "submit_disabled"),
}
_MESSAGES_ONLY = ("table", "data_table", "data_visualization", "markdown", "file")

Arguments = Mapping[str, Any]


class Views:
    """Modals by their ids, and the triggers that may still open one."""

    def __init__(self, now: Callable[[], datetime], accepted: Callable[[str], None]) -> None:
        self.trigger_lifetime = timedelta(seconds=3)
        self.views: dict[str, StoredView] = {}
        self._now = now
        self._accepted = accepted
        self._triggers: dict[str, tuple[Asked, datetime]] = {}
        self._exchanged: set[str] = set()

    def issue(self, asked: Asked) -> str:
        """A trigger that opens one modal, soon."""
        trigger = f"{int(self._now().timestamp() * 1000)}.{secrets.token_hex(8)}"
        self._triggers[trigger] = (asked, self._now())
        return trigger

    def open(self, arguments: Arguments) -> Row:
        """Show a new modal to whoever pulled the trigger."""
        asked, trigger = self._pulled(arguments)
        body = _checked(arguments)
        # A view that is refused leaves the trigger as it was; a friendly guess.
        self._exchanged.add(trigger)
        view = self._stored(asked, body, None)
        asked.shows("view", body, view)
        self._accepted("views.open")
        return {"view": view.wire()}

    def push(self, arguments: Arguments) -> Row:
        """Show another on top of the one that the trigger came from."""
        asked, trigger = self._pulled(arguments)
        if not isinstance(asked.source, StoredView):
            raise Refused("not_found")
        body = _checked(arguments)
        self._exchanged.add(trigger)
        view = self._stored(asked, body, asked.source)
        asked.shows("view", body, view)
        self._accepted("views.push")
        return {"view": view.wire()}

    def update(self, arguments: Arguments) -> Row:
        """Let a modal say something else; a hash guards against a change in between."""
        view = self._found(arguments)
        if arguments.get("hash") not in (None, "", view.hash):
            raise Refused("hash_conflict")
        self._replace(view, _checked(arguments))
        self._accepted("views.update")
        return {"view": view.wire()}

    def concluded(self, asked: Asked, ack: Row) -> None:
        """What the answer to a submission makes of the modal; nothing said closes it."""
        view = asked.source
        assert isinstance(view, StoredView)
        try:
            self._conclude(asked, view, ack)
        except Refused as refused:
            asked.refusals.append(refused.body)

    def _conclude(self, asked: Asked, view: StoredView, ack: Row) -> None:
        action = ack.get("response_action")
        view.errors = {}
        if action is None:
            view.is_open = False
        elif action == "clear":
            for other in self.views.values():
                other.is_open = other.is_open and other.root_id != view.root_id
        elif action == "errors":
            view.errors = _errors(view, ack.get("errors"))
        elif action in ("update", "push"):
            body = _checked(ack)
            if action == "update":
                self._replace(view, body)
            else:
                view = self._stored(asked, body, view)
            asked.shows("view", body, view)
        else:
            raise Refused("invalid_response_action")

    def _pulled(self, arguments: Arguments) -> tuple[Asked, str]:
        trigger = str(arguments.get("trigger_id") or "")
        if trigger not in self._triggers:
            raise Refused("invalid_trigger_id")
        asked, born = self._triggers[trigger]
        if trigger in self._exchanged:
            raise Refused("exchanged_trigger_id")
        if self._now() - born > self.trigger_lifetime:
            raise Refused("expired_trigger_id")
        return asked, trigger

    def _stored(self, asked: Asked, body: Row, under: StoredView | None) -> StoredView:
        view_id = f"V{len(self.views) + 1:09}"
        root, previous = (under.root_id, under.id) if under is not None else (view_id, None)
        mark = self._mark()
        view = StoredView(view_id, asked.user_id, asked.channel_id, body, mark, root, previous)
        self.views[view_id] = view
        return view

    def _replace(self, view: StoredView, body: Row) -> None:
        view.body, view.hash, view.errors = body, self._mark(), {}

    def _found(self, arguments: Arguments) -> StoredView:
        named, outer = arguments.get("view_id"), arguments.get("external_id")
        for view in self.views.values():
            same = view.id == named or (outer and view.body.get("external_id") == outer)
            if same and view.is_open:
                return view
        raise Refused("not_found")

    def _mark(self) -> str:
        return f"{self._now().timestamp():.6f}.{secrets.token_hex(4)}"


def view_problems(view: Any) -> list[BlockProblem]:
    """All that Slack would refuse in a modal; nothing if it would not."""
    if not isinstance(view, dict):
        return [BlockProblem("/view", "must be an object")]
    return list(_view(view))


def _view(view: Row) -> Found:
    at = "/view"
    yield from keys(view, _KEYS, at)
    if view.get("type") != "modal":
        yield BlockProblem(f"{at}/type", "must be one of: modal")
    most = {"title": limits.VIEW_TITLE_MAX_LENGTH, "submit": limits.VIEW_SUBMIT_MAX_LENGTH}
    for name, longest in {**most, "close": limits.VIEW_CLOSE_MAX_LENGTH}.items():
        if name == "title" or view.get(name) is not None:
            yield from text(view.get(name), f"{at}/{name}", longest, plain=True)
    for name, longest in (
        ("private_metadata", limits.VIEW_PRIVATE_METADATA_MAX_LENGTH),
        ("callback_id", limits.VIEW_CALLBACK_ID_MAX_LENGTH),
        ("external_id", limits.VIEW_EXTERNAL_ID_MAX_LENGTH),
    ):
        if view.get(name) is not None:
            yield from string(view[name], f"{at}/{name}", longest, 0)
    yield from _blocks(view, f"{at}/blocks")


def _blocks(view: Row, at: str) -> Found:
    blocks = view.get("blocks")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        yield BlockProblem(at, "must be an array of blocks")
        return
    yield from block_list_problems(blocks, at, limits.VIEW_BLOCKS_MAX_ITEMS)
    for i, block in enumerate(blocks):
        if block.get("type") in _MESSAGES_ONLY:
            yield BlockProblem(f"{at}/{i}/type", f"unsupported type: {block['type']}")
    if view.get("submit") is None and any(block.get("type") == "input" for block in blocks):
        yield BlockProblem("/view", "submit is required when there is an input block")


def _checked(arguments: Arguments) -> Row:
    view = arguments.get("view")
    if isinstance(view, str):
        try:
            view = json.loads(view)
        except ValueError:
            view = None
    if found := view_problems(view):
        told = [f"[ERROR] {each.text} [json-pointer:{each.pointer}]" for each in found]
        raise Refused("invalid_arguments", response_metadata={"messages": told})
    assert isinstance(view, dict)
    return view


def _errors(view: StoredView, errors: Any) -> dict[str, str]:
    """They stand below inputs: any other place is a mistake."""
    inputs = set(_inputs(view))
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise Refused("invalid_errors", known=sorted(inputs), errors=errors)
    return {name: str(told) for name, told in errors.items()}


def _inputs(view: StoredView) -> Iterator[str]:
    for block in view.wire()["blocks"]:
        if block["type"] == "input":
            yield block["block_id"]
