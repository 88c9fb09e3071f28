"""What A says, as B reads it: events in their order, taken by their kind."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.packing import unpack_all
from reference.lockstep.wire import Bytes, Connection

STAYS = ("loader", "end")  # what isn't over with its step


@dataclass
class Event:
    """One thing that A did."""

    kind: str
    record: Record
    pieces: dict[str, Bytes]

    @property
    def number(self) -> int:
        """Of the pass, in its step."""
        return int(self.record["pass"])


class Stream:
    """A's events. A waits at some of them until it is let go on."""

    def __init__(self, peer: Connection) -> None:
        self._peer = peer
        self.wanted: Callable[[], int | None] = lambda: None  # A's loader whose batches B takes
        self.watches_clips = True  # A is to say what its clips find and leave
        self._events: deque[Event] = deque()
        self._parked: Event | None = None

    @property
    def ended(self) -> Event | None:
        """Where A's script has ended."""
        parked = self._parked
        return parked if parked is not None and parked.kind == "end" else None

    def seek(
        self,
        kind: str,
        *,
        step: int,
        skip: Sequence[str] = (),
        until: Callable[[Event], bool] = lambda _: False,
        fits: Callable[[Event], bool] = lambda _: True,
        take: bool = True,
    ) -> Event | None:
        """The next event of a kind; None where A waits before there is one.

        Args:
            kind: Of the event.
            step: In which it is.
            skip: Kinds at which A may wait, and is let go on.
            until: Says of an event that none comes after it.
            fits: Says of an event of that kind whether it is the one.
            take: It is over with that; else it may be sought again.
        """
        while True:
            for event in self._events:
                if event.record["step"] == step or event.kind in STAYS:
                    if event.kind == kind and fits(event):
                        if take:
                            self._events.remove(event)
                        return event
                    if until(event):
                        return None
            if self._parked is not None:
                if self._parked.kind in skip:
                    self.release()
                    continue
                return None
            self._receive()

    def left_over(self, kind: str) -> list[Event]:
        """Those of a kind that are there and that nothing of B's was held against; they go."""
        found = [event for event in self._events if event.kind == kind]
        self._events = deque(event for event in self._events if event.kind != kind)
        return found

    def wait(self) -> None:
        """Until A waits."""
        while self._parked is None:
            self._receive()

    def release(self) -> None:
        """Let A go on, if it waits."""
        parked, self._parked = self._parked, None
        if parked is None:
            return
        if parked.kind != "end" and parked in self._events:
            self._events.remove(parked)
        self._peer.send({"go": True, "loader": self.wanted(), "clips": self.watches_clips})

    def forget(self, step: int, *, takes_batches: bool) -> None:
        """A step is over: what is left of it has no counterpart.

        Args:
            step: The one that is over.
            takes_batches: B takes A's batches from a loader; else nobody will ask for those.
        """
        stays = STAYS if takes_batches else ("end",)
        kept = (e for e in self._events if e.kind in stays or e.record["step"] > step)
        self._events = deque(kept)

    def ask(self, **request: object) -> dict[str, Tensor]:
        """A's tensors by name, when it waits."""
        record, pieces = self._ask(request)
        return unpack_all(record["tensors"], pieces)

    def ask_record(self, **request: object) -> Record:
        """What A says of itself, when it waits."""
        answer: Record = self._ask(request)[0]["record"]
        return answer

    def _ask(self, request: Record) -> tuple[Record, dict[str, Bytes]]:
        self.wait()
        self._peer.send(request)
        return self._peer.receive()

    def _receive(self) -> None:
        record, pieces = self._peer.receive()
        event = Event(record["kind"], record, pieces)
        self._events.append(event)
        if record["parks"]:
            self._parked = event
