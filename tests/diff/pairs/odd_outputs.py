"""What models give: of odd types, in odd holders, with autocast, as whole numbers."""

from collections import OrderedDict, namedtuple
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, mlp, rows, seeded, sgd, state

Scored = namedtuple("Scored", ["scores", "hidden"])


def given(second: bool, hold: Any, *, sizes: tuple[int, int] = (8, 8)) -> dict[str, Any]:
    """A model that is evaluated with another temperature, and holds its outputs in something."""

    def call(self: Any, x: Tensor, t: float = 1.0) -> Any:
        gives = self.layer(x)
        return gives if self.training else hold(gives * t)

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    model.eval()
    with torch.no_grad():
        parts = rows(16).split(sizes[second])
        return {"gives": repr([model(part, -1.0 if second else 1.0) for part in parts])}


@pair("metrics", "[0]")
def outputs_in_a_named_tuple(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: Scored(tensor, None))


@pair("metrics", "scores")
def outputs_in_a_namespace(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: SimpleNamespace(scores=tensor))


@pair("metrics", "b")
def outputs_in_an_ordered_mapping(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: OrderedDict(a=torch.zeros(1), b=tensor))


@pair("metrics", "deep")
def outputs_far_inside(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: {"a": [({"deep": tensor},)]})


@pair("metrics", "")
def outputs_of_bfloat16(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor.bfloat16())


@pair("metrics", "")
def outputs_of_bool(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor > 0)


@pair("metrics", "output")
def classes_in_other_batches(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor.argmax(-1), sizes=(8, 4))


@pair("metrics", "output")
def bools_in_other_batches(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor[:, 0] > 0, sizes=(8, 4))


@pair("metrics", "")
def one_number_a_row_in_other_batches(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor[:, :1], sizes=(8, 4))


@pair("metrics", "")
def outputs_of_sparse_tensors(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor.to_sparse())


@pair("metrics", "")
def outputs_of_float16(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor.half())


@pair("metrics", "")
def outputs_of_complex_numbers(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: torch.complex(tensor, tensor).conj())


@pair("metrics", "")
def outputs_transposed(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor.T)


@pair("metrics", "")
def outputs_of_numpy_of_float64(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: tensor.double().numpy())


@pair("metrics", "")
def outputs_of_numpy_numbers(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: {"best": tensor.numpy().max()})


@pair("metrics", "")
def outputs_of_lists_of_several_lengths(second: bool) -> dict[str, Any]:
    return given(second, lambda tensor: [row[: n % 3 + 1].tolist() for n, row in enumerate(tensor)])


@pair("metrics", "autocast: off and bfloat16")
def autocast_in_the_evaluation(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=second):
        return {"gives": model(rows())}


@pair("metrics", "autocast: off and bfloat16")
def autocast_in_the_evaluation_of_other_batches(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=second):
        return {"gives": [model(part) for part in rows(16).split(4 if second else 8)]}


@pair()
def classes_of_the_same_rows_in_other_batches(second: bool) -> dict[str, Any]:
    model = mlp()
    fit(model)
    with torch.no_grad():
        parts = rows(16).split(4 if second else 8)
        return {"gives": torch.cat([model(part).argmax(-1) for part in parts])}


@pair("metrics", "weights it is made with")
def a_pass_in_training_mode_after_the_last_step(second: bool) -> dict[str, Any]:
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    fit(model)
    model.train(second)
    with torch.no_grad():
        model[1](torch.ones(4, 6))
    return state(model)


@pair("metrics", "rows of input")
def a_second_model_of_the_same_weights_is_evaluated(second: bool) -> dict[str, Any]:
    model, twin = mlp(), mlp()
    fit(model)
    twin.load_state_dict(model.state_dict(), assign=True)
    with torch.no_grad():
        return {"gives": twin(rows(seed=5 + second))}


@pair("gradient", "doesn't zero its gradients")
def a_group_added_on_the_way(second: bool) -> dict[str, Any]:
    model = mlp()
    optimizer = torch.optim.SGD(model[0].parameters(), 0.1)

    def add(step: int) -> None:
        if step == (3 if second else 2):
            optimizer.add_param_group({"params": list(model[2].parameters())})

    fit(model, optimizer, before=add)
    return state(model)


@pair("gradient", "")
def a_hook_on_a_gradient(second: bool) -> dict[str, Any]:
    model = mlp()
    model[0].weight.register_hook(lambda grad: grad * (2 if second else 1))
    return fit(model)


@pair("update", "")
def weights_clipped_after_each_step(second: bool) -> dict[str, Any]:
    model = mlp()

    def clip(step: int) -> None:
        if step == 5:
            model[2].weight.data.clamp_(-0.05 - second, 0.05 + second)

    return fit(model, sgd(model), after=clip)
