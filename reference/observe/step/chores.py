"""What a loop does beside the links of a step, as far as hooks see it: the field `chores`.

Whether it zeroed gradients before it added to them, how often it clipped and to what, how far its
schedulers have come, by what it scaled each loss, and what the optimizer's state held at its first
step. No link: where one of these does something, it shows in the links. `check` reads it.
"""

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.record import Record
from reference.observe.step.describe import number
from reference.observe.step.schedulers import Count
from reference.observe.tensors.shards import PLAIN

UNKNOWN = "unknown"
MOST_CLIPS = 8  # calls that are kept of one step
CLOSE = 1e-5  # how far the sum of probabilities is from 1 in float32


@dataclass
class Chores:
    """What was seen so far of one step."""

    looked: bool = False  # for old gradients, before anything was added to them
    clips: list[Record] = field(default_factory=list)
    unzeroed: int | str = 0
    state: Record | None = None  # of an optimizer in its first step
    rewritten: int = 0  # times that gradients were changed between its backward passes
    drew_before: bool = False  # whether somebody drew numbers since the step before
    probabilities: int = 0  # calls of a cross entropy that were given what a softmax made
    counts: list[Count] = field(default_factory=list)

    def add_clip(self, parameters: Any, bound: Any, total: Any, backward_passes: int) -> None:
        """A call that clips by the norm of all gradients that it gets.

        Args:
            parameters: Those that it gets: none, say, of a generator that was used up.
            bound: Of the norm.
            total: The norm that it found. That of shards is another process's, too: left out.
            backward_passes: Of this step, that came before it.
        """
        if len(self.clips) < MOST_CLIPS:
            known = {"norm": number(total)} if type(total) in (*PLAIN, float) else {}
            none = {"tensors": 0} if isinstance(parameters, Sized) and not len(parameters) else {}
            after = {"backward_passes": backward_passes}
            self.clips.append({"bound": number(float(bound)), **known, **none, **after})

    def set_unzeroed(self, count: int, *, may_be_left: bool) -> None:
        """How many of the optimizer's parameters had gradients left from before.

        Args:
            count: Of those that were seen.
            may_be_left: Not all gradients were zero when the last step was written.
        """
        self.unzeroed = count if self.looked or not may_be_left else UNKNOWN

    def record(self, scales: list[float | None], padded: list[int]) -> Record:
        """As the ledger has it: without what is as in any plain loop.

        Args:
            scales: Of each pass that by which its loss was multiplied, as autograd found it.
            padded: Of each pass the padding that no mask marks.
        """
        record: Record = {}
        if self.unzeroed:
            record["unzeroed"] = self.unzeroed
        if self.state is not None:
            record["state"] = self.state
        if self.clips:
            record["clips"] = self.clips
        if self.counts:
            record["schedulers"] = [count.record() for count in self.counts]
        if any(scale is not None for scale in scales) and scales != [1.0]:
            record["scales"] = [None if scale is None else number(scale) for scale in scales]
        if self.rewritten:
            record["rewritten"] = self.rewritten
        if self.drew_before:
            record["drew_before"] = True
        if any(padded):
            record["padded"] = padded
        if self.probabilities:
            record["probabilities"] = self.probabilities
        return record


def state_of(optimizer: Optimizer) -> Record:
    """What an optimizer keeps: for how many parameters, and how many steps it counts."""
    states = [state for state in optimizer.state.values() if state]
    counts = [state["step"] for state in states[:1] if isinstance(state, dict) and "step" in state]
    steps = [int(count) for count in counts if isinstance(count, Tensor | int | float)]
    return {"parameters": len(states), **({"steps": steps[0]} if steps else {})}


def are_probabilities(module: torch.nn.Module, args: Sequence[Any]) -> bool:
    """Whether a cross entropy is given what a softmax made already; its first row tells."""
    given = args[0] if args else None
    if not isinstance(module, torch.nn.CrossEntropyLoss) or type(given) is not Tensor:
        return False
    if given.dim() != 2 or not given.numel() or given.is_meta:
        return False
    row = given[0].detach()
    return bool((row >= 0).all()) and abs(float(row.sum(dtype=torch.float64)) - 1) < CLOSE
