"""Which evaluation of A's is held against one of B's, and those that one of them makes alone."""

from reference.ledger.link_table import METRICS
from reference.ledger.record import Record
from reference.lockstep.evaluations import unequal_fields
from reference.lockstep.notes import Notes
from reference.lockstep.stream import Stream
from reference.lockstep.watcher import Watcher


class EvaluationPairs:
    """Evaluations of both, in their order.

    Attributes:
        scores: Of the last evaluation, A's and B's.
    """

    def __init__(self, watcher: Watcher, stream: Stream, notes: Notes) -> None:
        self._watcher, self._stream, self._notes = watcher, stream, notes
        self.scores: list[Record] = [{}, {}]

    def compare(self, ours: Record) -> None:
        """One of B's, with A's of the same place."""
        step = self._watcher.step
        event = self._stream.seek(
            "evaluation", step=step, until=lambda e: e.kind == "pass" and e.record["step"] == step
        )
        if event is None:
            self._notes.unequal(step, METRICS, "evaluations", 0, 1, soft=True)
            return
        records = event.record["record"], ours
        self.scores = [record[METRICS]["scores"] for record in records]
        for field, left, right, matters in unequal_fields(*records, is_first=step == 1):
            self._notes.unequal(step, METRICS, field, left, right, soft=not matters)

    def note_those_of_a(self) -> None:
        """Those that have come by now and that no evaluation of B's was held against."""
        for event in self._stream.left_over("evaluation"):
            self._notes.unequal(event.record["step"], METRICS, "evaluations", 1, 0, soft=True)
