"""What the two sides and their parent say to each other: a JSON object, and raw bytes behind it.

Nothing is pickled. Bytes are named by their hash, and those that the other side got a while ago
aren't sent again: a batch goes from the loader into the model, a generator stands still.
"""

import json
import select
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from reference.ledger.record import Record

Bytes = bytes | bytearray | memoryview
HEADER = struct.Struct("<QQ")  # the lengths of the JSON, and of the bytes behind it
KEPT = 256  # pieces of bytes that the other side still has
KEPT_BYTES = 1 << 28
LARGE = 1 << 20
LONG = 1.0  # seconds of waiting that somebody is told of


class PeerGone(Exception):
    """The other end of a connection has ended."""


class _Kept:
    """The last pieces that went over, in order: both ends forget the same ones at the same time."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[str, tuple[int, Bytes]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._pieces

    def __getitem__(self, name: str) -> Bytes:
        return self._pieces[name][1]

    def add(self, name: str, size: int, piece: Bytes) -> None:
        self._pieces[name] = size, piece
        self._bytes += size

    def forget(self) -> None:
        """The oldest, until no more are left than are kept."""
        while self._pieces and (len(self._pieces) > KEPT or self._bytes > KEPT_BYTES):
            _, (size, _piece) = self._pieces.popitem(last=False)
            self._bytes -= size


class Connection:
    """One end of a socket between two processes of this package."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sent, self._got = _Kept(), _Kept()
        self.on_wait: Callable[[bool], None] | None = None  # told of waiting, and of its end

    def send(self, record: Record, pieces: Mapping[str, Bytes] | None = None) -> None:
        """Send a record, and the pieces of bytes that it names by their hashes.

        Raises:
            PeerGone: nobody is there to take it.
        """
        pieces = pieces or {}
        fresh = {name: piece for name, piece in pieces.items() if name not in self._sent}
        named = [[name, len(fresh[name]) if name in fresh else -1] for name in pieces]
        text = json.dumps({**record, "pieces": named} if named else record).encode()
        try:
            size = sum(map(len, fresh.values()))
            if size <= LARGE:
                self._send(b"".join([HEADER.pack(len(text), size), text, *fresh.values()]))
            else:
                self._send(HEADER.pack(len(text), size) + text)
                for piece in fresh.values():
                    self._send(piece)
        except OSError:
            raise PeerGone from None
        for name, piece in fresh.items():
            self._sent.add(name, len(piece), b"")
        self._sent.forget()

    def receive(self) -> tuple[Record, dict[str, Bytes]]:
        """The next record, and its pieces by name.

        Raises:
            PeerGone: the other end has ended.
        """
        self._wait()
        lengths = HEADER.unpack(self._read(HEADER.size))
        record: dict[str, Any] = json.loads(bytes(self._read(lengths[0])))
        body = memoryview(self._read(lengths[1]))
        pieces: dict[str, Bytes] = {}
        start = 0
        for name, length in record.pop("pieces", []):
            if length >= 0:
                self._got.add(name, length, body[start : start + length])
                start += length
            pieces[name] = self._got[name]
        self._got.forget()
        return record, pieces

    def close(self) -> None:
        """Nothing more is sent or received."""
        self._socket.close()

    def _send(self, data: Bytes) -> None:
        """All of it: the other end may be long in taking it, and that is waiting, too."""
        view, waits = memoryview(data), False
        while view:
            if not waits and self.on_wait is not None:
                waits = not select.select([], [self._socket], [], LONG)[1]
                if waits:
                    self.on_wait(True)
            select.select([], [self._socket], [])
            try:
                view = view[self._socket.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
        if waits and self.on_wait is not None:
            self.on_wait(False)

    def _wait(self) -> None:
        """Until there is something to read."""
        if self.on_wait is None or select.select([self._socket], [], [], LONG)[0]:
            return
        self.on_wait(True)
        select.select([self._socket], [], [])
        self.on_wait(False)

    def _read(self, length: int) -> bytearray:
        buffer = bytearray(length)
        view, done = memoryview(buffer), 0
        while done < length:
            try:
                count = self._socket.recv_into(view[done:])
            except OSError:
                raise PeerGone from None
            if count == 0:
                raise PeerGone
            done += count
        return buffer
