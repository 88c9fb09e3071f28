"""Ways in which two processes train together, each with a ledger in a folder of its own.

    torchrun --nproc_per_node 2 ways_in_parallel.py [plain]

What each of them has trained is saved beside it; `plain` is without an observer.
"""

import contextlib
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from torch.distributed.algorithms.join import Join
from torch.distributed.algorithms.model_averaging.averagers import PeriodicModelAverager
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel as DDP

from reference.observe.script import observing

dist.init_process_group("gloo")
RANK = dist.get_rank()
STEPS = 4
PLAIN = sys.argv[1:] == ["plain"]
trained = []


class Net(nn.Module):
    def __init__(self, *, norm=False, spare=False, scale=None):
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()
        self.last = nn.Linear(6, 3)
        if spare:
            self.spare = nn.Linear(2, 2)
        self.register_buffer("scale", torch.tensor([1.0 if scale is None else scale]))

    def forward(self, inputs):
        return self.last(torch.tanh(self.norm(self.first(inputs)))) * self.scale


def batches(count=STEPS, seed=None):
    generator = torch.Generator().manual_seed(100 + RANK if seed is None else seed)
    return [torch.randn(5, 4, generator=generator) for _ in range(count)]


def loop(model, optimizer, data, before_step=None, after_step=None):
    for number, inputs in enumerate(data):
        optimizer.zero_grad()
        model(inputs).pow(2).mean().backward()
        if before_step is not None:
            before_step(number)
        optimizer.step()
        if after_step is not None:
            after_step(number)


def adam(model, rate=0.01):
    trained.extend(model.parameters())
    return torch.optim.AdamW(model.parameters(), rate)


def ddp(rate=0.01, **options):
    def train(model=None, prepare=None):
        model = DDP(Net() if model is None else model, **options)
        if prepare is not None:
            prepare(model)
        loop(model, adam(model, rate), batches())

    return train


def clipped():
    model = DDP(Net())
    loop(model, adam(model), batches(), lambda _: nn.utils.clip_grad_norm_(model.parameters(), 0.1))


def no_sync():
    model = DDP(Net())
    optimizer = adam(model)
    for inputs in batches():
        optimizer.zero_grad()
        with model.no_sync():
            model(inputs * 2).pow(2).mean().backward()
        model(inputs).pow(2).mean().backward()
        optimizer.step()


def by_hand(rate=0.01, seed=0, skipped=None):
    torch.manual_seed(seed)
    model = Net()
    optimizer = adam(model, rate)

    def reduce(_):
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= 2

    for number, inputs in enumerate(batches()):
        optimizer.zero_grad()
        model(inputs).pow(2).mean().backward()
        reduce(number)
        if number != skipped:
            optimizer.step()


def join():
    model = DDP(Net())
    with Join([model]):
        loop(model, adam(model), batches(STEPS + RANK))


def zero():
    model = DDP(Net())
    trained.extend(model.parameters())
    optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.AdamW, lr=0.01)
    loop(model, optimizer, batches())


def local_sgd(warmup=0):
    model = Net()
    averager = PeriodicModelAverager(period=2, warmup_steps=warmup)
    loop(
        model,
        adam(model),
        batches(6),
        after_step=lambda _: averager.average_parameters(model.parameters()),
    )


def pipeline():
    torch.manual_seed(RANK)
    model = nn.Linear(4, 4)
    optimizer = adam(model)
    for inputs in batches(seed=0):
        optimizer.zero_grad()
        if RANK == 0:
            outputs = model(inputs)
            dist.send(outputs.detach(), 1)
            gradient = torch.empty_like(outputs)
            dist.recv(gradient, 1)
            outputs.backward(gradient)
        else:
            received = torch.empty(5, 4)
            dist.recv(received, 0)
            received.requires_grad_()
            model(received).pow(2).mean().backward()
            dist.send(received.grad, 0)
        optimizer.step()


def fsdp():
    model = fully_shard(Net(), mesh=init_device_mesh("cpu", (2,)))
    loop(model, adam(model), batches())


def tensor_parallel():
    plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    model = parallelize_module(model, init_device_mesh("cpu", (2,)), plan)
    loop(model, adam(model), batches(seed=0))


def sweep():
    model = Net()
    loop(model, adam(model, 0.01 * (1 + RANK)), batches(seed=0))


def evaluates():
    model = Net()
    if RANK == 0:
        loop(model, adam(model), batches())
    else:
        with torch.no_grad():
            model(torch.ones(2, 4))


def other_seed():
    """DDP sends rank 0's weights when it is made; this comes after it."""

    def change(model):
        torch.manual_seed(RANK)
        nn.init.normal_(model.module.first.weight)

    ddp()(prepare=change)


WAYS = {
    "ddp": ddp(),
    "clipped": clipped,
    "no_sync": no_sync,
    "batch_norm": lambda: ddp()(Net(norm=True)),
    "batch_norm_of_each": lambda: ddp(broadcast_buffers=False)(Net(norm=True)),
    "join": join,
    "unused": lambda: ddp(find_unused_parameters=True)(Net(spare=True)),
    "static_graph": ddp(static_graph=True),
    "bucket_views": ddp(gradient_as_bucket_view=True),
    "hook": lambda: ddp()(prepare=lambda m: m.register_comm_hook(None, fp16_compress_hook)),
    "buffers_put_right": lambda: ddp()(Net(scale=1.0 + RANK)),
    "by_hand": by_hand,
    "zero": zero,
    "local_sgd": local_sgd,
    "post_local_sgd": lambda: local_sgd(warmup=2),
    "pipeline": pipeline,
    "fsdp": fsdp,
    "tensor_parallel": tensor_parallel,
    "sweep": sweep,
    "evaluates": evaluates,
    # Faults, of rank 1.
    "other_rate": ddp(0.01 * (1 + RANK)),
    "other_seed": other_seed,
    "other_seed_by_hand": lambda: by_hand(seed=RANK),
    "other_buffer": lambda: ddp(broadcast_buffers=False)(Net(scale=1.0 + RANK)),
    "skipped_step": lambda: by_hand(skipped=2 if RANK else None),
}
for name, train in WAYS.items():
    torch.manual_seed(0)
    trained.clear()
    with contextlib.nullcontext() if PLAIN else observing(name):
        train()
    own = [p.to_local() if isinstance(p, DTensor) else p for p in trained]
    torch.save([p.detach().clone() for p in own], f"{name}-{RANK}.pt")
    dist.barrier()
dist.destroy_process_group()
