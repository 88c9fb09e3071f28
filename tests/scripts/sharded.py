"""Two processes that share each weight: FSDP (`fully_shard`), and then tensor parallelism."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)


def fsdp(mesh):
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    fully_shard(model[0], mesh=mesh)
    return fully_shard(model, mesh=mesh)


def tensor_parallel(mesh):
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    return parallelize_module(model, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})


def evaluate(model):
    with torch.no_grad():
        return float(model(torch.ones(2, 4)).sum())


def train(make, mesh, seed):
    torch.manual_seed(0)
    model = make(mesh)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    scores = [evaluate(model)]
    for step in range(3):
        optimizer.zero_grad()
        for _ in range(1 + step % 2):
            model(torch.randn(5, 4, generator=generator)).pow(2).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        scores.append(evaluate(model))
    full = {name: tensor.full_tensor() for name, tensor in model.state_dict().items()}
    return scores, [tensor.tolist() for tensor in full.values()]


dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("dp",))
for make, seed in ((fsdp, dist.get_rank()), (tensor_parallel, 0)):
    result = train(make, mesh, seed)
    if dist.get_rank() == 0:
        print(result)
dist.destroy_process_group()
