"""Three processes: the first start fails; then one has another rate, and one only evaluates."""

import os
import sys

rank = int(os.environ["RANK"])
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and rank == 1:
    sys.exit(3)

import torch
import torch.distributed as dist
from torch import nn

dist.init_process_group("gloo")
both = dist.new_group([0, 1])
torch.manual_seed(0)
model = nn.Linear(4, 2)
if rank < 2:
    model = nn.parallel.DistributedDataParallel(model, process_group=both)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    generator = torch.Generator().manual_seed(rank)
    for step in range(4):
        if rank == 1 and step == 1:
            optimizer.param_groups[0]["lr"] = 0.2
        optimizer.zero_grad()
        model(torch.randn(5, 4, generator=generator)).pow(2).sum().backward()
        optimizer.step()
else:
    with torch.no_grad():
        model(torch.randn(5, 4))
dist.barrier()
if rank == 0:
    torch.save(model.module.state_dict(), "saved.pt")
dist.destroy_process_group()
