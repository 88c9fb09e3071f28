"""Functions of other libraries that this project replaces while it runs: all of them, in one list.

What a library's own hooks don't tell is seen by putting a function in the place of one of its own,
which calls that one. Another release may have renamed it: `missing()` gives those that are gone,
and a test asks it.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Patch:
    """One attribute of a library's that is replaced or set, and where.

    Args:
        attribute: `module:Class.name`.
        seen_in: the releases in which this was tried.
        file: of this project, in which it is replaced.
        purpose: what for.
    """

    attribute: str
    seen_in: str
    file: str
    purpose: str


PATCHES = (
    Patch(
        "evaluate:EvaluationModule.compute",
        "evaluate 0.4.6",
        "reference/observe/script/evaluate_scores.py",
        "what it computes are an evaluation's scores",
    ),
    Patch(
        "torch.nn.utils.clip_grad:_clip_grads_with_norm_",
        "torch 2.13.0",
        "reference/observe/hooks/clip_calls.py",
        "to which bound gradients are clipped, also where that does nothing",
    ),
    *(
        Patch(
            f"torch:{function}",
            "torch 2.13.0",
            "reference/observe/hooks/loss_functions.py",
            "what losses that are functions are given in evaluations",
        )
        for function in (
            *(
                f"_C._nn.{name}"
                for name in (
                    *("binary_cross_entropy", "cross_entropy_loss", "huber_loss", "l1_loss"),
                    *("mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nll_loss_nd"),
                    *("smooth_l1_loss", "soft_margin_loss"),
                )
            ),
            *("binary_cross_entropy_with_logits", "cosine_embedding_loss", "ctc_loss"),
            *("hinge_embedding_loss", "kl_div", "margin_ranking_loss", "poisson_nll_loss"),
            "triplet_margin_loss",
        )
    ),
    Patch(
        "torch.utils.data:DataLoader.__iter__",
        "torch 2.13.0",
        "reference/observe/hooks/loaders.py",
        "where a set of rows begins that is evaluated",
    ),
    *(
        Patch(attribute, seen_in, "reference/observe/hooks/saved_weights.py", purpose)
        for attribute, seen_in, purpose in (
            ("torch:save", "torch 2.13.0", "the weights that a script writes"),
            ("torch:serialization.save", "torch 2.13.0", "the same"),
            ("safetensors.torch:serialize_file", "safetensors 0.8.0", "the same"),
        )
    ),
    Patch(
        "datasets:Dataset.__getitems__",
        "datasets 5.2.0",
        "reference/lesson/data/fetched_rows.py",
        "the rows of a batch, to be named where its loss isn't finite",
    ),
    Patch(
        "torch:Tensor.backward",
        "torch 2.11.0 and 2.13.0",
        "reference/deviation_matrix/one_run.py",
        "the loss as a loop would log it",
    ),
    Patch(
        "torch.optim.lr_scheduler:LambdaLR.get_lr",
        "torch 2.11.0 and 2.13.0",
        "reference/deviations/loop_parts/optimizer.py",
        "a schedule that is computed in another order",
    ),
    *(
        Patch(attribute, "torch 2.11.0 and 2.13.0", "reference/lockstep/torch_hooks.py", purpose)
        for attribute, purpose in (
            ("torch:autograd.backward", "where a backward pass begins and ends"),
            ("torch:nn.functional.cross_entropy", "its targets; and so with the other losses"),
            ("torch:nn.utils.clip_grad_norm_", "how gradients are clipped"),
            ("torch:nn.utils.clip_grad_value_", "the same"),
            (
                "torch.utils.data.dataloader:_BaseDataLoaderIter.__next__",
                "the batches that a loader gives",
            ),
        )
    ),
    Patch(
        "accelerate.state:PartialState._shared_state",
        "accelerate 1.15.0, with transformers 5.23.0",
        "reference/testing/global_state.py",
        "emptied before a training and put back after it, in a session of pytest",
    ),
)


def missing() -> list[str]:
    """The attributes of PATCHES that the installed libraries don't have."""
    return [patch.attribute for patch in PATCHES if not _is_there(patch.attribute)]


def _is_there(attribute: str) -> bool:
    module, _, path = attribute.partition(":")
    try:
        owner: Any = importlib.import_module(module)
        for name in path.split("."):
            owner = getattr(owner, name)
    except (ImportError, AttributeError):
        return False
    return True


@contextmanager
def patched(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Within it, `owner.name` is what `make` makes of it; afterwards it is what it was."""
    original = getattr(owner, name)
    setattr(owner, name, make(original))
    try:
        yield
    finally:
        setattr(owner, name, original)
