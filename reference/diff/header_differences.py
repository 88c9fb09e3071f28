"""What the headers of two ledgers say that may be why bits differ, or that must be named."""

from reference.diff.evidence import HeaderDifference
from reference.ledger.record import Record

# What must be equal for bits to be comparable at all: elsewhere they may differ with nothing wrong.
SURROUNDINGS = ("device", "num_threads", "versions", "platform", "cpu_capability", "world_size")
# What runs may differ in on purpose; named beside a verdict.
NAMED = ("schema", "data", "checkpoint")
# What the runs were told: named where they part.
TOLD = ("recipe", "arguments")


def what_was_told(header: Record) -> Record:
    """A run's recipe, and the arguments of a script."""
    program = header.get("program")
    told = {"recipe": header["recipe"]} if isinstance(header.get("recipe"), dict) else {}
    if isinstance(program, dict) and "argv" in program:
        return {**told, "arguments": program["argv"]}
    return told


def header_differences(
    left: Record, right: Record, fields: tuple[str, ...]
) -> list[HeaderDifference]:
    """Those of the fields that both headers have, and that are unequal in them."""
    return [
        HeaderDifference(field, left[field], right[field])
        for field in fields
        if field in left and field in right and left[field] != right[field]
    ]
