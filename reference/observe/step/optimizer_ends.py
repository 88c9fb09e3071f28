"""What optimizers keep at the end of the run, or of their own life: moments, counts, masters.

Whoever saves a checkpoint saves it, and whoever goes on trains with it. No link of a step has it,
since what it does shows in the updates: but not what is done to it after the last one. An optimizer
isn't held alive. What is held are the mapping in which it keeps its state and the list of its
groups, until it is gone: then they are read, and let go.
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.combined_hash import combine
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record
from reference.observe.generators import generator_states
from reference.observe.step.describe import number
from reference.observe.step.left_gradients import is_there
from reference.observe.step.optimizer_record import effective
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.listed import listed
from reference.observe.tensors.parameters import Parameters
from reference.observe.torch_internals import without_modes

DEEPEST = 8  # levels of lists and mappings in what is kept for one parameter
MOST = 10_000  # values that are read of one parameter
EXACT = 1 << 53  # up to which each whole number is a float of its own


class OptimizerEnds:
    """Those of all optimizers that were stepped, in the order of their first steps.

    Args:
        parameters: Of all models that were seen.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._of_index: dict[int, _Stepped] = {}

    def follow(self, optimizer: Optimizer, index: int) -> None:
        """This one has stepped; `index` is its number, in the order of their first steps."""
        known = self._of_index.get(index)
        if known is None or not known.is_of(optimizer):
            known = self._of_index[index] = _Stepped(optimizer, index, self._parameters)
        known.follow(optimizer)

    def at_end(self) -> list[Record]:
        """What each keeps, or kept when it was gone."""
        return [self._of_index[index].record() for index in sorted(self._of_index)]

    def let_go(self) -> None:
        """Nothing more is recorded: hold nothing of theirs."""
        self._of_index = {}


class _Stepped:
    def __init__(self, optimizer: Optimizer, index: int, parameters: Parameters) -> None:
        self._kind, self._index, self._parameters = type(optimizer).__name__, index, parameters
        self._state: Any = {}
        self._groups: Any = ()
        self._record: Record | None = None  # of one that is gone
        self._reference = weakref.ref(optimizer, self._die)

    def is_of(self, optimizer: Optimizer) -> bool:
        """Whether it is this one's."""
        return self._reference() is optimizer

    def follow(self, optimizer: Optimizer) -> None:
        """What is loaded into an optimizer stands in a mapping of its own."""
        self._state, self._groups = optimizer.state, optimizer.param_groups

    def record(self) -> Record:
        """As the ledger's end has it."""
        if self._record is not None:
            return self._record
        optimizer = self._reference()
        if optimizer is not None:
            self.follow(optimizer)
        record: Record = {"class": self._kind, "index": self._index}
        try:
            return {**record, **_described(self._state, self._groups, self._parameters)}
        except Exception as error:  # a script may keep anything there; all else is read
            return {**record, "unseen": f"{type(error).__name__}: {error}"}

    def _die(self, _reference: object) -> None:
        """Called by Python when the optimizer is gone; what it kept isn't yet."""
        with without_modes():
            self._record = self.record()
        self._state, self._groups = {}, ()


def _described(state: Any, groups: Any, parameters: Parameters) -> Record:
    kept: dict[int, Mapping[str, Any]] = {}
    hyper: list[Record] = []
    of: dict[int, str] = {}
    for group in groups:
        own = effective(group)
        if own not in hyper:
            hyper.append(own)
        for parameter in group["params"]:
            place = parameters.place(parameter)
            if place is not None:
                of[place] = str(hyper.index(own))
                values = state.get(parameter, {})
                kept[place] = values if isinstance(values, Mapping) else {"state": values}
    beside = {str(name): value for name, value in state.items() if not isinstance(name, Tensor)}
    places = sorted(of)
    hashed = _hashed([*(kept[place] for place in places), beside])
    names = sorted({name for values in hashed[:-1] for name in values})
    return {
        "places": " ".join(map(str, places)),
        "state": {
            name: " ".join(values.get(name, ABSENT) for values in hashed[:-1]) for name in names
        },
        "hyper": hyper,
        "of": " ".join(of[place] for place in places),
        **({"beside": hashed[-1]} if hashed[-1] else {}),
    }


def _hashed(kept: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Of each mapping, by name: a number as it is, a tensor's hash, or one of all that is there.

    What is None is as if it weren't there: SGD without momentum writes it in some releases.
    """
    leaves = [
        (place, str(name), list(_leaves(value)))
        for place, values in enumerate(kept)
        for name, value in values.items()
        if value is not None
    ]
    tensors = [leaf for *_, each in leaves for leaf in each if isinstance(leaf, Tensor)]
    hashes = iter(hash_tensors(tensors))
    found: list[dict[str, str]] = [{} for _ in kept]
    for place, name, each in leaves:
        parts = [next(hashes) if isinstance(leaf, Tensor) else leaf for leaf in each]
        found[place][name] = parts[0] if len(parts) == 1 else combine(parts)
    return found


def _leaves(value: Any) -> Iterator[Tensor | str]:
    """The tensors in what is kept, and in words all else, without spaces.

    A count is the same as a number, in a tensor, or in one on a device: torch has all three.

    Raises:
        TypeError: There is more of it than can be read.
    """
    for count, leaf in enumerate(_walk(value, 0)):
        if count == MOST:
            raise TypeError(f"more than {MOST} values for one parameter")
        yield leaf


def _walk(value: Any, depth: int) -> Iterator[Tensor | str]:
    if depth > DEEPEST:
        raise TypeError(f"more than {DEEPEST} levels")
    if isinstance(value, Tensor):
        one = value.dim() == 0 and not (value.is_complex() or value.is_meta)
        yield repr(number(value)) if one else value
    elif isinstance(value, bool | int | float):
        yield repr(number(value)) if abs(value) < EXACT else repr(value)
    elif isinstance(value, np.ndarray | np.generic):
        yield combine([str(value.dtype), value.tobytes().hex()])
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield combine([str(name)])
            yield from _walk(value[name], depth + 1)
    elif isinstance(value, list | tuple):
        yield str(len(value))
        for each in value:
            yield from _walk(each, depth + 1)
    else:
        yield combine([value]) if isinstance(value, str) else type(value).__name__


def left_beside(parameters: Parameters) -> Record:
    """What a run leaves beside its models and optimizers: the generators, and gradients.

    A gradient of zeros is as good as none: the next backward pass adds to either.
    """
    living = parameters.living()
    grads = [_readable(tensor.grad) for tensor in living.values()]
    hashes = hash_tensors(grads)
    return {
        "rng": generator_states(),
        "gradients": listed(tuple(living), hashes, parameters.count),
    }


def _readable(gradient: Tensor | None) -> Tensor | None:
    if gradient is None or gradient.is_meta or gradient.is_nested:
        return None
    return gradient if is_there(gradient) else None
