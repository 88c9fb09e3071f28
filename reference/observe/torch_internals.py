"""What the observer uses of torch that torch doesn't document: each such name stands here, once.

Seen in torch 2.11.0 (with a GPU) and 2.13.0. Another torch may have renamed one. `missing()` gives
the names that the installed one lacks, and a test asks it; an observer that meets such a name in a
training ends its ledger with the reason, and the training goes on (`hooks/fail_safe.py`).
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.optim import Optimizer
from torch.optim import optimizer as optimizer_module
from torch.utils import _python_dispatch

# Said at each call of a compiled model, because of the observer's global hooks.
WARNING_OF_HOOKS = re.escape("Using `torch.compile(module)` when there are global hooks on modules")
# What stands before a parameter's name in a compiled model, and in a data parallel one.
WRAPPERS = ("_orig_mod.", "module.")

# A global hook on modules is called from `Module._call_impl`, or from the function `inner` in it.
_FRAMES_OF_CALL = ("inner", "_call_impl")
_FSDP = "torch.distributed.fsdp"
OUR_OWN = str(Path(__file__).parent)
_FRAMES_BETWEEN = 8  # at most, from a hook of ours up to that frame

# Each private name, by the object that has it.
NAMES: dict[str, tuple[str, ...]] = {
    "torch._C": (
        "_current_graph_task_id",
        "_functorch.peek_interpreter_stack",
        "_get_dispatch_mode",
        "_is_tracing",
        "_len_torch_dispatch_stack",
        "_len_torch_function_stack",
        "DisableTorchFunction",
        "_TorchDispatchModeKey.FAKE",
        "_nn",
    ),
    "torch.autograd.forward_ad": ("_current_level",),
    "torch.autograd.Variable": ("_execution_engine.queue_callback",),
    "torch.jit": (
        "_builtins._find_builtin",
        "_builtins._get_builtin_table",
        "_builtins._register_builtin",
    ),
    "torch.utils": ("_python_dispatch._disable_current_modes",),
    "torch.optim.optimizer": ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks"),
    "an optimizer": ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"),
    "a tensor": ("_base", "_is_view", "_is_zerotensor", "_version"),
    "a module": (
        "_buffers",
        "_call_impl",
        "_modules",
        "_non_persistent_buffers_set",
        "_parameters",
    ),
    "a replica of a module": ("_is_replica",),
    "torch.distributed.fsdp": ("_fully_shard._fsdp_param", "_fully_shard._fsdp_state"),
    "a module that FSDP shards": ("_get_fsdp_state",),
    "its state": ("_fsdp_param_groups",),
    "a parameter that FSDP shards": ("_unsharded_param", "sharded_param"),
    "Module._call_impl": _FRAMES_OF_CALL,
    "the variables of Module._call_impl": ("self", "kwargs"),
}


def owners() -> dict[str, object]:
    """An object for each key of NAMES, which has the names there as its attributes."""
    from torch.distributed import fsdp  # takes long, and only who asks for what is missing needs it

    sharding = fsdp._fully_shard
    tensor, module = torch.zeros(1), torch.nn.Linear(1, 1)
    code = torch.nn.Module._call_impl.__code__
    inside = [part for part in code.co_consts if isinstance(part, CodeType)]
    return {
        "torch._C": torch._C,
        "torch.autograd.forward_ad": forward_ad,
        "torch.autograd.Variable": torch.autograd.Variable,
        "torch.jit": torch.jit,
        "torch.utils": torch.utils,
        "torch.optim.optimizer": optimizer_module,
        "an optimizer": torch.optim.SGD([tensor], 0.1),
        "a tensor": tensor,
        "a module": module,
        "a replica of a module": module._replicate_for_data_parallel(),  # type: ignore[no-untyped-call]
        "torch.distributed.fsdp": fsdp,
        "a module that FSDP shards": fsdp.FSDPModule,
        "its state": sharding._fsdp_state.FSDPState(),
        "a parameter that FSDP shards": _with_attributes(
            {*sharding._fsdp_param.FSDPParam.__annotations__}
        ),
        "Module._call_impl": _with_attributes({part.co_name for part in (code, *inside)}),
        "the variables of Module._call_impl": _with_attributes(
            {*code.co_varnames, *code.co_cellvars}
        ),
    }


def _with_attributes(names: set[str]) -> object:
    return type("Names", (), dict.fromkeys(names))


def missing() -> list[str]:
    """The names that this file uses and the installed torch doesn't have, as 'owner: name'."""
    of = owners()
    return [
        f"{owner}: {name}"
        for owner, names in NAMES.items()
        for name in names
        if not _has(of[owner], name)
    ]


