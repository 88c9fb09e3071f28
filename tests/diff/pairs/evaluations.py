"""Evaluations: other rows, other weights, other outputs; and the same rows in other batches."""

import copy
import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad
from torch.nn.utils.rnn import pad_sequence

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, mlp, rows, seeded, sgd, squares


def trained(outputs: int = 3) -> nn.Sequential:
    model = mlp(outputs)
    fit(model, loss=squares)
    return model


def in_batches(model: nn.Module, inputs: Tensor, size: int) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part) for part in inputs.split(size)])


@pair("metrics", "rows of input")
def other_rows(second: bool) -> dict[str, Any]:
    return {"gives": in_batches(trained(), rows(8, 5 + second), 8)}


@pair("metrics", "rows of input")
def other_rows_in_other_batches(second: bool) -> dict[str, Any]:
    return {"gives": in_batches(trained(), rows(16, 5 + second), 4 if second else 8)}


@pair("metrics", "rows of input")
def other_rows_of_one_output_in_other_batches(second: bool) -> dict[str, Any]:
    return {"gives": in_batches(trained(1), rows(16, 5 + second), 4 if second else 8)}


@pair("metrics", "weights it is made with")
def other_weights_of_one_output_in_other_batches(second: bool) -> dict[str, Any]:
    model = trained(1)
    before = copy.deepcopy(model.state_dict())
    model[2].weight.data.mul_(-1 if second else 1)
    gives = in_batches(model, rows(16), 4 if second else 8)
    model.load_state_dict(before)
    return {"gives": gives}


@pair("metrics", "rows of input")
def the_same_rows_in_another_order(second: bool) -> dict[str, Any]:
    inputs = rows(16)
    return {"gives": in_batches(trained(), inputs.flip(0) if second else inputs, 8)}


@pair("metrics", "count: 16 and 15")
def the_last_batch_dropped(second: bool) -> dict[str, Any]:
    return {"gives": in_batches(trained(), rows(16)[: 15 if second else 16], 5)}


@pair()
def the_same_rows_in_other_batches(second: bool) -> dict[str, Any]:
    return {"classes": in_batches(trained(), rows(16), 4 if second else 8).argmax(-1)}


@pair()
def the_same_rows_one_by_one(second: bool) -> dict[str, Any]:
    return {"classes": in_batches(trained(1), rows(16), 1 if second else 16) > 0}


def token_classes(second: bool, shift: int = 0, value: int = 0) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3)))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        ids = torch.randint(1, 10, (4, 5), generator=torch.Generator().manual_seed(step))
        model(ids).sum().backward()
        optimizer.step()
    generators = (torch.Generator().manual_seed(length + shift) for length in (3, 7, 2, 5))
    texts = [
        torch.randint(1, 10, (length,), generator=g)
        for length, g in zip((3, 7, 2, 5), generators, strict=True)
    ]
    size = 4 if second else 2
    classes = []
    with torch.no_grad():
        for start in range(0, 4, size):
            batch = texts[start : start + size]
            padded = pad_sequence(batch, batch_first=True)
            gives = model(padded + value * (padded > 8))
            classes += [g[: len(t)].argmax(-1) for t, g in zip(batch, gives, strict=True)]
    return {"classes": classes}


@pair()
def tokens_padded_to_other_widths(second: bool) -> dict[str, Any]:
    return token_classes(second)


@pair("metrics", "rows of input")
def other_tokens_padded_to_other_widths(second: bool) -> dict[str, Any]:
    return {**token_classes(second, shift=second), "seeds": second}


@pair("metrics", "[1]")
def the_second_output_is_scaled(second: bool) -> dict[str, Any]:
    model = seeded(
        lambda: Named(
            lambda self, x, scale=1.0: (self.body(x), self.head(self.body(x)) / scale),
            body=nn.Linear(4, 4),
            head=nn.Linear(4, 3),
        )
    )
    fit(model, loss=lambda outputs, _: outputs[1].pow(2).mean())
    with torch.no_grad():
        return {"gives": list(model(rows(), 7.0 if second else 1.0))}


@pair("metrics", "end_logits")
def the_end_of_an_answer(second: bool) -> dict[str, Any]:
    def call(self: Any, x: Tensor, sign: float = 1.0) -> dict[str, Tensor]:
        start, end = self.layer(x).unbind(-1)
        return {"start_logits": start[None], "end_logits": end[None] * sign}

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 2)))
    fit(model, loss=lambda out, _: (out["start_logits"] - out["end_logits"]).pow(2).mean())
    with torch.no_grad():
        return {"gives": model(rows(), -1.0 if second else 1.0)}


@pair("metrics", "rows of input")
def complex_outputs(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Linear(4, 3, dtype=torch.cfloat))
    optimizer = sgd(model)
    for step in range(3):
        optimizer.zero_grad()
        model(rows(seed=step).to(torch.cfloat)).abs().pow(2).mean().backward()
        optimizer.step()
    with torch.no_grad():
        return {"gives": model(rows(seed=5 + second).to(torch.cfloat))}


@pair("metrics", "rows of input")
def the_last_bits_of_float64(second: bool) -> dict[str, Any]:
    model = mlp().double()
    fit(model, loss=squares, steps=0)
    optimizer = sgd(model)
    model(rows().double()).pow(2).mean().backward()
    optimizer.step()
    with torch.no_grad():
        return {"gives": model(rows().double() + (1e-13 if second else 0.0))}


@pair("metrics", "rows of input")
def in_inference_mode(second: bool) -> dict[str, Any]:
    model = trained()
    with torch.inference_mode():
        return {"gives": model(rows(seed=5 + second)).tolist()}


