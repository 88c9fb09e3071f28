"""A model sharded over processes: each keeps its part of each weight, and of what Adam remembers.

    python -m reference launch fsdp-cpu-2 train accelerated

This is torch's second FSDP (`fully_shard`). Accelerate leaves it to GPUs (1.15), where it would do
the same in `prepare`; done here, before the optimizer is made, it runs on a CPU as well. The first
FSDP doesn't run on a CPU in torch 2.13.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def shard(model: "PreTrainedModel", device: str) -> None:
    """Shard a model in place over all processes, a layer at a time.

    Args:
        model: whole, and alike on all processes.
        device: `cpu`, or `cuda`, to which the shards go.
    """
    import torch.distributed as dist
    from torch import nn
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (dist.get_world_size(),))
    # The list that holds all layers comes before what a layer may have of its own.
    layers = next(part for part in model.base_model.modules() if isinstance(part, nn.ModuleList))
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    # `accelerator.prepare` would wrap it as a whole model; by this it leaves it (accelerate 1.15).
    model._is_accelerate_prepared = True
