"""Evaluations of the same rows in other batches, padded on another side, or token by token."""

from typing import Any

import torch
from torch import Tensor, nn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, mlp, rows, seeded, sgd, squares


def one_number(second: bool, change: Any) -> dict[str, Any]:
    model = seeded(lambda: Named(lambda self, x: self.layer(x), layer=mlp(1)))
    fit(model, loss=squares)
    if second:
        model.call = lambda self, x: change(self.layer(x))
    with torch.no_grad():
        return {"gives": torch.cat([model(p) for p in rows(32).split(4 if second else 8)])}


@pair("metrics", "in different batches")
def one_number_a_row_given_to_other_rows(second: bool) -> dict[str, Any]:
    return one_number(second, lambda x: x.flip(0))


@pair("metrics", "sum and norm")
def one_number_a_row_and_a_factor(second: bool) -> dict[str, Any]:
    return one_number(second, lambda x: 1.002 * x)


@pair("metrics")
def several_numbers_a_row_exchanged(second: bool) -> dict[str, Any]:
    model = seeded(lambda: Named(lambda self, x: self.layer(x), layer=mlp(3)))
    fit(model, loss=squares)
    if second:  # the class stays the same

        def swap(self: Any, x: Tensor) -> Tensor:
            gives = self.layer(x)
            low = gives.topk(2, largest=False).indices
            return gives.scatter(1, low, gives.gather(1, low.flip(1)))

        model.call = swap
    with torch.no_grad():
        return {"gives": torch.cat([model(p) for p in rows(32).split(4 if second else 8)])}


class Reader(nn.Module):
    """Reads ids without any mask."""

    def __init__(self, ids: int = 6, *, pooled: bool = False) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(ids, 4), nn.Linear(4, 3)
        self.pooled, self.change = pooled, 0.0

    def forward(self, ids: Tensor) -> Tensor:
        gives: Tensor = self.head(self.embed(ids))
        gives = gives + self.change * (ids == 0)[..., None] * torch.tensor([1.0, 0.0, 0.0])
        return gives.mean(1) if self.pooled else gives


def read(second: bool, texts: list[list[int]], size: tuple[int, int], change: float) -> Any:
    model: Any = seeded(Reader)
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        model(torch.randint(1, 6, (4, 5), generator=torch.Generator().manual_seed(step))).pow(
            2
        ).mean().backward()
        optimizer.step()
    model.change = change * second
    ids = torch.tensor(texts)
    with torch.no_grad():
        return {"gives": torch.cat([model(part) for part in ids.split(size[second])])}


TEXTS = [[1, 2, 0, 0], [3, 4, 4, 0], [5, 1, 2, 3], [2, 2, 0, 0]]


@pair("metrics")
def zeros_at_the_end_that_are_tokens(second: bool) -> dict[str, Any]:
    return read(second, TEXTS, (4, 4), 3.0)


@pair("metrics")
def zeros_at_the_end_that_are_tokens_in_other_batches(second: bool) -> dict[str, Any]:
    return read(second, TEXTS, (4, 2), 3.0)


@pair()
def zeros_at_the_end_in_other_batches(second: bool) -> dict[str, Any]:
    return {"classes": read(second, TEXTS, (4, 2), 0.0)["gives"].argmax(-1)}


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        weights = attention_mask[..., None].float()
        mixed = (self.embed(input_ids) * weights).cumsum(1) / weights.cumsum(1).clamp(min=1)
        gives: Tensor = self.head(mixed)
        return gives


def padded(texts: list[list[int]], left: bool) -> tuple[Tensor, Tensor]:
    width = max(map(len, texts))
    empty = [[0] * (width - len(text)) for text in texts]
    pairs = list(zip(texts, empty, strict=True))
    ids = [e + t if left else t + e for t, e in pairs]
    mask = [[0] * len(e) + [1] * len(t) if left else [1] * len(t) + [0] * len(e) for t, e in pairs]
    return torch.tensor(ids), torch.tensor(mask)


