"""Which calls of modules are forward passes that a ledger can hold, and what they are called with.

Used by the observer that `python -m reference train manual` runs under.
"""

import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin

from reference.observe.tensors.parameters import first_parameter, modules_of

# Torch's own frames between a global hook and the call that it is for: `_call_impl` and its
# `inner`, and ours.
NEAR = 8
NAMES_OF_CALL = ("inner", "_call_impl")


def computes_nothing(module: torch.nn.Module) -> bool:
    """Whether this call is traced, or made of tensors without values: no pass of any training."""
    first = first_parameter(module)
    return (
        torch._C._is_tracing()
        or (first is not None and first.is_meta)
        or torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None
        or getattr(module, "_is_replica", False)  # DataParallel's, within the model's own pass
    )


def is_transformed() -> bool:
    """Whether `torch.func` (`grad`, `vmap`) calls: its tensors are wrapped, and have no bytes."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def in_backward() -> bool:
    """Whether autograd is running: a forward pass in it is one that is done again."""
    return bool(torch._C._current_graph_task_id() != -1)


def is_lazy(module: torch.nn.Module) -> bool:
    """Whether some weights get their shapes in this very call (`LazyLinear`)."""
    return any(isinstance(m, LazyModuleMixin) for m in modules_of(module))


def frame_of_call() -> FrameType | None:
    """Torch's own frame of the call that a global pre-hook is called for."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(NEAR):
        if frame is None or frame.f_code.co_name in NAMES_OF_CALL:
            return frame
        frame = frame.f_back
    return None


def outer(frame: FrameType) -> Iterator[FrameType]:
    """The frames that a frame runs within, the nearest first."""
    above = frame.f_back
    while above is not None:
        yield above
        above = above.f_back


def is_within(frame: FrameType, module: torch.nn.Module, of: int) -> bool:
    """Whether this frame lies within that call of the module, whose own frame has the id `of`.

    That frame isn't held to know it again: it would keep all in it alive. Its id may be another's
    by now, so it must be one of torch's, of that module.
    """
    return any(
        id(above) == of
        and above.f_code.co_name in NAMES_OF_CALL
        and above.f_locals.get("self") is module
        for above in outer(frame)
    )


def keywords() -> Mapping[str, Any] | None:
    """The keywords of the call that a global pre-hook is called for; None if they can't be had.

    Torch hands it the positional arguments only (2.13), so they are read off torch's own frame.
    They are wanted before the call, since a module may write into its inputs.
    """
    frame = frame_of_call()
    found = None if frame is None else frame.f_locals.get("kwargs")
    return found if isinstance(found, dict) else None


def addresses(value: Any) -> set[int]:
    """Where the tensors among some arguments lie: a view of an output is known by it."""
    found = value if isinstance(value, list | tuple) else [value]
    tensors = [t for t in found if isinstance(t, Tensor) and t.layout == torch.strided]
    return {t.untyped_storage().data_ptr() for t in tensors if not t.is_nested}
