"""Which modules may compute something else in train mode than in eval mode."""

from collections.abc import Iterator
from types import CodeType, FunctionType

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

MODE = "training"  # the attribute


def reads_its_mode(module: nn.Module) -> bool:
    """Whether its mode may matter: its code asks for it, and nothing makes that idle.

    A dropout of 0 is idle, and a norm without running statistics. Of code of its own nobody can
    tell what it does with the mode.
    """
    if not _asks_for_its_mode(type(module)):
        return False
    if isinstance(module, _DropoutNd):
        return module.p > 0
    if isinstance(module, _NormBase):
        return module.running_mean is not None
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
        return module.dropout > 0
    return True


def _asks_for_its_mode(kind: type) -> bool:
    """Whether the name stands in a method of the class, or of one that it is made of."""
    own = [each for each in kind.__mro__ if each not in (nn.Module, object)]
    values = [getattr(v, "__func__", v) for each in own for v in vars(each).values()]
    methods = [v for v in values if isinstance(v, FunctionType)]
    return any(MODE in code.co_names for method in methods for code in _codes(method.__code__))


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's, and those of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
