"""What the ledger writes of batches, outputs and modes.

See it: `python -m reference train manual --max-steps 5 --run-dir try`, then `try/ledger.jsonl`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step.rows import MASK, Rows, mask_of
from reference.observe.tensors.first_parameter import first_parameter
from reference.observe.tensors.hashing import hash_tensor
from reference.observe.tensors.shards import local_part

Number = float | str
FEW = 64  # logits of a batch, at most, that are written as numbers too; and rows, as hashes
IDS = "input_ids"
# Types of which torch finds the least and the largest value in one go (2.13).
ORDERED = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64} | {
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
}
# Types of whole numbers that a script may as well give as int64.
NARROW = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32}
OUTPUT_FIELDS = ("model", "arguments")  # what stands among a model's outputs, and is none
IGNORED = -100  # torch's own `ignore_index` of a cross entropy


def number(value: Tensor | float) -> Number:
    """A float, exactly; 'nan', 'inf' and '-inf' as words, which JSON has no numbers for."""
    plain = float(local_part(value) if isinstance(value, Tensor) else value)
    return plain if math.isfinite(plain) else str(plain)


def batch(
    inputs: Mapping[str, Tensor], rows: Rows | None = None, plain: Record | None = None
) -> Record:
    """The link `batch` of one forward pass, given its inputs by name.

    A bare number that is passed along (the Trainer's `num_items_in_batch`) is no input but an
    argument: where it does something, that shows in the links that follow, and it is named.

    Args:
        inputs: tensors of any shape, as `arguments_of` gives them.
        rows: the rows of the batch, where it has any.
        plain: the arguments beside them that are no tensors.

    Returns:
        By name: hash, shape, type, the one value of a tensor that has no other, and what more is
        to be told of it (`_more`). And `tokens`, the number of ones in `attention_mask`, if that is
        a mask of zeros and ones; and `arguments`, where there are any.

    Raises:
        TypeError: for a tensor whose bytes can't be read (nested, or without values).
    """
    mask = mask_of(inputs)
    tokens = None if mask is None else int(mask.sum())
    padded = mask if mask is not None and tokens != mask.numel() else None
    described: Record = {
        beside(name, "tokens", "model", "arguments"): _input(name, t, rows, inputs.get(IDS), padded)
        for name, t in sorted(inputs.items())
        if t.dim() > 0
    }
    if tokens is not None:
        described["tokens"] = tokens
    return {**described, "arguments": plain} if plain else described


def _input(
    name: str, tensor: Tensor, rows: Rows | None, ids: Tensor | None, mask: Tensor | None
) -> list[Any]:
    one = constant(tensor)
    form = list(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    told_apart = rows if one is None and name != MASK else None
    return [hash_tensor(tensor), *form, one, *_more(name, tensor, told_apart, ids, mask)]


def _more(
    name: str, tensor: Tensor, rows: Rows | None, ids: Tensor | None, mask: Tensor | None
) -> list[Record]:
    """What tells two unequal inputs apart, in a mapping; no mapping where there is nothing.

    `values`: of whole numbers of another type the hash that int64 would have.
    `rows`: a hash of each row without its padding. `ignored`: how many labels are IGNORED, which a
    loss leaves out. `unlike_ids`: in how many places the others aren't the ids at that place, and
    `unlike_next_ids`, then: in how many they aren't those of the place after it. `on_padding`: how
    many of the others stand where `mask`, of their shape and not all ones, is 0.
    """
    more: Record = {}
    if tensor.dtype in NARROW and tensor.layout == torch.strided and not tensor.is_nested:
        more["values"] = hash_tensor(local_part(tensor).detach().to(torch.int64))
    if rows is not None and rows.count <= FEW and rows.fit(tensor):
        more["rows"] = " ".join(rows.hashes(dense(tensor)))
    if "label" in name and tensor.dtype == torch.int64:
        labels = tensor.detach()
        ignored = labels == IGNORED
        more["ignored"] = int(ignored.sum())
        if mask is not None and mask.shape == labels.shape and mask.device == labels.device:
            more["on_padding"] = int(((mask == 0) & ~ignored).sum())
        if ids is not None and ids.shape == labels.shape and ids.device == labels.device:
            more["unlike_ids"] = int(((labels != ids.detach()) & ~ignored).sum())
            if more["unlike_ids"]:
                shifted, left_out = labels[..., :-1], ignored[..., :-1]
                more["unlike_next_ids"] = int(((shifted != ids[..., 1:]) & ~left_out).sum())
    return [more] if more else []


def beside(name: str, *fields: str) -> str:
    """An input's or output's name where the record has fields of its own by that name."""
    return f"{name} (the model's)" if name in fields else name


def dense(tensor: Tensor) -> Tensor:
    """Its values, as a tensor that all operations know.

    Raises:
        TypeError: for a nested tensor and for one without values.
    """
    plain = local_part(tensor).detach()
    if plain.is_nested or plain.is_meta:
        raise TypeError("a nested tensor, or one without values, can't be read")
    plain = plain.dequantize() if plain.is_quantized else plain
    plain = plain if plain.layout == torch.strided else plain.to_dense()
    return plain.to(torch.uint8) if plain.dtype == torch.bool else plain


def constant(tensor: Tensor) -> Number | None:
    """The one value of a tensor that has no other, as a mask without padding; else None."""
    plain = tensor.layout == torch.strided and not tensor.is_quantized
    if not plain or tensor.numel() == 0 or tensor.is_complex():
        return None
    values = tensor.detach()
    if values.dtype in ORDERED:
        low, high = torch.aminmax(values)
        has_one = bool(low == high)
    else:
        has_one = bool((values == values.reshape(-1)[0]).all())
    return number(values.reshape(-1)[0]) if has_one else None


def logits(outputs: Mapping[str, Tensor]) -> Tensor | None:
    """The logits among a model's outputs, or else its first output of more than a number."""
    if "logits" in outputs:
        return outputs["logits"]
    return next((t for t in outputs.values() if t.dim() > 0), None)


def name_of_loss(outputs: Mapping[str, Tensor]) -> str | None:
    """Which output is the model's loss: the only number to backpropagate, whatever it is called."""
    if "loss" in outputs:
        return "loss"
    real = {name: t for name, t in outputs.items() if not t.is_complex()}
    numbers = [name for name, t in real.items() if t.dim() == 0 and t.requires_grad]
    return numbers[0] if len(numbers) == 1 else None


def forward(outputs: Mapping[str, Tensor]) -> Record:
    """The link `forward` of one pass, given its outputs by name.

    Accelerate gives float32 copies of what a model computes in bf16, so the hash is of these. What
    is float64 is hashed as it is.

    Returns:
        The loss as a number; of each other output hash, shape, and its values where they are FEW,
        or else their mean.

    Raises:
        TypeError: for a tensor whose bytes can't be read (nested, or without values).
    """
    described: Record = {}
    loss = name_of_loss(outputs)
    for plain_name, tensor in outputs.items():
        name = "loss" if plain_name == loss else beside(plain_name, *OUTPUT_FIELDS)
        values = dense(tensor)
        if values.is_floating_point() and values.dtype != torch.float64:
            values = values.float()
        if values.is_complex():
            described[name] = [hash_tensor(values), list(values.shape), []]
        elif values.numel() == 1 and (name == "loss" or values.dim() == 0):
            described[name] = number(values)
        else:
            described[name] = [hash_tensor(values), list(values.shape), _numbers(values)]
    return described


def _numbers(values: Tensor) -> list[Number]:
    few = values.reshape(-1)[:FEW] if values.numel() <= FEW else values.float().mean()[None]
    return [number(v) for v in few.tolist()]


def mode(module: torch.nn.Module, parts: Iterable[torch.nn.Module]) -> Record:
    """The link `mode`: train or eval of the model, and the modules unlike their parent.

    Args:
        module: the model.
        parts: it, and all modules within it.
    """
    odd: list[str] = []
    if any(part.training != module.training for part in parts):
        modes = {name: m.training for name, m in module.named_modules()}
        above = ((name, name.rpartition(".")[0]) for name in modes)
        odd = [name for name, parent in above if modes[name] != modes.get(parent, modes[name])]
    return {"training": module.training, "odd": odd, "gradients": torch.is_grad_enabled()}


def autocast(module: torch.nn.Module) -> str:
    """The type that autocast computes in where the model is now (`bfloat16`), or 'off'."""
    first = first_parameter(module)
    device = "cpu" if first is None else first.device.type
    if not torch.is_autocast_enabled(device):
        return "off"
    return str(torch.get_autocast_dtype(device)).removeprefix("torch.")
