"""A training that makes a new model every few steps: its steps don't grow with their number."""

import sys
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim import Adam

from reference.diff.ledgers import diff
from reference.ledger.reader import Item, Memory
from reference.observe.observer import Observer
from tests.helpers.small import net


class Calls:
    """How many functions Python calls while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Calls":
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, _frame: FrameType, event: str, _arg: Any) -> None:
        self.count += event == "call"


def train_anew(base: nn.Module) -> None:
    """Two steps of a new model, on top of one that stays."""
    head = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    model = nn.Sequential(base, head)
    optimizer = Adam(model.parameters(), 0.01)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(5, 4)).sum().backward()
        optimizer.step()


def watch_many(models: int) -> tuple[Memory, list[int]]:
    """The ledger, and how many calls each model took."""
    torch.manual_seed(0)
    memory, base, counts = Memory({}), net(), []
    with Observer(memory):
        for _ in range(models):
            with Calls() as calls:
                train_anew(base)
            counts.append(calls.count)
    return memory, counts


def lines(memory: Memory, kind: str) -> list[Item]:
    return [item for item in memory.ledger.items if item.kind == kind]


def test_a_step_takes_no_more_calls_and_no_longer_line_after_many_models() -> None:
    memory, counts = watch_many(40)
    assert counts[-1] <= 1.05 * min(counts[5:10])
    for kind in ("step", "model"):
        sizes = [len(item.line) for item in lines(memory, kind)]
        # A few digits more, and where the places of the dead are.
        assert sizes[-1] <= max(sizes[4:10]) + 60, kind


def test_the_places_of_dead_models_stay_theirs() -> None:
    first, second = watch_many(5)[0].ledger, watch_many(5)[0].ledger
    assert diff(first, second).verdict == "identical"
    last = first.steps[-1]
    hashes = last["update"]["tensors"].split()
    names = [name for model in first.models for name, _ in model["parameters"]]
    assert len(hashes) == len(names) == len(last["optimizer"]["of"].split())
    alive = [name for name, each in zip(names, hashes, strict=True) if each != "-"]
    assert sum(not name.startswith("model") for name in alive) == 4  # of the one that stays
    assert {name.split(".")[0] for name in alive} >= {"model4"}
    gone = [name for model in first.models for name in model["gone"]]
    assert len(gone) == len(set(gone)) == 3 * 6  # the last two are there until the end
