"""HTTP as far as a scaling process needs it: whole messages over kept-alive connections, passed on as they are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from reference_backend.ports import LOOPBACK

_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request or an answer: its first lines as they came, its headers by name (lower case), its body."""

    head: bytes
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def words(self) -> list[str]:
        """The words of the first line: method and target, or version and status."""
        return self.head.partition(b"\r\n")[0].decode("latin-1").split()

    def number(self, header: bytes, otherwise: int) -> int:
        """Return what a header says, as a number."""
        return int(self.headers.get(header, otherwise))


class Stream:
    """One connection, on which messages follow each other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> Stream:
        """Open a connection to a port of the loopback."""
        return cls(*await asyncio.open_connection(LOOPBACK, port, limit=_LONGEST_HEAD))

    async def read(self) -> Message | None:
        """Return the next message; None if the other side closes the connection before it is whole."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            headers = {}
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                headers[name.strip().lower()] = value.strip()
            body = await self._reader.readexactly(int(headers.get(b"content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None
        return Message(head=head, headers=headers, body=body)

    def send(self, data: bytes) -> None:
        """Send something; one who has gone does not get it."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def ask(self, request: bytes) -> Message | None:
        """Send a request and return its answer, None if there is none."""
        self.send(request)
        return await self.read()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()
