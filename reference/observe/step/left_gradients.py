"""Gradients that a backward pass added to what an optimizer had stepped by already.

Three others look alike, and are none. One that is accumulated until its own optimizer steps, while
another steps in between; one that a script puts there itself, as that of float32 master weights;
and one that is scaled on purpose after the step. So a gradient is left only where it is the tensor
that the step left, unchanged, and added to only where autograd accumulates into it.
"""

import weakref
from collections.abc import Callable

from torch import Tensor

from reference.observe.tensors.memory import is_given_back
from reference.observe.tensors.parameters import Parameters
from reference.observe.tensors.shards import local_part
from reference.observe.torch_internals import version


class LeftGradients:
    """Those of one training, by the places of their parameters. Holds no gradient alive."""

    def __init__(self) -> None:
        self._stepped: dict[int, tuple[int, int]] = {}  # as the step left them
        self._left: set[int] = set()  # still so when the last backward pass began
        self._added_to: set[int] = set()

    def look(self, parameters: Parameters) -> None:
        """A backward pass begins: which gradients are still as an optimizer's step left them."""
        if not self._stepped and not self._added_to:
            return
        living = parameters.living()
        grads = {p: living[p].grad for p in (*self._stepped, *self._added_to) if p in living}
        same = {p for p, mark in self._stepped.items() if mark == _mark(grads.get(p))}
        there = {p for p in same | self._added_to if is_there(grads.get(p))}
        self._left = same & there
        self._stepped = {p: self._stepped[p] for p in self._left}
        self._added_to &= there

    def add(self, tensor: Tensor, parameters: Parameters) -> None:
        """Autograd has accumulated into this parameter's gradient."""
        place = parameters.place(tensor) if self._left else None
        if place in self._left:
            self._left.discard(place)
            self._stepped.pop(place)
            self._added_to.add(place)

    def take(self, places: frozenset[int]) -> int:
        """How many of an optimizer's parameters have such a gradient as it steps."""
        count = len(self._added_to & places)
        self._added_to -= places
        return count

    def step(self, places: frozenset[int], parameters: Parameters) -> None:
        """An optimizer has stepped these."""
        living = parameters.living()
        marks = {p: _mark(living[p].grad) for p in places if p in living}
        self._stepped |= {p: mark for p, mark in marks.items() if mark is not None}


class Accumulated:
    """What the last backward pass left: whether it is still so when the next one begins.

    One parameter tells: whoever zeroes gradients, or puts others there, does it to all of them.
    """

    def __init__(self) -> None:
        self._latest: Callable[[], Tensor | None] = _nothing
        self._marked: Callable[[], Tensor | None] = _nothing
        self._mark: tuple[int, int] | None = None

    def add(self, parameter: Tensor) -> None:
        """Autograd has accumulated into this one's gradient."""
        self._latest = weakref.ref(parameter)

    def mark(self) -> None:
        """The backward pass is over."""
        self._marked = self._latest
        self._mark = _mark_of(self._marked())

    def is_rewritten(self) -> bool:
        """Whether the gradient isn't what the backward pass left."""
        parameter = self._marked()
        known = parameter is not None and self._mark is not None
        return known and _mark_of(parameter) != self._mark


def _nothing() -> None:
    """There is no parameter yet."""


def _mark_of(parameter: Tensor | None) -> tuple[int, int] | None:
    return None if parameter is None else _mark(parameter.grad)


def _mark(grad: Tensor | None) -> tuple[int, int] | None:
    """What changes where it is another tensor, or changed in place."""
    return None if grad is None else (id(grad), version(grad))


def is_there(grad: Tensor | None) -> bool:
    """Whether a gradient is one, and not all zeros."""
    if grad is None:
        return False
    own = local_part(grad)
    return not is_given_back(own) and bool(own.any())
