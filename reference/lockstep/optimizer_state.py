"""An optimizer's own state (moments, counts), by the places of the parameters that it is about."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
import xxhash
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.record import Record
from reference.observe.step.optimizer_record import HOW
from reference.observe.tensors.hashing import hash_tensor
from reference.observe.tensors.parameters import Parameters

NUMBERS = (bool, int, float)
STEP = "step"  # what Adam and its kin count their steps by


def state_of(optimizer: Optimizer, parameters: Parameters) -> dict[str, Tensor]:
    """Each tensor of it as 'place.name', and each of a list as 'place.name.number'."""
    parts = _parts(optimizer, parameters)
    return {path: value.detach() for path, value in parts if isinstance(value, Tensor)}


def described_state(optimizer: Optimizer, parameters: Parameters) -> Record:
    """A hash, or a number, of each part of it."""
    found: Record = {}
    for path, value in _parts(optimizer, parameters):
        is_number = not isinstance(value, Tensor) or value.numel() == 1
        number = value.item() if isinstance(value, Tensor) and is_number else value
        found[path] = repr(float(number)) if is_number else hash_tensor(value.detach())
    return found


def digest(described: Mapping[str, str], places: Mapping[int, int] | None = None) -> str:
    """One hash of all of it, with other places for its own."""
    lines = sorted(f"{with_places(path, places)} {each}" for path, each in described.items())
    return str(xxhash.xxh3_64_hexdigest("\n".join(lines).encode()))


def with_places(path: str, places: Mapping[int, int] | None) -> str:
    """A path with another place for its own; as it is where there is none."""
    if places is None:
        return path
    place, _, name = path.partition(".")
    return f"{places.get(int(place), -1)}.{name}"


def _parts(optimizer: Optimizer, parameters: Parameters) -> Iterator[tuple[str, Any]]:
    for tensor, state in optimizer.state.items():
        place = parameters.place(tensor) if isinstance(tensor, Tensor) else None
        if place is None:
            continue
        for name, value in state.items():
            parts = enumerate(value) if isinstance(value, list) else [(None, value)]
            for number, part in parts:
                path = f"{place}.{name}" if number is None else f"{place}.{name}.{number}"
                if isinstance(part, (Tensor, *NUMBERS)):
                    yield path, part


def put_state(
    optimizer: Optimizer,
    parameters: Parameters,
    own_place: Mapping[int, int],
    state: Mapping[str, Tensor],
    numbers: Mapping[str, str],
) -> None:
    """Put another optimizer's state into this one: in its own memory, where it keeps the same.

    Args:
        optimizer: That is to get it.
        parameters: Of its own training.
        own_place: The other's places, and this one's of the same parameters.
        state: As `state_of` gives it.
        numbers: As `described_state` gives those that are no tensors.
    """
    living = parameters.living()
    values: dict[str, Tensor | float] = {**state, **{p: float(n) for p, n in numbers.items()}}
    for path, value in values.items():
        place, _, rest = path.partition(".")
        name, _, number = rest.partition(".")
        tensor = living.get(own_place.get(int(place), -1))
        if tensor is None:
            continue
        known = optimizer.state[tensor]
        own = known.get(name)
        if number:
            if isinstance(own, list) and int(number) < len(own):
                own[int(number)] = _like(own[int(number)], value, tensor)
        elif isinstance(own, Tensor) and isinstance(value, Tensor) and own.shape == value.shape:
            own.copy_(value)
        else:
            known[name] = _like(own, value, tensor, stays=name == STEP and not _is_how(optimizer))


def _like(own: Any, value: Tensor | float, tensor: Tensor, *, stays: bool = False) -> Any:
    """The value as the optimizer keeps it; a count `stays` on the CPU."""
    if isinstance(value, Tensor):
        return value if stays else value.to(tensor.device)
    if isinstance(own, Tensor):
        return torch.full_like(own, value)
    if isinstance(own, NUMBERS):
        return type(own)(value)
    return int(value) if value.is_integer() else value


def _is_how(optimizer: Optimizer) -> bool:
    return any(group.get(name) for group in optimizer.param_groups for name in (HOW[0], HOW[2]))


def drop_state(optimizer: Optimizer, parameters: Parameters, places: Collection[int]) -> None:
    """Take the state of these parameters away: the other optimizer has none yet."""
    living = parameters.living()
    for place in places:
        optimizer.state.pop(living[place], None)
