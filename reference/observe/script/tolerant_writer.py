"""A ledger's writer for other people's training: a full disk ends the ledger, not the training.

python -m reference observe train.py
"""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reference.ledger.record import Record, Writer
from reference.messages import say


class PatientWriter(Writer):
    """Appends whole records until one can't be written; then says so, once, and keeps still.

    The file is begun with the first record, and the header made then. A process that was forked
    from this one writes nothing.
    """

    def __init__(self, path: Path, header: Callable[[], Record]) -> None:
        self._path = path.absolute()  # the program may change directory
        self._make_header = header
        self._process = os.getpid()
        self._one_at_a_time = threading.RLock()
        self._begun = False
        self._steps = 0
        self._lost: str | None = None  # why nothing more is written

    def write(self, record: Record) -> None:
        if os.getpid() != self._process:
            return
        with self._one_at_a_time:  # the program may train in several threads
            self._write(record)

    def _write(self, record: Record) -> None:
        if not self._begun:
            self._begun = True
            try:
                super().__init__(self._path, self._make_header())  # which comes here again
            except OSError as error:
                self._lose(error)
        if self._lost is None:
            self._append(record)
        elif record["kind"] == "end" and hasattr(self, "_file"):
            # As short as it can be: there may be room for it where the cut record was.
            told = {"weights": "", "recorded": self._steps, "lost": self._lost}
            self._append({"kind": "end", "complete": False, "steps": record["steps"], **told})

    def close(self) -> None:
        if hasattr(self, "_file"):
            with suppress(OSError):
                super().close()

    def _append(self, record: Record) -> None:
        start = self._file.tell()
        try:
            super().write(record)
            self._check_whole()
        except OSError as error:
            self._cut(start)
            self._lose(error)
            return
        if record["kind"] == "step":
            self._steps = record["step"]

    def _check_whole(self) -> None:
        """Raise OSError if the last line was cut: a nearly full disk takes a part, in silence."""
        with open(self._path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _cut(self, size: int) -> None:
        """Leave whole lines only."""
        with suppress(OSError):
            self._file.truncate(size)
            self._file.seek(size)

    def _lose(self, error: OSError) -> None:
        if self._lost is not None:
            return  # said before
        self._lost = error.strerror or str(error)
        say(
            f"{self._path}: {self._lost}; the training goes on, and the ledger ends after step "
            f"{self._steps}"
        )
