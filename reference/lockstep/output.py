"""What two scripts print, each line with its side before it."""

import threading
from typing import IO, TextIO

CHUNK = 1 << 16


class Prefixed(threading.Thread):
    """Passes one stream of a script on, line by line.

    Of a progress bar, which overwrites its line, the last state is passed on.

    Args:
        source: What the script writes to.
        prefix: Before each line.
        out: Where the lines go.
    """

    def __init__(self, source: IO[bytes], prefix: str, out: TextIO) -> None:
        super().__init__(daemon=True)
        self._source, self._prefix, self._out = source, prefix, out
        self.count = 0  # of the lines; one that counts up is a sign of life

    def run(self) -> None:
        """Until the script ends."""
        with self._source:
            self._read()

    def _read(self) -> None:
        rest = b""
        while chunk := self._source.read1(CHUNK):  # type: ignore[attr-defined]
            *lines, rest = (rest + chunk).split(b"\n")
            self.count += 1
            for line in lines:
                self._pass_on(line)
            rest = rest[-CHUNK:]
        if rest.strip():
            self._pass_on(rest)

    def _pass_on(self, line: bytes) -> None:
        last = line.rstrip(b"\r").rpartition(b"\r")[2]
        text = last.decode(errors="replace")
        # In one piece: the other side's line may come at any time.
        self._out.write(f"{self._prefix}{text}\n")
        self._out.flush()
