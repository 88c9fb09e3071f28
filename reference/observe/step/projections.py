"""Numbers that tell the rows of an output apart, whatever batches they came in.

The sum and the norm of an output stay the same where its rows are exchanged. A sum in which each
value has a sign of its own doesn't: the sign is that of its row, counted over the whole evaluation,
and of its place in the row. A few such sums are as near in other batches as the values are, and as
far apart as the values are.

Values that aren't finite, or are huge, can't be summed with others: their places are kept, and the
sums are of the rest. Where a few values are so large (-1e9, which masks a class, say) that a share
of their norm is more than all others are, the sums of `squashed` values still tell these apart.
"""

import hashlib
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

COUNT = 4  # such sums: two rows exchanged leave all of them as they are in one case of 16
PERIOD = 1 << 16  # rows after which the signs come again
HUGE = 1e30  # from here on a value isn't summed
INFINITE = 1 << 12  # more than any exponent of a float64
LARGE = 1 << 20  # values, above which they are summed in their own precision


def of_places(values: Tensor) -> np.ndarray:
    """Of each row its signed sums over the row's places: (rows, COUNT).

    Args:
        values: Real numbers, a row for each entry of the first dimension.
    """
    if values.numel() == 0:
        return np.zeros((len(values), COUNT))
    flat = values.reshape(len(values), -1)
    wide = flat.dtype if flat.dtype.is_floating_point and flat.numel() > LARGE else torch.float64
    flat = flat.to(wide)
    signs = torch.from_numpy(_signs("places", flat.shape[1])).to(flat.device, wide)
    sums: np.ndarray = (flat @ signs).double().cpu().numpy()
    return sums


def of_rows(sums: np.ndarray, first: int) -> np.ndarray:
    """The signed sums over the rows, the first of which is row `first` of the evaluation."""
    places = np.arange(first, first + len(sums)) % PERIOD
    with np.errstate(all="ignore"):  # what overflows is told by what it becomes
        return np.asarray((_signs("rows", PERIOD)[places] * sums).sum(0))


def squashed(values: Tensor) -> Tensor:
    """Each value between -1 and 1: small ones nearly as they are, no two farther apart than before.

    Args:
        values: Finite real numbers.
    """
    real = values if values.dtype in (torch.float32, torch.float64) else values.float()
    return real / (1 + real.abs())


def are_odd(values: Tensor) -> Tensor:
    """Which values aren't finite, or are huge, as the least number of a type is."""
    real = values if values.dtype in (torch.float32, torch.float64) else values.float()
    return (real.abs() < HUGE).logical_not()


def odd_places(values: Tensor) -> np.ndarray:
    """Where values are odd, and what they are: (how many, 3), by row, place in it and a code.

    Args:
        values: Real numbers, a row for each entry of the first dimension.
    """
    flat = values.reshape(len(values), -1)
    at = are_odd(flat).nonzero()
    odd = flat[at[:, 0], at[:, 1]].double()
    finite = odd.isfinite()
    # A huge one by its size, within a factor of two; the others by codes that no size has.
    sizes = torch.frexp(odd.where(finite, 1.0)).exponent
    codes = sizes.where(finite, INFINITE).where(odd.isnan().logical_not(), 2 * INFINITE)
    codes = codes * torch.where(odd < 0, -1, 1)
    places: np.ndarray = torch.cat([at, codes[:, None]], 1).cpu().numpy()
    return places


@lru_cache(maxsize=16)
def _signs(name: str, count: int) -> np.ndarray:
    """(count, COUNT) of 1 and -1, the same everywhere and at all times."""
    some = hashlib.shake_256(name.encode()).digest(count * COUNT // 8 + 1)
    bits = np.unpackbits(np.frombuffer(some, np.uint8))[: count * COUNT]
    return (1.0 - 2.0 * bits).reshape(count, COUNT)
