"""A ledger's writer for other people's training: a full disk ends the ledger, not the training."""

import mmap
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reference.ledger.record import Record, Writer, encode
from reference.messages import say


class TolerantWriter:
    """Appends whole records until one can't be written; then says so, once, and keeps still.

    The file is begun with the first record, and the header made then. A process that was forked
    from this one writes nothing; that it trains is noted where this one sees it.

    `steps` says how many are in the ledger, and `lost` why no more are, if so.

    Args:
        path: of the new ledger.
        header: makes what the ledger says of the run.
    """

    def __init__(self, path: Path, header: Callable[[], Record]) -> None:
        self._path = path.absolute()  # the program may change directory
        self._header = header
        self._process = os.getpid()
        self._trains_in_a_child = mmap.mmap(-1, 1)  # memory that forked processes share
        self._one_at_a_time = threading.RLock()
        self._writer: Writer | None = None
        self.steps = 0  # the last that is in the ledger
        self.lost = ""  # why nothing more is written
        self.holds_an_end_alone = False  # and the header: nothing was seen

    @property
    def trains_in_a_child(self) -> bool:
        """Whether a process that was forked from this one trains."""
        return self._trains_in_a_child[0] != 0

    def write(self, record: Record) -> None:
        """Write a record, if that is still possible."""
        if os.getpid() != self._process:
            if record["kind"] == "step":
                self._trains_in_a_child[0] = 1
            return
        with self._one_at_a_time:  # the program may train in several threads
            if self.lost:
                self._write_end(record)
            else:
                self._write(record)

    def close(self) -> None:
        """Close the file, if it was begun."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()

    def _write(self, record: Record) -> None:
        size = None
        try:
            is_first = self._writer is None
            if self._writer is None:
                self._writer = self._begin()
            size = os.path.getsize(self._path)
            self._writer.write(record)
        except OSError as error:
            if size is not None:
                self._cut(size)
            self._lose(error)
            return
        self.holds_an_end_alone = is_first and record["kind"] == "end"
        if record["kind"] == "step":
            self.steps = record["step"]

    def _begin(self) -> Writer:
        """The file with its header. Raises OSError, and leaves no file without one behind."""
        header = self._header()
        try:
            return Writer(self._path, header)
        except FileExistsError:
            raise  # it is another run's
        except OSError:
            with suppress(OSError):
                self._path.unlink()
            raise

    def _write_end(self, record: Record) -> None:
        """The end of a ledger that was lost: there may be room for it where the cut record was."""
        if record["kind"] != "end" or self._writer is None:
            return
        end = {"kind": "end", "complete": False, "steps": record["steps"], "weights": ""}
        line = encode({**end, "recorded": self.steps, "lost": self.lost})
        with suppress(OSError):
            size = os.path.getsize(self._path)
            # Opened anew: the writer's own place in the file is behind the cut.
            with suppress(OSError), open(self._path, "ab", buffering=0) as file:
                if file.write(line) == len(line):
                    return
            self._cut(size)

    def _cut(self, size: int) -> None:
        """Leave whole lines only."""
        with suppress(OSError):
            os.truncate(self._path, size)

    def _lose(self, error: OSError) -> None:
        self.lost = error.strerror or str(error)
        say(
            f"{self._path}: {self.lost}; the training goes on, and the ledger ends after step "
            f"{self.steps}"
        )
