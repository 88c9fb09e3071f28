"""One parameter through all steps of a training."""

from dataclasses import dataclass, field
from math import prod

WEIGHT = "weight"
TABLES = ("embed", "wte", "wpe")  # of words or places: matrices that many spare as they do norms


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
    def module(self) -> str:
        """The path of the module that has it."""
        return self.name.rpartition(".")[0]

    @property
    def is_norm_weight(self) -> bool:
        """Whether it scales what a norm gives: a weight of one dimension."""
        return len(self.shape) == 1 and self.name.endswith(WEIGHT)

    @property
    def is_matrix(self) -> bool:
        """Whether it is one of those that decay is made for: no bias, no norm, no table."""
        table = any(word in self.name.lower() for word in TABLES)
        return len(self.shape) > 1 and not self.is_bias and not table