def _has(owner: object, path: str) -> bool:
    for name in path.split("."):
        if not hasattr(owner, name):
            return False
        owner = getattr(owner, name)
    return True


# autograd


def backward_run() -> int:
    """The number of the run of autograd that this thread is in; -1 outside any."""
    return torch._C._current_graph_task_id()


def call_after_backward(callback: Callable[[], None]) -> None:
    """Have `callback` called when the running backward pass is over, after those queued before."""
    torch.autograd.Variable._execution_engine.queue_callback(callback)


def with_tangents(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by name, and beside each dual number of forward-mode derivatives its tangent."""
    if forward_ad._current_level < 0:
        return tensors
    unpack: Any = forward_ad.unpack_dual
    tangents = {f"{name} (tangent)": unpack(t).tangent for name, t in tensors.items()}
    return tensors | {name: t for name, t in tangents.items() if t is not None}


# how a module is called


def is_tracing() -> bool:
    """Whether `torch.jit.trace` is running."""
    return bool(torch._C._is_tracing())


def makes_fake_tensors() -> bool:
    """Whether tensors have no values for now, as in `torch.export`."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None


def has_modes() -> bool:
    """Whether a mode, such as a script's own, sees each operation, or each call of a function."""
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._len_torch_function_stack() > 0


def without_modes() -> AbstractContextManager[object]:
    """A context in which a script's own modes (`TorchDispatchMode`) don't see what is computed.

    A mode that counts operations, or draws random numbers in them, would else count the observer's.
    Where tensors have no values it changes nothing.
    """
    return _without_modes() if has_modes() and not makes_fake_tensors() else _NOTHING


_NOTHING: AbstractContextManager[object] = nullcontext()


@contextmanager
def _without_modes() -> Iterator[None]:
    with torch._C.DisableTorchFunction(), _python_dispatch._disable_current_modes():
        yield


def is_transformed() -> bool:
    """Whether `torch.func` (`grad`, `vmap`) calls: its tensors are wrapped, and have no bytes."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def is_replica(module: torch.nn.Module) -> bool:
    """Whether DataParallel made it for one call, within the model's own."""
    return getattr(module, "_is_replica", False)


# frames: torch tells a hook neither where its call ends nor all that the call was given


def frame_of_call() -> FrameType | None:
    """Torch's frame of the module's call that a global hook is running for."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_FRAMES_BETWEEN):
        if frame is None or frame.f_code.co_name in _FRAMES_OF_CALL:
            return frame
        frame = frame.f_back
    return None


def keywords_of_call() -> Mapping[str, Any] | None:
    """The keywords of the module's call that a global pre-hook is running for, or None.

    Torch hands such a hook the positional arguments only (2.13), so they are read off its frame.
    They are wanted before the call, since a module may write into its inputs.
    """
    frame = frame_of_call()
    keywords = None if frame is None else frame.f_locals.get("kwargs")
    return keywords if isinstance(keywords, dict) else None


def is_within_call(frame: FrameType | None, module: torch.nn.Module, frame_id: int) -> bool:
    """Whether a frame (None: the caller's) lies within that call of the module.

    The call's own frame is known by its id: to hold it would keep all in it alive. The id may be
    another frame's by now, so it must be one of torch's, of that module.
    """
    return any(
        id(above) == frame_id
        and above.f_code.co_name in _FRAMES_OF_CALL
        and above.f_locals.get("self") is module
        for above in frames_above(frame or sys._getframe(1))
    )


def frame_of_step() -> FrameType | None:
    """Torch's frame around an optimizer's `step`, in which the optimizer's hooks are called."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != optimizer_module.__file__:
        frame = frame.f_back
    return frame


def frames_above(frame: FrameType) -> Iterator[FrameType]:
    """The frames that a frame runs within, the nearest first."""
    above = frame.f_back
    while above is not None:
        yield above
        above = above.f_back


# what a module has, without its own methods: a script's may give anything


def modules_of(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """A module and all within it, in no particular order: `modules()` takes ten times as long."""
    waiting = [module]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += [inner for inner in part._modules.values() if inner is not None]


def own_parameters(module: torch.nn.Module) -> Mapping[str, Tensor | None]:
    """A module's parameters, by name, without those of the modules within it."""
    return module._parameters


def own_buffers(module: torch.nn.Module) -> Mapping[str, Tensor | None]:
    """A module's buffers, by name, without those of the modules within it."""
    return module._buffers


@dataclass(frozen=True)
class Insides:
    """The mappings in which a module keeps what it has; they follow it, and don't hold it."""

    parameters: Mapping[str, Tensor | None]
    buffers: Mapping[str, Tensor | None]
    fleeting: AbstractSet[str]  # buffers that no checkpoint holds
    parts: Mapping[str, torch.nn.Module | None]


def insides(module: torch.nn.Module) -> Insides:
    """A module's own mappings."""
    fleeting = module._non_persistent_buffers_set
    return Insides(module._parameters, module._buffers, fleeting, module._modules)


def is_built(module: torch.nn.Module) -> bool:
    """Whether it has what every module has: another thread may be about to make or copy it."""
    return {"_parameters", "_buffers", "_modules"} <= vars(module).keys()


def persistent_buffers(module: torch.nn.Module) -> dict[str, Tensor | None]:
    """Those of a module's own buffers that a checkpoint holds."""
    fleeting = module._non_persistent_buffers_set
    return {name: buffer for name, buffer in module._buffers.items() if name not in fleeting}


def shards_of_gathered(module: torch.nn.Module) -> dict[int, Tensor]:
    """By the id of each parameter that FSDP (`fully_shard`) gathers: the shard that is trained.

    The gathered ones stand in the module during its passes, and after some until the next.
    """
    fsdp: Any = sys.modules.get(_FSDP)
    if fsdp is None:
        return {}
    shards: dict[int, Tensor] = {}
    for part in modules_of(module):
        if isinstance(part, fsdp.FSDPModule):
            for group in part._get_fsdp_state()._fsdp_param_groups:
                for each in group.fsdp_params:
                    if hasattr(each, "_unsharded_param"):  # gathered at least once
                        shards[id(each._unsharded_param)] = each.sharded_param
    return shards


# tensors


def version(tensor: Tensor) -> int:
    """How often torch saw the tensor changed in place."""
    return tensor._version


def viewed(tensor: Tensor) -> Tensor | None:
    """The tensor that this one is a view of, if it is one."""
    return tensor._base if tensor._is_view() else None


def is_zero_tensor(tensor: Tensor) -> bool:
    """Whether it stands for zeros without having memory."""
    return tensor._is_zerotensor()


# optimizers


def global_step_hooks() -> int:
    """How many hooks each optimizer's step has, before it or after it, whichever are more."""
    before = optimizer_module._global_optimizer_pre_hooks
    after = optimizer_module._global_optimizer_post_hooks
    return max(len(before), len(after))


def has_step_hooks(optimizer: Optimizer) -> bool:
    """Whether this optimizer's step has hooks of its own."""
    return bool(optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks)


def owners_of_losses() -> tuple[object, object]:
    """What has the functions that torch's losses call at last: `torch._C._nn`, and `torch`."""
    return torch._C._nn, torch


def keep_operator(function: Any, replacement: Any) -> None:
    """Let TorchScript find the operator of a function by what stands in its place, too."""
    operator = torch.jit._builtins._find_builtin(function)  # type: ignore[no-untyped-call]
    if operator is not None:
        torch.jit._builtins._register_builtin(replacement, operator)


def forget_operator(replacement: Any) -> None:
    """Undo it. TorchScript knows functions by their ids, and another may soon have this one."""
    torch.jit._builtins._get_builtin_table().pop(id(replacement), None)  # type: ignore[no-untyped-call]


def is_called_from(module: str, frames: int) -> bool:
    """Whether the function so many frames above its caller is of this module."""
    return bool(sys._getframe(frames + 1).f_globals.get("__name__") == module)
