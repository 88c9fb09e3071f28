"""What the ledger writes of each thing that it sees: batches, outputs, modes, optimizers.

See it: `python -m reference train manual --max-steps 5 --run-dir try`, then `try/ledger.jsonl`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reference.ledger.hashing import combine, hash_tensor
from reference.ledger.record import Record

Number = float | str


def number(value: Tensor | float) -> Number:
    """A float, exactly; 'nan', 'inf' and '-inf' as words, which JSON has no numbers for."""
    plain = float(value)
    return plain if math.isfinite(plain) else str(plain)


def named_tensors(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors among a forward pass's arguments; nested ones as `outer.inner`."""
    found: dict[str, Tensor] = {}

    def collect(name: str, value: Any) -> None:
        if isinstance(value, Tensor):
            found[name] = value
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                collect(f"{name}.{key}" if name else str(key), inner)
        elif isinstance(value, list | tuple):
            for i, inner in enumerate(value):
                collect(f"{name}[{i}]", inner)

    for i, value in enumerate(args):
        collect(f"[{i}]", value)
    collect("", kwargs)
    return found


def batch(inputs: Mapping[str, Tensor]) -> Record:
    """By name: hash, shape, type; and how many tokens are real, where a mask says so.

    A bare number that is passed along (the Trainer's `num_items_in_batch`) isn't part of the
    batch: where it does something, that shows in the links that follow.
    """
    described: Record = {
        name: [hash_tensor(t), list(t.shape), str(t.dtype).removeprefix("torch.")]
        for name, t in sorted(inputs.items())
        if t.dim() > 0
    }
    if "attention_mask" in inputs:
        described["tokens"] = int(inputs["attention_mask"].sum())
    return described


def outputs(output: Any) -> dict[str, Tensor]:
    """The tensors of a forward pass's output by name; a bare one is `output`."""
    if isinstance(output, Tensor):
        return {"output": output}
    if isinstance(output, Mapping):
        return {k: v for k, v in output.items() if isinstance(v, Tensor)}
    if isinstance(output, list | tuple):
        return {f"[{i}]": v for i, v in enumerate(output) if isinstance(v, Tensor)}
    return {}


def logits(found: Mapping[str, Tensor]) -> Tensor | None:
    """The logits among a model's outputs, or else its first output of more than a number."""
    if "logits" in found:
        return found["logits"]
    return next((t for t in found.values() if t.dim() > 0), None)


def forward(found: Mapping[str, Tensor]) -> Record:
    """The loss as a number, and each other output's hash, as float32.

    Accelerate gives float32 copies of what a model computes in bf16, so the hash is of these.
    """
    described: Record = {}
    for name, tensor in found.items():
        if tensor.numel() == 1 and (name == "loss" or tensor.dim() == 0):
            described[name] = number(tensor.detach())
        else:
            values = tensor.detach()
            described[name] = hash_tensor(values.float() if values.is_floating_point() else values)
    return described


def mode(module: torch.nn.Module) -> Record:
    """Train or eval: of the model, and the names of the modules that differ from it."""
    odd = [name for name, m in module.named_modules() if m.training != module.training]
    return {"training": module.training, "odd": odd, "gradients": torch.is_grad_enabled()}


def autocast(parameter: Tensor) -> str:
    """The type that autocast computes in on this tensor's device, or 'off'."""
    device = parameter.device.type
    if not torch.is_autocast_enabled(device):
        return "off"
    return str(torch.get_autocast_dtype(device)).removeprefix("torch.")


def model(index: int, module: torch.nn.Module, parameters: Mapping[str, Tensor]) -> Record:
    """The record that names a model's parameters, in the order of the steps' hashes."""
    return {
        "kind": "model",
        "model": index,
        "class": type(module).__name__,
        "parameters": [[name, list(p.shape), p.requires_grad] for name, p in parameters.items()],
    }


def optimizer(stepped: torch.optim.Optimizer, parameters: Mapping[str, Tensor]) -> Record:
    """Class, each group's hyper-parameters, and which parameters it has or lacks.

    What says how a step is computed (`fused`, `foreach`) is kept: it can move bits.
    """
    names = {id(p): name for name, p in parameters.items()}
    groups = []
    held: set[int] = set()
    for group in stepped.param_groups:
        hyper = {k: _plain(v) for k, v in group.items() if k not in ("params", "initial_lr")}
        members = sorted(names.get(id(p), "a stranger") for p in group["params"])
        held.update(id(p) for p in group["params"])
        groups.append({**hyper, "parameters": len(members), "members": combine(members)})
    left_out = [name for name, p in parameters.items() if id(p) not in held and p.requires_grad]
    return {"class": type(stepped).__name__, "groups": groups, "left_out": left_out}


def learning_rates(stepped: torch.optim.Optimizer) -> list[Number]:
    """Each group's learning rate as it stands."""
    return [number(group["lr"]) for group in stepped.param_groups]


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return number(value) if value.numel() == 1 else hash_tensor(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, bool | int | str) or value is None else str(value)
