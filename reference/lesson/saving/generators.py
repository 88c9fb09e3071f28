"""The state of every generator of random numbers, as tensors and JSON, and set again."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

TORCH = "torch"
CUDA = "cuda"


@dataclass(frozen=True)
class Generators:
    """Where all of them stand: torch's on the CPU and each GPU, Python's and NumPy's.

    Attributes:
        tensors: torch's, by `torch` and `cuda.0`.
        values: `python` and `numpy`, as lists of numbers.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]

    @classmethod
    def now(cls) -> "Generators":
        """As they stand; none is drawn from."""
        tensors = {TORCH: torch.get_rng_state()}
        if torch.cuda.is_available():
            for place, state in enumerate(torch.cuda.get_rng_state_all()):
                tensors[f"{CUDA}.{place}"] = state
        version, numbers, gauss = random.getstate()
        kind, keys, position, has_gauss, cached = np.random.get_state()
        numpy = [str(kind), np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)]
        return cls(tensors, {"python": [version, list(numbers), gauss], "numpy": numpy})

    def set(self) -> None:
        """Put all of them there again."""
        torch.set_rng_state(self.tensors[TORCH])
        places = [name for name in self.tensors if name.startswith(CUDA)]
        if places:
            torch.cuda.set_rng_state_all([self.tensors[f"{CUDA}.{n}"] for n in range(len(places))])
        version, numbers, gauss = self.values["python"]
        random.setstate((version, tuple(numbers), gauss))
        kind, keys, position, has_gauss, cached = self.values["numpy"]
        np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
