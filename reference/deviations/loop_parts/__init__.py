"""What edited loops import where an edit would be too long for the loop itself.

In reading order: `order.py` (loaders and the order of the rows), `inputs.py` (the data in another
form), `optimizer.py` (parameters and schedules), `scores.py` (evaluations and their scores),
`shares.py` (what each of several processes gets of the batches).
"""

from reference.deviations.loop_parts.inputs import (
    PaddingLeft,
    class_weights,
    collator_with,
    cut_at,
    sentences_swapped,
    truncated_left,
)
from reference.deviations.loop_parts.optimizer import (
    in_modules,
    linear_as,
    restart_schedule,
)
from reference.deviations.loop_parts.order import (
    FromTheFirstBatch,
    PaddedWithRepeats,
    SameOrder,
    dataloader_with,
    seed_as_a_new_process,
    seeded_sampler,
)
from reference.deviations.loop_parts.scores import AverageOfBatches, OtherF1, is_due
from reference.deviations.loop_parts.shares import (
    BatchAhead,
    DealtInTurn,
    OwnOrder,
    shared_anew,
)

__all__ = (
    "AverageOfBatches",
    "BatchAhead",
    "DealtInTurn",
    "FromTheFirstBatch",
    "OtherF1",
    "OwnOrder",
    "PaddedWithRepeats",
    "PaddingLeft",
    "SameOrder",
    "class_weights",
    "collator_with",
    "cut_at",
    "dataloader_with",
    "in_modules",
    "is_due",
    "linear_as",
    "restart_schedule",
    "seed_as_a_new_process",
    "seeded_sampler",
    "sentences_swapped",
    "shared_anew",
    "truncated_left",
)