@pair("metrics", "rows of input")
def with_gradients_on(second: bool) -> dict[str, Any]:
    model = trained()
    return {"gives": model(rows(seed=5 + second)).detach()}


@pair("metrics", "rows of input")
def with_gradients_on_in_every_step(second: bool) -> dict[str, Any]:
    model = mlp()
    gives: list[Tensor] = []
    fit(model, after=lambda _: gives.append(model(rows(seed=5 + second)).detach()))
    return {"gives": gives}


@pair("metrics", "training: True and False")
def in_the_other_mode(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    fit(model, steps=3)
    running = model[1].running_mean.clone()
    model.train(not second)
    with torch.no_grad():
        gives = model(rows())
    model[1].running_mean.copy_(running)
    return {"gives": gives}


@pair("metrics", "weights it is made with")
def averaged_weights_swapped_in(second: bool) -> dict[str, Any]:
    model = mlp()
    average = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    decay = 0.9 if second else 0.5

    def blend(_step: int) -> None:
        for name, tensor in model.state_dict().items():
            average[name].mul_(decay).add_(tensor, alpha=1 - decay)

    fit(model, after=blend)
    kept = copy.deepcopy(model.state_dict())
    model.load_state_dict(average)
    gives = in_batches(model, rows(), 8)
    model.load_state_dict(kept)
    return {"gives": gives}


@pair("metrics", "weights it is made with")
def called_with_other_weights(second: bool) -> dict[str, Any]:
    model = trained()
    scale = 1.5 if second else 1.0
    given = {name: p.detach() * scale for name, p in model.named_parameters()}
    with torch.no_grad():
        return {"gives": torch.func.functional_call(model, given, (rows(),))}


@pair("metrics", "scores")
def outputs_in_a_dataclass(second: bool) -> dict[str, Any]:
    @dataclass
    class Scored:
        scores: Tensor

    model = seeded(lambda: Named(lambda self, x, t=1.0: Scored(self.l(x) * t), l=nn.Linear(4, 3)))
    fit(model, loss=lambda out, _: out.scores.pow(2).mean())
    with torch.no_grad():
        return {"gives": model(rows(), 2.0 if second else 1.0).scores}


def of_plain_values(second: bool, plain: Any) -> dict[str, Any]:
    def call(self: Any, x: Tensor, t: float = 1.0) -> Any:
        gives = self.layer(x)
        return gives if self.training else plain(gives.detach() * t)

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    model.eval()
    with torch.no_grad():
        gives = model(rows(), -1.0 if second else 1.0)
    return {"gives": repr(gives)}


@pair("metrics", "output")
def outputs_of_numpy(second: bool) -> dict[str, Any]:
    return of_plain_values(second, lambda tensor: tensor.numpy())


@pair("metrics", "output")
def outputs_in_a_list(second: bool) -> dict[str, Any]:
    return of_plain_values(second, lambda tensor: tensor.argmax(-1).tolist())


@pair("metrics", "answer")
def outputs_in_a_mapping_of_numbers(second: bool) -> dict[str, Any]:
    return of_plain_values(second, lambda tensor: {"answer": float(tensor.sum()), "text": "yes"})


@pair("metrics", "boxes")
def outputs_in_nested_lists(second: bool) -> dict[str, Any]:
    return of_plain_values(second, lambda tensor: [{"boxes": t, "name": "x"} for t in tensor])


@pair("metrics", "rows of input")
def a_method_that_calls_the_model(second: bool) -> dict[str, Any]:
    model = trained(4)
    inputs = rows(seed=5 + second)
    with torch.no_grad():
        for _ in range(3):
            inputs = model(pad(inputs, (0, 0)))
    return {"gives": inputs}


@pair("metrics", "rows of input")
def a_part_called_by_a_method(second: bool) -> dict[str, Any]:
    model = trained()
    with torch.no_grad():
        return {"gives": model[0](rows(seed=5 + second)) * model[2].weight.sum()}


@pair("metrics", "rows of")
def forward_called_by_itself(second: bool) -> dict[str, Any]:
    model = trained()
    with torch.no_grad():
        return {"gives": model.forward(rows(seed=5 + second))}


@pair("metrics", "output")
def a_temperature_beside_the_input(second: bool) -> dict[str, Any]:
    model = seeded(lambda: Named(lambda self, x, t=1.0: self.l(x) / t, l=nn.Linear(4, 3)))
    fit(model)
    with torch.no_grad():
        return {"gives": model(rows(), t=2.0 if second else 1.0)}


@pair("metrics", "labels")
def other_labels_beside_the_rows(second: bool) -> dict[str, Any]:
    model = seeded(
        lambda: Named(lambda self, x, labels: mse_loss(self.l(x), labels), l=nn.Linear(4, 3))
    )
    optimizer = sgd(model)
    model(rows(), labels=torch.zeros(8, 3)).backward()
    optimizer.step()
    with torch.no_grad():
        return {"gives": model(rows(), labels=torch.full((8, 3), float(second)))}


@pair("metrics", "a forward pass in another thread", unseen=True)
def in_another_thread(second: bool) -> dict[str, Any]:
    model = trained()
    gives: list[Tensor] = []

    def evaluate() -> None:
        with torch.no_grad():
            gives.append(model(rows(seed=5 + second)))

    thread = threading.Thread(target=evaluate)
    thread.start()
    thread.join()
    return {"gives": gives}


@pair("", "isn't seen")
def nothing_is_evaluated(second: bool) -> dict[str, Any]:
    trained()
    return {}
