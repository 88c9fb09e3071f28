"""Evaluations of a part of the rows, with values that aren't finite, and that give inputs back."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded


def in_sizes(model: nn.Module, sizes: Sequence[int], *, loss: bool = False) -> dict[str, Any]:
    criterion = nn.CrossEntropyLoss()
    inputs, targets = (each(64)[: sum(sizes)].split(sizes) for each in (rows, labels))
    gives: list[Any] = []
    with torch.no_grad():
        for batch, classes in zip(inputs, targets, strict=True):
            outputs = model(batch)
            gives.append(criterion(outputs, classes) if loss else outputs.argmax(-1))
    return {"gives": gives}


def trained() -> nn.Module:
    model = mlp()
    fit(model)
    model.eval()
    return model


@pair("metrics", "count: 64 and 8")
def the_first_batch_alone_with_a_loss_module(second: bool) -> dict[str, Any]:
    return in_sizes(trained(), [8] if second else [8] * 8, loss=True)


@pair("metrics", "count: 48 and 12")
def the_first_batches_of_many_sizes(second: bool) -> dict[str, Any]:
    return in_sizes(trained(), [8, 4] if second else [8, 4] * 4)


@pair("metrics", "count: 27 and 17")
def the_first_batches_of_growing_sizes(second: bool) -> dict[str, Any]:
    return in_sizes(trained(), [9, 8] if second else [9, 8, 10])


@pair("", "10 rows more in A: an evaluation that the other run didn't make, or different rows")
def another_set_after_the_first(second: bool) -> dict[str, Any]:
    gives = in_sizes(trained(), [8, 8, 4] if second else [8, 8, 4, 8, 2], loss=True)
    return {"gives": gives["gives"][:3]}


def changed(
    second: bool, change: Callable[[Tensor, Tensor], Tensor], factor: float = 1.0
) -> dict[str, Any]:
    """Logits that are changed in the evaluation; the second's in other batches, and scaled."""
    model = seeded(lambda: Named(lambda self, x: self.layer(x), layer=mlp()))
    fit(model)
    scale = factor if second else 1.0
    model.call = lambda self, x: change(x, self.layer(x) * scale)
    with torch.no_grad():
        parts = [model(part) for part in rows(64).split(16 if second else 8)]
    return {"classes": torch.cat(parts).argmax(-1), "scale": scale}


def masked(value: float) -> Callable[[Tensor, Tensor], Tensor]:
    def change(_x: Tensor, gives: Tensor) -> Tensor:
        filler = torch.full_like(gives[:, :1], value)
        return torch.cat([gives[:, :2], filler], 1)

    return change


@pair("metrics", "output, sum and norm")
def a_class_masked_with_infinity(second: bool) -> dict[str, Any]:
    return changed(second, masked(float("-inf")), 37.0)


@pair("metrics", "output, sum and norm")
def a_class_masked_with_the_least_number(second: bool) -> dict[str, Any]:
    return changed(second, masked(torch.finfo(torch.float32).min), 1.002)


@pair("metrics", "output")
def a_class_masked_with_a_large_number(second: bool) -> dict[str, Any]:
    return changed(second, masked(-1e9), 1.5)


@pair("metrics", "output, sum and norm")
def some_rows_are_not_a_number(second: bool) -> dict[str, Any]:
    return changed(second, lambda x, gives: gives.masked_fill(x[:, :1] > 1, float("nan")), 37.0)


@pair("metrics", "output, values that aren't finite")
def other_rows_are_not_a_number(second: bool) -> dict[str, Any]:
    def change(x: Tensor, gives: Tensor) -> Tensor:
        column = x[:, int(second)][:, None]
        return torch.where(column > 1, float("nan") * torch.ones(3), gives.clamp(0, 0))

    return {**changed(second, change), "column": second}


@pair("metrics", "output, values that aren't finite, or are huge")
def masked_with_infinity_and_with_the_least_number(second: bool) -> dict[str, Any]:
    value = float("-inf") if second else torch.finfo(torch.float32).min
    return {**changed(second, masked(value)), "value": value}


@pair()
def masked_with_infinity_in_other_batches(second: bool) -> dict[str, Any]:
    return changed(second, masked(float("-inf")))


@pair()
def masked_with_the_least_number_in_other_batches(second: bool) -> dict[str, Any]:
    return changed(second, masked(torch.finfo(torch.float32).min))


@pair()
def masked_with_a_large_number_in_other_batches(second: bool) -> dict[str, Any]:
    return changed(second, masked(-1e9))


@pair("", "not compared: features")
def outputs_of_other_widths_in_other_batches(second: bool) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Any:
        gives = self.layer(x)
        if self.training:
            return gives
        width = 2 + int(x.abs().sum() * 10) % 5
        return {"logits": gives, "features": x.abs().sum(1, keepdim=True).expand(-1, width) * 1}

    model = seeded(lambda: Named(call, layer=mlp()))
    fit(model)
    model.eval()
    with torch.no_grad():
        parts = [model(part)["logits"] for part in rows(64).split(16 if second else 8)]
    return {"classes": torch.cat(parts).argmax(-1)}


def gives_its_input_back(
    second: bool, take: Callable[[Tensor], Tensor], shift: float = 0.0
) -> dict[str, Any]:
    def call(self: Any, x: Tensor) -> Any:
        gives = self.layer(x)
        return gives if self.training else {"logits": gives, "inputs": x}

    model = seeded(lambda: Named(call, layer=mlp()))
    fit(model)
    model.eval()
    inputs, classes = rows(64), []
    inputs[40:] += shift * second
    with torch.no_grad():
        for part in inputs.split(16 if second else 8):
            held = model(take(part))  # alive until the next pass
            classes.append(held["logits"].argmax(-1))
    return {"classes": torch.cat(classes), "shift": shift * second}


@pair()
def slices_that_the_model_gives_back(second: bool) -> dict[str, Any]:
    return gives_its_input_back(second, lambda part: part)


@pair("metrics", "rows of")
def other_slices_that_the_model_gives_back(second: bool) -> dict[str, Any]:
    return gives_its_input_back(second, lambda part: part, 1.0)


@pair()
def a_buffer_that_the_model_gives_back(second: bool) -> dict[str, Any]:
    buffer = torch.empty(16 if second else 8, 4)
    return gives_its_input_back(second, buffer.copy_)


@pair("metrics", "rows of")
def other_rows_in_a_buffer_that_the_model_gives_back(second: bool) -> dict[str, Any]:
    buffer = torch.empty(16 if second else 8, 4)
    return gives_its_input_back(second, buffer.copy_, 1.0)
