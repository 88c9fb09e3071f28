"""What a side tells the process that started both."""

import torch

from reference.ledger.record import Record
from reference.lockstep.wire import Connection, PeerGone


class SeveralProcesses(Exception):
    """The script trains in more than one process."""


class Report:
    """One side's connection to the parent."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent

    def send(self, kind: str, record: Record) -> None:
        """Tell it; it may have ended."""
        try:
            self._parent.send({"kind": kind, **record})
        except PeerGone:
            raise SystemExit(143) from None

    def steps(self, count: int) -> None:
        """So many steps are done."""
        self.send("steps", {"steps": count})

    def check_processes(self) -> None:
        """Raise SeveralProcesses where this is one of several."""
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            count = distributed.get_world_size()
            if count > 1:
                raise SeveralProcesses(f"it is one of {count} processes")
