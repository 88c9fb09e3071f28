"""Whether a record contradicts itself: a hash or a norm that isn't that of its tensors."""

import math

from reference.diff.evidence import Contradiction, Sum
from reference.ledger.combined_hash import combine_listed
from reference.ledger.link_table import Holds, links_holding
from reference.ledger.record import Record

CLOSE = 1e-4  # relative: norms of the tensors are written with seven digits


def contradiction(record: Record, side: int) -> Contradiction | None:
    """The first link of a step that can't be as it was written: somebody edited it, or a disk did.

    Args:
        record: The step, as it stands in its ledger.
        side: Of which run it is.
    """
    for link in links_holding(Holds.TENSORS):
        value = record.get(link) or {}
        if "tensors" in value and "hash" in value:
            # After several calls of a closure it is the hash of each call's hash.
            several = link == "clip" and value.get("closure_calls", 0) > 1
            if not several and combine_listed(value["tensors"]) != value["hash"]:
                return Contradiction(side, record["step"], link, Sum.HASH)
        if "norms" in value and type(value.get("norm")) in (int, float):
            norm = math.hypot(*(float(norm) for norm in value["norms"].split()))
            if not math.isclose(norm, value["norm"], rel_tol=CLOSE) and math.isfinite(norm):
                return Contradiction(side, record["step"], link, Sum.NORM)
    return None