def on_a_side(second: bool, texts: list[list[int]]) -> dict[str, Any]:
    model: Any = seeded(Masked)
    optimizer = sgd(model)
    for _ in range(3):
        optimizer.zero_grad()
        model(*padded([[1, 2, 3], [4, 5]], False)).pow(2).mean().backward()
        optimizer.step()
    ids, mask = padded(texts, second)
    with torch.no_grad():
        gives = model(input_ids=ids, attention_mask=mask)
    return {"classes": [g[m == 1].argmax(-1) for g, m in zip(gives, mask, strict=True)]}


@pair()
def padded_on_the_left(second: bool) -> dict[str, Any]:
    return on_a_side(second, [[1, 2, 3, 4], [5, 6], [7]])


@pair("metrics", "rows of input_ids")
def padded_on_the_left_with_other_tokens(second: bool) -> dict[str, Any]:
    text = [7] if second else [8]
    return {**on_a_side(second, [[1, 2, 3, 4], [5, 6], text]), "text": text}


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Any:
        return self.inner(x)


def through_a_wrapper(second: bool, size: int, shift: float = 0.0) -> dict[str, Any]:
    model = mlp()
    wrapper = Wrapper(model)
    fit(model)
    model.eval()
    called = wrapper if second else model
    with torch.no_grad():
        gives = [called(part + shift * second) for part in rows(16).split(size if second else 8)]
    return {"classes": torch.cat(gives).argmax(-1), "shift": shift * second}


@pair()
def a_wrapper_in_another_mode_is_evaluated(second: bool) -> dict[str, Any]:
    return through_a_wrapper(second, 8)


@pair()
def a_wrapper_is_evaluated_in_other_batches(second: bool) -> dict[str, Any]:
    return through_a_wrapper(second, 4)


@pair("metrics", "rows of")
def a_wrapper_is_evaluated_on_other_rows(second: bool) -> dict[str, Any]:
    return through_a_wrapper(second, 4, 0.5)


class Teller(nn.Module):
    """Tells a text on, with what it has read kept beside, or reading all of it anew."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 4), nn.Linear(4, 7)
        self.bias = 0.0

    def forward(self, input_ids: Tensor, past: Any = None) -> Any:
        read = self.embed(input_ids).tanh()
        kept = read if past is None else torch.cat([past, read], 1)
        logits = self.head(kept.mean(1)) * 3
        return {"logits": logits + self.bias * torch.arange(7), "past": kept}


def told(
    second: bool,
    *,
    cached: bool,
    sizes: tuple[int, int],
    bias: float = 0.0,
    lengths: tuple[int, int] = (4, 4),
) -> Any:
    model: Any = seeded(Teller)
    optimizer = sgd(model)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.tensor([[1, 2, 3], [4, 5, 6]]))["logits"].pow(2).mean().backward()
        optimizer.step()
    model.bias = bias * second
    prompts = torch.tensor([[1, 2], [3, 4], [5, 6], [2, 1]])
    told: list[Tensor] = []
    with torch.no_grad():
        for ids in prompts.split(sizes[second]):
            text, past, given = ids, None, ids
            for _ in range(lengths[second]):
                gives = model(given, past) if cached else model(text)
                new = gives["logits"].argmax(-1, keepdim=True)
                text, past, given = torch.cat([text, new], 1), gives["past"], new
            told.append(text)
    return {"texts": torch.cat(told)}


@pair("", "generat")
def texts_told_on_in_other_batches(second: bool) -> dict[str, Any]:
    return told(second, cached=True, sizes=(4, 2))


@pair("", "generat")
def texts_told_on_in_other_batches_read_anew(second: bool) -> dict[str, Any]:
    return told(second, cached=False, sizes=(4, 1))


@pair("metrics")
def texts_told_on_otherwise(second: bool) -> dict[str, Any]:
    return told(second, cached=True, sizes=(4, 4), bias=2.0)


@pair("metrics")
def texts_told_on_otherwise_in_other_batches(second: bool) -> dict[str, Any]:
    return told(second, cached=True, sizes=(4, 2), bias=2.0)


@pair("metrics", "at most: 3 and 4")
def texts_told_on_further(second: bool) -> dict[str, Any]:
    return told(second, cached=True, sizes=(4, 4), lengths=(4, 5))


@pair("metrics", "at most: 3 and 4")
def texts_told_on_further_in_other_batches(second: bool) -> dict[str, Any]:
    return told(second, cached=True, sizes=(4, 2), lengths=(4, 5))
