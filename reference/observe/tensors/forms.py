"""What a copy of a model's weights looks like, in whatever a script keeps it.

Its tensors have the shapes of the model's, in the model's order; and they point where the model's
do, which gradients, momenta and their sums don't.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference.observe.tensors.held_tensors import held
from reference.observe.tensors.memory import is_given_back
from reference.observe.torch_internals import insides, modules_of, own_buffers, own_parameters

ALIKE = 0.8  # the cosine from which on tensors are taken for weights of the same model
FEWEST = 2  # tensors: one alone may have any shape by chance
DENSE = (Tensor, torch.nn.Parameter)


@dataclass(frozen=True)
class Form:
    """Tensors of a model that a copy of it may hold."""

    tensors: tuple[Tensor, ...]

    @property
    def shapes(self) -> list[torch.Size]:
        """Of each."""
        return [tensor.shape for tensor in self.tensors]


def forms_of(module: torch.nn.Module) -> Iterator[Form]:
    """All its parameters, those that train, and all that a checkpoint holds; each kind once."""
    everything = list(held(insides(module)))
    own = {id(p) for part in modules_of(module) for p in own_parameters(part).values()}
    parameters = [each.tensor for each in everything if id(each.tensor) in own]
    kinds = (
        parameters,
        [p for p in parameters if p.requires_grad],
        [each.tensor for each in everything if not each.fleeting],
    )
    sizes = set()
    for kind in kinds:
        if len(kind) not in sizes and len(kind) >= FEWEST and all(map(is_dense, kind)):
            sizes.add(len(kind))
            yield Form(tuple(kind))


def is_dense(tensor: object) -> bool:
    """Whether it is a tensor that can be looked at as it lies there."""
    return (
        type(tensor) in DENSE
        and isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and not (tensor.is_meta or tensor.is_nested or tensor.is_quantized)
        and not is_given_back(tensor)
    )


def is_copy(tensors: Sequence[Tensor], forms: Iterable[Form]) -> bool:
    """Whether these are weights as one of these models has them, but for how far it has come."""
    for form in forms:
        if len(tensors) == len(form.tensors) and [t.shape for t in tensors] == form.shapes:
            return _cosine(tensors, form.tensors) > ALIKE
    return False


@torch.no_grad()
def _cosine(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """The cosine between both, all tensors of real numbers taken as one vector."""
    product = ours = theirs = 0.0
    for x, y in zip(left, right, strict=True):
        if x.is_floating_point() and y.is_floating_point():
            a, b = x.detach().reshape(-1).float(), y.detach().to(x.device).reshape(-1).float()
            product += float(torch.dot(a, b))
            ours += float(torch.dot(a, a))
            theirs += float(torch.dot(b, b))
    lengths = (ours * theirs) ** 0.5
    return product / lengths if lengths > 0 else 0.0


def addresses_in(modules: Iterable[torch.nn.Module]) -> set[int]:
    """Where the tensors of all these modules' own lie, and their gradients."""
    found: set[int] = set()
    for module in modules:
        for tensor in (*own_parameters(module).values(), *own_buffers(module).values()):
            for each in (tensor, None if tensor is None or not tensor.is_leaf else tensor.grad):
                if is_dense(each) and isinstance(each, Tensor):
                    found.add(each.data_ptr())
    return found
