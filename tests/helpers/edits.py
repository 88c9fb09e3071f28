"""A small ledger, and every way in which somebody may edit a value of it."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from reference.ledger.reader import read_ledger
from reference.ledger.record import Writer, encode
from reference.observe.observer import Observer

Place = tuple[Any, ...]  # keys from the outermost to the innermost
KINDS = ("model", "step", "evaluation", "end")


class Counted(nn.Module):
    """Two passes a step, buffers of both kinds, dropout that draws numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
        self.head = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        outputs: torch.Tensor = self.head(self.body(x))
        return outputs


def write_ledger(path: Path) -> None:
    """The ledger of three steps of two passes each, with records of every kind."""
    torch.manual_seed(0)
    with Observer(Writer(path, {})) as observer:
        model, criterion = Counted(), nn.CrossEntropyLoss()
        groups = [{"params": model.body.parameters()}, {"params": model.head.parameters()}]
        groups[1]["lr"] = 0.02  # type: ignore[assignment]
        optimizer = AdamW(groups, 0.01)
        for _ in range(3):
            optimizer.zero_grad()
            for _ in range(2):
                loss = criterion(model(torch.randn(5, 4)), torch.randint(0, 2, (5,)))
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            criterion(model(torch.randn(5, 4)), torch.randint(0, 2, (5,)))
        observer.add_scores({"accuracy": 0.5})


def _places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place in a record."""
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    for key, one in inner.items() if isinstance(inner, dict) else ():
        yield (*path, key)
        yield from _places(one, (*path, key))


def _at(record: Any, path: Place) -> Any:
    for key in path:
        record = record[key]
    return record


def _other(value: Any) -> Any:
    """Another value that could stand there."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if value is None:
        return 0.25
    if isinstance(value, str):
        first, *rest = value.split(" ")
        digit = "1" if first[:1] == "0" else "0"
        return " ".join([digit + first[1:], *rest]) if first else "0"
    return type(value)()


Edit = Callable[[Any, Any], None]  # gets what holds the value, and under which key


def change(holder: Any, key: Any) -> None:
    holder[key] = _other(holder[key])


def take_out(holder: Any, key: Any) -> None:
    del holder[key]


def put_in_twice(holder: Any, key: Any) -> None:
    if not isinstance(holder, list):
        holder[f"{key} 2"] = copy.deepcopy(holder[key])
    else:
        holder.insert(key, copy.deepcopy(holder[key]))


def shorten(holder: Any, key: Any) -> None:
    if isinstance(holder[key], str) and " " in holder[key]:
        holder[key] = holder[key].rpartition(" ")[0]
    else:
        change(holder, key)


EDITS: tuple[Edit, ...] = (change, take_out, put_in_twice, shorten)


def edited(ledger: Path, kind: str, edit: Edit) -> Iterator[tuple[Place, list[bytes]]]:
    """The lines of a ledger, the last record of a kind with one value edited, each in its turn."""
    lines = ledger.read_bytes().splitlines(keepends=True)
    items = read_ledger(ledger).items
    row = [n for n, item in enumerate(items, 1) if item.kind == kind][-1]
    record = items[row - 1].record
    for path in _places(record):
        changed = copy.deepcopy(record)
        edit(_at(changed, path[:-1]), path[-1])
        if changed != record:
            yield path, [*lines[:row], encode(changed), *lines[row + 1 :]]
