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

    def remember(self, record: Record, step: int) -> None:
        """One more step, as it stands in the ledger."""
        self.zeroed = record.get("zeroed")
        self.arguments = arguments(record)
        self.settings.update(record.get("settings") or {})
        if len(self.batches) < MOST:
            key = batch_key(record)
            if key is not None:
                self.batches.setdefault(key, step)
                self.rows.update(row for each in rows_by_name(record).values() for row in each)
            update = record.get("update") or {}
            if "hash" in update:
                self.updates[update["hash"]] = step


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
