"""What earlier steps of a run had, by which a later one is known again."""

from dataclasses import dataclass, field
from typing import Any

from reference.diff.argument_differences import Passes, arguments
from reference.diff.batch_differences import rows
from reference.ledger.record import Record

MOST = 1 << 16  # steps that are remembered, of each run


@dataclass
class Earlier:
    """What earlier steps of one run had, by which a later one is known again."""

    batches: dict[Any, int] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)  # of any input, as short hashes
    updates: dict[str, int] = field(default_factory=dict)
    zeroed: bool | None = None  # after the last step
    arguments: Passes = ()  # of the last step
    settings: Record = field(default_factory=dict)  # all, by name
    # By step how the global generators stood, and how often nothing was drawn between two steps.
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
        if len(self.batches) < MOST:
            if now is not None:
                self.generators[step] = now
            key = batch_key(record)
            if key is not None:
                self.batches.setdefault(key, step)
                self.rows.update(row for each in rows_by_name(record).values() for row in each)
            update = record.get("update") or {}
            if "hash" in update:
                self.updates[update["hash"]] = step


def generators(record: Record) -> int | None:
    """How all generators stood before a step, as one number; None where nobody looked."""
    states = [(name, value[0]) for name, value in sorted((record.get("rng") or {}).items())]
    return hash(tuple(states)) if states else None


def _drew(record: Record) -> bool:
    return any(value[1] for value in (record.get("rng") or {}).values())


def batch_key(record: Record) -> Any:
    """What two batches have in common that are the same; None without inputs."""
    passes = record.get("batch") or []
    inputs = [(n, *map(str, v[:2])) for each in passes for n, v in each.items() if type(v) is list]
    return hash(tuple(inputs)) if inputs else None


def rows_by_name(record: Record) -> dict[str, list[str]]:
    """By name the rows of the first pass's inputs, as short hashes."""
    first = (record.get("batch") or [{}])[0]
    return {name: rows(value) for name, value in first.items() if type(value) is list}
