"""Evaluations of several sets of rows with one model: in another order, or one of them twice."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, sgd

OTHER_ORDER = "in a different order: sets of rows that are evaluated after step 5"
ALONE = "not compared: an evaluation that the other run didn't make"


def trained(outputs: int = 3) -> nn.Module:
    model = mlp(outputs)
    fit(model)
    model.eval()
    return model


def of_sets(
    order: Sequence[str],
    sizes: tuple[int, int] = (20, 12),
    *,
    batch: int = 8,
    loaders: bool = True,
    shift: float = 0.0,
    loss: bool = False,
) -> dict[str, Any]:
    """Validation and test by one model, in this order."""
    model, sets = trained(), {"val": rows(sizes[0], 7), "test": rows(sizes[1], 8) + shift}
    targets = {name: labels(len(each), len(each)) for name, each in sets.items()}
    gives: dict[str, list[Tensor]] = {name: [] for name in sets}
    with torch.no_grad():
        for name in order:
            every = list(zip(sets[name], targets[name], strict=True))
            parts = DataLoader(every, batch) if loaders else batches(every, batch)
            gives[name] = []
            for inputs, classes in parts:
                outputs = model(inputs)
                gives[name].append(outputs)
                if loss:
                    gives[name].append(nn.functional.cross_entropy(outputs, classes)[None])
    return {name: torch.cat([g.flatten() for g in gives[name]]) for name in ("val", "test")}


def batches(every: list[Any], size: int) -> list[Any]:
    starts = range(0, len(every), size)
    return [tuple(map(torch.stack, zip(*every[n : n + size], strict=True))) for n in starts]


def order(second: bool) -> tuple[str, str]:
    return ("test", "val") if second else ("val", "test")


@pair("", OTHER_ORDER)
def two_sets_in_another_order(second: bool) -> dict[str, Any]:
    return of_sets(order(second))


@pair("", OTHER_ORDER)
def two_sets_of_whole_batches_in_another_order(second: bool) -> dict[str, Any]:
    return of_sets(order(second), (16, 8))


@pair("", OTHER_ORDER)
def two_sets_in_another_order_without_loaders(second: bool) -> dict[str, Any]:
    return of_sets(order(second), loaders=False)


@pair("", OTHER_ORDER)
def two_sets_with_a_loss_in_another_order(second: bool) -> dict[str, Any]:
    return of_sets(order(second), loss=True)


@pair("metrics")
def two_sets_in_another_order_one_with_other_rows(second: bool) -> dict[str, Any]:
    return of_sets(order(second), shift=0.1 * second)


@pair("metrics", "rows of input")
def two_sets_one_with_other_rows(second: bool) -> dict[str, Any]:
    return of_sets(("val", "test"), shift=0.1 * second)


@pair("metrics")
def the_batches_of_one_set_in_another_order(second: bool) -> dict[str, Any]:
    model, gives = trained(), []
    parts = rows(24).split(8)
    with torch.no_grad():
        gives = [model(part) for part in (parts[::-1] if second else parts)]
    return {"gives": torch.cat(gives)}


@pair("", ALONE)
def a_first_batch_for_a_look(second: bool) -> dict[str, Any]:
    model, loader = trained(), DataLoader(list(rows(24)), 8)
    with torch.no_grad():
        if second:
            model(next(iter(loader)))
        return {"gives": torch.cat([model(part) for part in loader])}


@pair("", ALONE)
def a_first_batch_for_a_look_without_a_loader(second: bool) -> dict[str, Any]:
    model, parts = trained(), rows(24).split(8)
    with torch.no_grad():
        if second:
            model(parts[0])
        return {"gives": torch.cat([model(part) for part in parts])}


@pair("", ALONE)
def the_last_batch_once_more(second: bool) -> dict[str, Any]:
    model, parts = trained(), rows(24).split(8)
    with torch.no_grad():
        gives = torch.cat([model(part) for part in parts])
        if second:
            model(parts[-1])
    return {"gives": gives}


@pair("metrics", "count: 20 and 24")
def rows_that_fill_the_last_batch(second: bool) -> dict[str, Any]:
    inputs = rows(20)
    inputs = torch.cat([inputs, inputs[:4]]) if second else inputs
    model = trained()
    with torch.no_grad():
        return {"gives": torch.cat([model(part) for part in inputs.split(8)])}


@pair("metrics", "count: 24 and 16")
def the_last_whole_batch_left_out(second: bool) -> dict[str, Any]:
    model, parts = trained(), rows(24).split(8)
    with torch.no_grad():
        return {"gives": torch.cat([model(part) for part in parts[: 2 if second else 3]])}


def texts(lengths: Sequence[int], numbers: Tensor) -> list[Tensor]:
    return list(numbers.split(list(lengths)))


def by_tokens(padded: Sequence[Tensor]) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3)))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        ids = torch.randint(1, 10, (4, 5), generator=torch.Generator().manual_seed(step))
        model(ids).pow(2).sum().backward()
        optimizer.step()
    with torch.no_grad():
        return {"rows": [model(ids)[ids != 0].tolist() for ids in padded], "padded": padded}


@pair("metrics", "where rows begin and end")
def the_same_tokens_in_other_rows(second: bool) -> dict[str, Any]:
    tokens = torch.randint(1, 10, (10,), generator=torch.Generator().manual_seed(3))
    lengths = (5, 2, 3) if second else (5, 3, 2)
    return by_tokens([pad_sequence(texts(lengths, tokens), batch_first=True)])


@pair("metrics", "where rows begin and end")
def the_same_tokens_in_other_rows_and_other_batches(second: bool) -> dict[str, Any]:
    tokens = torch.randint(1, 10, (10,), generator=torch.Generator().manual_seed(3))
    rows_of = texts((5, 2, 3) if second else (5, 3, 2), tokens)
    size = 3 if second else 1
    parts = [rows_of[n : n + size] for n in range(0, 3, size)]
    return by_tokens([pad_sequence(part, batch_first=True) for part in parts])


def padded_at(second: bool, mask: bool, pooled: bool = True) -> dict[str, Any]:
    """Rows padded at their ends, or at their beginnings; a mean leaves the padding out."""

    def call(self: Any, ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        given = ids != 0 if attention_mask is None else attention_mask
        embedded = self.embedding(ids) * given[..., None]
        return self.head(embedded.sum(1) / given.sum(1)[:, None] if pooled else embedded)

    parts = {"embedding": nn.Embedding(10, 4), "head": nn.Linear(4, 3)}
    model = seeded(lambda: Named(call, **parts))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        ids = torch.randint(1, 10, (4, 5), generator=torch.Generator().manual_seed(step))
        model(ids).pow(2).sum().backward()
        optimizer.step()
    classes = []
    g = torch.Generator().manual_seed(9)
    rows_of = [torch.randint(1, 10, (n,), generator=g) for n in (3, 6, 2, 5)]
    width = max(map(len, rows_of))
    gaps = [width - len(r) for r in rows_of]
    ids = torch.stack(
        [pad(r, (gap, 0) if second else (0, gap)) for r, gap in zip(rows_of, gaps, strict=True)]
    )
    with torch.no_grad():
        given = {"attention_mask": (ids != 0).long()} if mask else {}
        classes = model(ids, **given).argmax(-1)
    return {"classes": classes if pooled else classes[ids != 0]}


@pair()
def rows_padded_at_the_other_side(second: bool) -> dict[str, Any]:
    return padded_at(second, True)


@pair()
def tokens_padded_at_the_other_side(second: bool) -> dict[str, Any]:
    return padded_at(second, True, False)


@pair("incomparable", "zeros")
def rows_padded_at_the_other_side_without_a_mask(second: bool) -> dict[str, Any]:
    return {**padded_at(second, False), "side": second}
