"""Whether a tensor's memory is there: a script, or FSDP, may give it back and keep the tensor.

Torch doesn't tell it then: it reads what lies at the address, which ends the process (SIGSEGV). Of
a view that address isn't 0, but how far the view begins behind the start of what is gone.
"""

import torch
from torch import Tensor

# No memory that a system maps lies below it, as a rule; what does is looked at more closely.
LOW = 1 << 40


def is_given_back(tensor: Tensor) -> bool:
    """Whether a tensor has values by its shape, and no memory for them any more.

    Of sparse and nested ones nobody asks: their values are tensors of their own.
    """
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        return False
    if tensor.data_ptr() >= LOW or not tensor.numel():
        return False
    return tensor.untyped_storage().nbytes() == 0
