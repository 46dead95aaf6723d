"""Slack's upload of files in three steps, and the time that it takes afterwards."""

import json
from collections.abc import Callable
from typing import Any

from tests.servers.chat import Row
from tests.servers.slack_messages import Arguments, Messages, Refused, share
from tests.servers.slack_store import StoredFile


class Files:
    """Files by their ids. A file that is complete is still of no use for a while."""

    def __init__(self, accepted: Callable[[str], None]) -> None:
        self.files: dict[str, StoredFile] = {}
        self.unready_polls = 0
        self.shares_files = True
        self._accepted = accepted

    def begin(self, arguments: Arguments, url: str) -> Row:
        """An address to send the bytes to."""
        name, length = arguments.get("filename"), str(arguments.get("length", ""))
        if not name or not length.isdigit() or int(length) == 0:
            raise Refused("invalid_arguments")
        file_id = f"F{len(self.files) + 1:010}"
        alt_text = arguments.get("alt_txt")
        self.files[file_id] = StoredFile(
            file_id, str(name), int(length), self.unready_polls, alt_text
        )
        return {"upload_url": f"{url}/upload/v1/{file_id}", "file_id": file_id}

    def receive(self, file_id: str, data: bytes) -> bool:
        """The bytes, if they are as many as was said."""
        file = self.files.get(file_id)
        if file is None or file.is_complete or len(data) != file.length:
            return False
        file.data = data
        self._accepted("files.upload")
        return True

    def complete(self, arguments: Arguments, scopes: frozenset[str], messages: Messages) -> Row:
        """Keep the files; with a channel, show them there, which at times does not happen."""
        files = [(self._sent(entry), entry) for entry in _entries(arguments.get("files"))]
        where = arguments.get("channel_id")
        channel = messages.channel({"channel": where}, scopes, "") if where else None
        if channel is not None and not channel.is_member:
            raise Refused("not_in_channel")
        for file, entry in files:
            file.is_complete, file.title = True, entry.get("title")
            if channel is not None and self.shares_files:
                share(messages, channel, file, str(arguments.get("initial_comment") or ""))
        self._accepted("files.completeUploadExternal")
        return {"files": [{"id": file.id, "title": file.title} for file, _ in files]}

    def info(self, arguments: Arguments) -> Row:
        """The file as it is; each look brings it nearer to being ready."""
        file = self.files.get(str(arguments.get("file")))
        if file is None or not file.is_complete:
            raise Refused("file_not_found")
        told = file.wire()
        file.polls_left -= 1
        return {"file": told}

    def _sent(self, entry: Row) -> StoredFile:
        file = self.files.get(str(entry.get("id")))
        if file is None or file.data is None:
            raise Refused("file_not_found")
        return file


def _entries(files: Any) -> list[Row]:
    try:
        found = json.loads(files) if isinstance(files, str) else files
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(f, dict) for f in found):
        raise Refused("invalid_arguments")
    return found
