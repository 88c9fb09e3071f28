"""The two marks that stand in a list of a ledger where a parameter has no value of its own."""

ABSENT = "-"  # no gradient, no hash, no rate: the parameter took no part in this step
NO_GROUP = "x"  # no group of the optimizer has the parameter


def is_value(entry: object) -> bool:
    """Whether an entry of a list is a group's number, a rate or a hash, and not a mark.

    Args:
        entry: One entry of `of`, `tensors` or a list of learning rates.
    """
    return entry not in (ABSENT, NO_GROUP)
