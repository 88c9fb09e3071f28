"""Data workers, a forked child that trains a model of its own, and a spawned one."""

import multiprocessing as mp
import os

import torch
from digest import digest
from torch.utils.data import DataLoader, TensorDataset


def train(seed, steps=3):
    torch.manual_seed(seed)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = TensorDataset(torch.randn(8 * steps, 4))
    for (x,) in DataLoader(data, batch_size=8, num_workers=2 if seed == 0 else 0):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return digest(model)


def in_process(method):
    context = mp.get_context(method)
    with context.Pool(1) as pool:
        return pool.apply(train, (1, 5))


if __name__ == "__main__":
    print("mine", train(0))
    print("forked", in_process("fork"))
    print("spawned", in_process("spawn"))
    pid = os.fork()
    if pid == 0:
        print("child", train(2), flush=True)  # and comes to the script's end, as its parent does
    else:
        os.waitpid(pid, 0)
        print("mine", train(3, steps=4))
