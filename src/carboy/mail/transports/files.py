"""Keeps messages as files, for development. `/dev/mail` shows them."""

import asyncio
import hashlib
import os
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from carboy.mail.transports.base import bytes_of, envelope_of


class MailFolder:
    """A folder with a file for each message, whose name begins with the message's date.

    Attributes:
        path: Where it is; it is made with the first message.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Return the names of the files, the newest message first."""
        return sorted((file.name for file in self.path.glob("*.eml")), reverse=True)

    def read(self, name: str) -> EmailMessage:
        """Return the message in a file of this name.

        Raises:
            FileNotFoundError: There is none.
        """
        if name not in self.names():
            raise FileNotFoundError(name)
        return message_from_bytes((self.path / name).read_bytes(), policy=policy.default)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / f"{name}.{os.getpid()}"
        partial.write_bytes(content)
        partial.replace(self.path / name)


class FilesTransport:
    """Writes each message to a folder. One that is sent again has the same name, and is there once."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        """Write a message to its file."""
        content = bytes_of(message, envelope_of(message))
        await asyncio.to_thread(self._folder.write, _name_of(message), content)


def _name_of(message: EmailMessage) -> str:
    # An id may hold anything, a slash among it.
    digest = hashlib.sha256(str(message["Message-ID"]).encode()).hexdigest()[:12]
    return f"{message['Date'].datetime:%Y%m%dT%H%M%S}-{digest}.eml"
