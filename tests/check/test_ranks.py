"""The ranks of a run, held against each other."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch.optim import SGD

from reference.check.examination import Examination, examine_run
from reference.check.report_text import lines
from reference.ledger.record import Writer
from reference.observe.observer import Observer
from tests.check.ledgers import names_in
from tests.check.sound_runs import mlp


def rank(path: Path, number: int, *, seed: int, rate: float = 0.1) -> None:
    """A rank of two; the gradients of both are those of the same rows where the seed is one."""
    torch.manual_seed(0)
    model = mlp()
    optimizer = SGD(model.parameters(), rate)
    generator = torch.Generator().manual_seed(seed)
    shared = torch.Generator().manual_seed(9)
    with Observer(Writer(path, {"program": {}, "rank": number, "world_size": 2})):
        for step in range(6):
            x = torch.randn(8, 6, generator=generator)
            loss = F.cross_entropy(model(x), torch.ones(8).long())
            optimizer.zero_grad()
            loss.backward()
            for parameter in model.parameters():  # as if averaged over both
                parameter.grad = torch.randn(parameter.shape, generator=shared)
            if step == 3 and rate != 0.1:
                optimizer.param_groups[0]["lr"] = 0.2
            optimizer.step()


def two(folder: Path, *, seeds: tuple[int, int], rate: float = 0.1) -> Examination:
    rank(folder / "ledger.jsonl", 0, seed=seeds[0])
    rank(folder / "ledger-1.jsonl", 1, seed=seeds[1], rate=rate)
    return examine_run(folder)
