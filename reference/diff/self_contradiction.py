"""A record that contradicts itself.

Used by `python -m reference diff A B`.
"""

import math

from reference.ledger.combined_hash import combine
from reference.ledger.link_table import Holds, links_holding
from reference.ledger.record import Record


def contradiction(record: Record) -> str:
    """Where a step's record can't be as it was written, or nothing.

    A hash or a norm that isn't its tensors': somebody edited it, or a disk did.
    """
    for link in links_holding(Holds.TENSORS):
        value = record.get(link) or {}
        if "tensors" in value and "hash" in value:
            called = link == "clip" and value.get("closure_calls", 0) > 1  # of each call's hash
            if not called and combine(value["tensors"].split()) != value["hash"]:
                return f"step {record.get('step')}, {link}: not its tensors' hash"
        if "norms" in value and type(value.get("norm")) in (int, float):
            norms = [float(norm) for norm in value["norms"].split()]
            whole = math.hypot(*norms)
            if not math.isclose(whole, value["norm"], rel_tol=1e-4) and math.isfinite(whole):
                return f"step {record.get('step')}, {link}: not its tensors' norm"
    return ""
