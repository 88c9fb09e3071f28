"""What the headers of two ledgers say that may be why bits differ, or that must be named."""

from reference.diff.notes import HeaderDifference
from reference.ledger.record import Record

# What must be equal for bits to be comparable at all: elsewhere they may differ with nothing wrong.
SURROUNDINGS = ("device", "num_threads", "versions", "platform", "cpu_capability", "world_size")
# What runs may differ in on purpose; named beside a verdict.
NAMED = ("schema", "data", "checkpoint")


def header_differences(
    left: Record, right: Record, fields: tuple[str, ...]
) -> list[HeaderDifference]:
    """Those of the fields that both headers have, and that are unequal in them."""
    return [
        HeaderDifference(field, left[field], right[field])
        for field in fields
        if field in left and field in right and left[field] != right[field]
    ]
