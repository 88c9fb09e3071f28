"""One parameter through all steps of a training."""

from dataclasses import dataclass, field
from math import prod

NORMS = ("norm", "ln_", ".ln", "bn", "batchnorm")


@dataclass
class Parameter:
    """What became of it.

    Attributes:
        name: As the ledger has it.
        shape: Of all of it, or of this process's part.
        model: The number of its model.
        shared: Whether each process has a part of it, or places it in another way.
        frozen: Whether its part of the model isn't to be trained; None where that isn't known.
        with_gradient: In how many steps it had a gradient.
        zero: In how many of them that was zero in all its places.
        in_group: In how many steps an optimizer stepped it.
        left_out: In how many steps it had a gradient that the optimizer of the step didn't have.
        decays: The largest weight decay that it had, by the optimizer's number.
    """

    name: str
    shape: tuple[int, ...]
    model: int
    shared: bool = False
    frozen: bool | None = None
    with_gradient: int = 0
    zero: int = 0
    in_group: int = 0
    left_out: int = 0
    decays: dict[int, float] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def is_bias(self) -> bool:
        """Whether it is added."""
        return self.name.lower().endswith("bias")

    @property
    def is_bias_or_norm(self) -> bool:
        """Whether it is one of those that are left without decay by custom."""
        path = self.name.lower()
        return self.is_bias or (len(self.shape) == 1 and any(word in path for word in NORMS))
