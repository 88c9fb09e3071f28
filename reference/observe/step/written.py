"""What a forward pass writes that gives nothing back: into its arguments, or into its module."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.observe.step.content import Content
from reference.observe.step.tensors_in import arrays_in, numbers_in
from reference.observe.tensors.hashing import buffer_of
from reference.observe.torch_internals import modules_of, own_buffers

PLACE = re.compile(r"\[\d+\]")


def written(
    module: torch.nn.Module,
    given: Mapping[str, Any],
    content: Content,
    was_written: Callable[[Tensor], bool],
) -> dict[str, Any]:
    """What may be what a pass has made, by name: values, which hold tensors or numbers.

    Args:
        module: Whose pass it was: its buffers, and its attributes, of lists their last entry.
        given: Its arguments as they are now; what is in them and wasn't, or is another, was made.
        content: What it took.
        was_written: Whether an earlier pass has made this.
    """
    made: dict[str, Any] = {}
    for name, value in given.items():
        for path, tensor in {**numbers_in({name: value}), **arrays_in(name, value)}.items():
            before = content.inputs.get(path)
            is_as_before = before is not None and bytes(before.values) == _values(tensor, content)
            # A number by itself is an argument, which nobody can write into.
            is_new = not is_as_before and not was_written(tensor)
            if is_new and (tensor.dim() or path != name):
                # The third entry of a list that grows is no other thing than its second.
                made.setdefault(PLACE.sub("[]", path) if before is None else path, tensor)
    for number, part in enumerate(modules_of(module)):
        for name, value in {**own_buffers(part), **vars(part)}.items():
            last = value[-1] if isinstance(value, list) and value else value
            if isinstance(last, Tensor | np.ndarray) and not name.startswith("_"):
                made[f"{type(part).__name__} {number}.{name}"] = last
    return made


def _values(tensor: Tensor, content: Content) -> bytes:
    rows = content.rows
    return bytes(buffer_of(rows.of(tensor) if rows is not None and rows.fit(tensor) else tensor))
