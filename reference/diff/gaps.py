"""What of two runs can't be compared, or is of one run alone: noted while they are read."""

from reference.diff.evaluation_differences import (
    goes_on_otherwise,
    is_padded_otherwise,
    left_out,
)
from reference.diff.notes import (
    GeneratedInOtherBatches,
    MissingLinks,
    MoreEvaluations,
    MoreRows,
    Note,
    NotLookedInto,
    OfOtherBatches,
    PaddedOtherwise,
    PassesOfOne,
    SetsInOtherOrder,
    UncalledParameters,
    UnknownFields,
    UnseenPass,
)
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record


class Gaps:
    """Sides are 0 for the first run and 1 for the second.

    Attributes:
        missing: Each link that a side lacks somewhere, and these sides.
        passes: The forward passes that one run alone makes, if any.
    """

    def __init__(self) -> None:
        self.missing: dict[str, set[int]] = {}
        self._unseen: dict[int, UnseenPass] = {}  # by side, the first
        self._unknown: dict[int, set[str]] = {}  # by side, fields of a newer schema
        self._uncalled: dict[int, UncalledParameters] = {}  # by side, the first
        self.passes: PassesOfOne | None = None
        self._evaluations: dict[int, MoreEvaluations] = {}  # by side, those of it alone
        self._rows: dict[int, int] = {}  # by side, how many it evaluated alone after the same ones
        # What equal ones leave unseen, by its kind and names, each once.
        self._in_evaluations: dict[tuple[str, ...], Note] = {}

    def both_have(self, link: str, pair: tuple[Record, Record]) -> bool:
        """Whether both steps have this link; a side that lacks it is noted."""
        for side, record in enumerate(pair):
            if record.get(link) is None:
                self._note(side, link, record)
        return all(record.get(link) is not None for record in pair)

    def has_unseen(self, pair: tuple[Record, Record]) -> bool:
        """Whether a pass of either evaluation couldn't be recorded: nothing of it is compared."""
        for side, record in enumerate(pair):
            if "unseen" in record:
                self._note(side, METRICS, record)
        return any("unseen" in record for record in pair)

    def note_older(self, pair: tuple[Record, Record]) -> None:
        """Notes an evaluation of schema 2, which is hashed in another way than the other's."""
        older = ["outputs" not in record[METRICS] for record in pair]
        if older[0] != older[1]:
            self._note(older.index(True), METRICS, pair[older.index(True)])

    def _note(self, side: int, link: str, record: Record) -> None:
        self.missing.setdefault(link, set()).add(side)
        if "unseen" in record:
            why = str(record["unseen"])
            unseen = UnseenPass(side, record["step"], link == METRICS, why)
            self._unseen.setdefault(side, unseen)

    def note_uncalled(self, pair: tuple[Record, Record]) -> None:
        """Notes the first step that moves parameters that none of its forward passes used."""
        for side, record in enumerate(pair):
            if "uncalled" in record and side not in self._uncalled:
                note = UncalledParameters(side, record["uncalled"], record["step"])
                self._uncalled[side] = note

    def add_passes(self, counts: tuple[int, int], step: int) -> None:
        """Notes how many forward passes of an equal step either run makes alone."""
        if any(counts):
            before = self.passes or PassesOfOne(0, 0, step)
            first, second = before.first + counts[0], before.second + counts[1]
            self.passes = PassesOfOne(first, second, before.step)

    def add_unknown(self, side: int, fields: tuple[str, ...]) -> None:
        """Notes fields of a newer schema that this one doesn't know."""
        if fields:
            self._unknown.setdefault(side, set()).update(fields)

    def add_evaluations(self, side: int, count: int, step: int) -> None:
        """Notes evaluations that one run made alone, after this step."""
        before = self._evaluations.get(side)
        first = before.step if before is not None else step
        count += before.count if before is not None else 0
        self._evaluations[side] = MoreEvaluations(side, count, first)

    @property
    def of_one_run(self) -> bool:
        """Whether a run evaluated what the other didn't: then not everything was compared."""
        return bool(self._evaluations or self._rows)

    def add_rows(self, side: int, count: int) -> None:
        """Notes rows that one run evaluated alone, after those of both."""
        self._rows[side] = self._rows.get(side, 0) + count

    def note_shifted(self, pair: tuple[Record, Record]) -> None:
        """Notes evaluations of which nobody can tell whether their rows are the same."""
        why = "no attention_mask says whether zeros before or after its rows are padding"
        for side, record in enumerate(pair):
            self._note(side, METRICS, {**record, "unseen": why})

    def note_other_order(self, step: int) -> None:
        """Notes that the sets of an evaluation come in another order."""
        self._in_evaluations.setdefault(("order",), SetsInOtherOrder(step))

    def note_evaluation(self, pair: tuple[Record, Record]) -> None:
        """Notes what of two equal evaluations can't be told to be equal."""
        left, right = (each[METRICS] for each in pair)
        step = pair[0]["step"]
        notes: dict[tuple[str, ...], Note] = {}
        if "outputs" not in left or "outputs" not in right:
            return
        if is_padded_otherwise(left, right):
            notes["padded",] = PaddedOtherwise(step)
        if goes_on_otherwise(left, right):
            notes["generated",] = GeneratedInOtherBatches(step)
        for name in {*left.get("not_looked_into", ()), *right.get("not_looked_into", ())}:
            notes["types", name] = NotLookedInto(name, step)
        names = tuple(left_out(left, right))
        if names:
            notes["batches", *names] = OfOtherBatches(names, step)
        for key, note in notes.items():
            self._in_evaluations.setdefault(key, note)

    def notes(self) -> list[Note]:
        """All of it; links that the same sides lack stand in one note."""
        of_sides: dict[tuple[int, ...], list[str]] = {}
        for link, sides in self.missing.items():
            of_sides.setdefault(tuple(sorted(sides)), []).append(link)
        return [
            *(MissingLinks(sides, tuple(links)) for sides, links in of_sides.items()),
            *self._unseen.values(),
            *self._uncalled.values(),
            *([self.passes] if self.passes is not None else []),
            *(UnknownFields(side, tuple(fields)) for side, fields in self._unknown.items()),
            *self._evaluations.values(),
            *(MoreRows(side, count) for side, count in self._rows.items()),
            *self._in_evaluations.values(),
        ]
