"""What another core reads while the training computes, so that it needn't wait for the ledger.

The weights during a forward pass, and the gradients during an optimizer's step: only where nothing
is known to change them meanwhile, and where it can be seen afterwards that nothing did.
Measured by `python -m pytest benchmarks -k observing`.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from reference.ledger.parallel import WORTH_IT, cores
from reference.ledger.parameters import Parameters
from reference.ledger.record import Record

# Their steps read gradients, and write none (a test holds them to it). Others scale them in place.
READERS = (Adam, AdamW, SGD)

# By which a change of weights is seen in no time: torch's counts of changes, and some bytes.
Marks = tuple[list[int], list[bytes | None]]


class Ahead:
    """Asks for hashes of the weights and gradients when they are there, or before."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._update = ""  # each weight's hash after the last update
        self._marks: Marks | None = None  # of the weights then
        self._kept = False  # whether they were still the same before the next forward pass
        self._failed = False  # a forward pass changed them, as it seems: none is read in again

    def after_update(self) -> Record:
        """The weights, now."""
        record = self._parameters.values()
        self._update = record["tensors"]
        self._marks = self._look() if has_free_core() else None
        return record

    def before_pass(self) -> Callable[[], Record]:
        """The weights as they are now; to be called for them when the forward pass is over.

        Read meanwhile only where nothing seems to have touched them since the last update, nor did
        in the step before. Where the hashes are the update's then, nothing has. Where they aren't,
        nobody knows when it was: the call raises RuntimeError.
        """
        marks = self._look() if has_free_core() and not self._failed else None
        if marks is None or marks != self._marks or not self._kept:
            return self._waited(marks)
        finish = self._parameters.begin_values()

        def settled() -> Record:
            record = finish()
            self._failed = record["tensors"] != self._update
            if self._failed:
                raise RuntimeError("weights were changed in part, before the pass or within it")
            return record

        return settled

    def _waited(self, marks: Marks | None) -> Callable[[], Record]:
        """Read at once; and is this a model that changes weights in its own forward pass?"""
        record = self._parameters.values()
        self._kept = record["tensors"] == self._update

        def watched() -> Record:
            self._failed = self._failed or (marks is not None and self._look() != marks)
            return record

        return watched

    def _look(self) -> Marks | None:
        """None for weights that another core isn't worth, or those of another device.

        Those are copied first, whoever hashes them.
        """
        tensors = self._parameters.tensors()
        size = sum(t.nbytes for t in tensors if t is not None and t.device.type == "cpu")
        if size < WORTH_IT or any(t is not None and t.device.type != "cpu" for t in tensors):
            return None
        return _versions(tensors), self._parameters.sample()

    def gradients(self, optimizer: Optimizer) -> Callable[[], tuple[list[str], list[float]]]:
        """As this optimizer gets them; to be called for them when its step is over."""
        if not (_only_reads(optimizer) and has_free_core()):
            found = self._parameters.gradients()
            return lambda: found
        gradients = [None if t is None else t.grad for t in self._parameters.tensors()]
        versions, finish = _versions(gradients), self._parameters.begin_gradients()

        def settled() -> tuple[list[str], list[float]]:
            if _versions(gradients) != versions:
                raise RuntimeError("the gradients were changed within the optimizer's step")
            return finish()

        return settled


def has_free_core() -> bool:
    """Whether the training leaves a core over, to read its memory meanwhile.

    Of several processes that train together this one can't tell; nor what they do to its memory.
    """
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.get_num_threads() < cores() and not together


def _only_reads(optimizer: Optimizer) -> bool:
    """Whether its step is torch's own, and no other hook comes between."""
    if type(optimizer) not in READERS or len(_global_optimizer_pre_hooks) > 1:
        return False
    hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    unscaled = getattr(optimizer, "grad_scale", None) is None  # a fused step divides in place
    return not hooks and len(_global_optimizer_post_hooks) == 1 and unscaled


def _versions(tensors: list[Tensor | None]) -> list[int]:
    """How often torch saw each changed in place; -1 for one that it doesn't count for."""
    return [-1 if t is None or t.is_inference() else t._version for t in tensors]
