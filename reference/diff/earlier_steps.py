"""What earlier steps of a run had, by which a later one is known again."""

from dataclasses import dataclass, field
from typing import Any

from reference.diff.argument_differences import Passes, arguments
from reference.diff.batch_differences import rows
from reference.ledger.record import Record

MOST = 1 << 16  # steps that are remembered, of each run
MOST_ROWS = 1 << 18  # rows of their inputs, as short hashes


@dataclass
class Earlier:
    """What earlier steps of one run had, by which a later one is known again.

    Attributes:
        batches: The first step of each batch.
        rows: Short hashes of the rows of any input.
        updates: The last step of each update.
        complete: No step or row was left out, as there were too many.
        zeroed: Whether the last step left no gradients.
        arguments: Those of the last step.
        settings: All, by name.
        generators: By step how the global generators stood.
        still: How often nothing was drawn between two steps.
    """

    batches: dict[Any, int] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)
    updates: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    zeroed: bool | None = None
    arguments: Passes = ()
    settings: Record = field(default_factory=dict)
    generators: dict[int, int] = field(default_factory=dict)
    still: int = 0
    _after: int | None = None

    def remember(self, record: Record, step: int) -> None:
        """One more step, as it stands in the ledger."""
        self.zeroed = record.get("zeroed")
        self.arguments = arguments(record)
        self.settings.update(record.get("settings") or {})
        now = generators(record)
        self.still += now is not None and now == self._after
        self._after = None if _drew(record) else now
        if now is not None and len(self.generators) < MOST:
            self.generators[step] = now
        key = batch_key(record)
        if key is not None:
            self._remember_batch(key, record, step)
        update = record.get("update") or {}
        if "hash" in update and (len(self.updates) < MOST or update["hash"] in self.updates):
            self.updates[update["hash"]] = step

    def _remember_batch(self, key: Any, record: Record, step: int) -> None:
        """Its rows all together or not at all."""
        fresh = {row for each in rows_by_name(record).values() for row in each} - self.rows
        is_new = key not in self.batches
        if (is_new and len(self.batches) == MOST) or len(self.rows) + len(fresh) > MOST_ROWS:
            self.complete = False
            return
        self.batches.setdefault(key, step)
        self.rows.update(fresh)


def generators(record: Record) -> int | None:
    """How all generators stood before a step, as one number; None where nobody looked."""
    states = [(name, value[0]) for name, value in sorted((record.get("rng") or {}).items())]
    return hash(tuple(states)) if states else None


def _drew(record: Record) -> bool:
    return any(value[1] for value in (record.get("rng") or {}).values())


def batch_key(record: Record) -> Any:
    """What two batches have in common that are the same, in whatever order; None without inputs."""
    passes = sorted(_inputs(each) for each in record.get("batch") or [])
    return hash(tuple(passes)) if any(passes) else None


def _inputs(forward_pass: Record) -> tuple[tuple[str, ...], ...]:
    """By name the inputs of one pass, as hash and shape."""
    inputs = forward_pass.items()
    return tuple((name, *map(str, v[:2])) for name, v in inputs if type(v) is list)


def rows_by_name(record: Record) -> dict[str, list[str]]:
    """By name the rows of the first pass's inputs, as short hashes."""
    first = (record.get("batch") or [{}])[0]
    return {name: rows(value) for name, value in first.items() if type(value) is list}
