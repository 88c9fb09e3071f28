"""An optimizer's own state (moments, counts), by the places of the parameters that it is about."""

from collections.abc import Mapping

from torch import Tensor
from torch.optim import Optimizer

from reference.observe.tensors.parameters import Parameters


def state_of(optimizer: Optimizer, parameters: Parameters) -> dict[str, Tensor]:
    """Each tensor of it as 'place.name'."""
    found: dict[str, Tensor] = {}
    for tensor, state in optimizer.state.items():
        place = parameters.place(tensor) if isinstance(tensor, Tensor) else None
        if place is None:
            continue
        for name, value in state.items():
            if isinstance(value, Tensor):
                found[f"{place}.{name}"] = value.detach()
    return found


def put_state(
    optimizer: Optimizer,
    parameters: Parameters,
    own_place: Mapping[int, int],
    state: Mapping[str, Tensor],
) -> None:
    """Copy another optimizer's state into this one, as far as both keep the same.

    Args:
        optimizer: That is to get it.
        parameters: Of its own training.
        own_place: The other's places, and this one's of the same parameters.
        state: As `state_of` gives it.
    """
    living = parameters.living()
    for path, value in state.items():
        place, _, name = path.partition(".")
        tensor = living.get(own_place.get(int(place), -1))
        own = optimizer.state.get(tensor, {}).get(name) if tensor is not None else None
        if isinstance(own, Tensor) and own.shape == value.shape:
            own.copy_(value)
