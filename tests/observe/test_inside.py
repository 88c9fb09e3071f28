"""The calls of modules inside a model's forward passes, in the steps that are asked for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.checkpoint import checkpoint

from reference.ledger.reader import Ledger, Memory
from reference.ledger.schema import check
from reference.observe.observer import Observer
from reference.observe.step import inside
from tests.helpers.small import net, train, watch


def passes(ledger: Ledger, step: int = 1) -> list[dict[str, Any]]:
    for item in ledger.items:
        check(item)
    recorded: list[dict[str, Any]] = ledger.steps[step - 1]["inside"]
    return recorded


def names(ledger: Ledger) -> list[str]:
    """Of the calls of the first pass in the first step, in their order."""
    first = passes(ledger)[0]
    return [first["modules"][call[0]][0] for call in first["calls"]]


def once(model: nn.Module, *given: Any, **options: Any) -> Ledger:
    """A step of a model on some input."""

    def step() -> None:
        optimizer = SGD(model.parameters(), 0.1)
        output = model(*(given or (torch.ones(2, 4),)), **options)
        (output if isinstance(output, Tensor) else output["y"]).sum().backward()
        optimizer.step()

    return watch(step, inside=(1,))


def test_the_steps_that_are_asked_for_hold_it_and_no_others() -> None:
    ledger = watch(train, net(), inside=(2,))
    assert [("inside" in step) for step in ledger.steps] == [False, True, False]
    (recorded,) = passes(ledger, 2)
    assert [row[:3] for row in recorded["modules"]] == [
        ["", "Sequential", True],
        ["0", "Linear", True],
        ["1", "Tanh", True],
        ["2", "Linear", True],
    ]
    assert recorded["settings"][recorded["modules"][1][3]] == {
        "in_features": "4",
        "out_features": "3",
    }
    calls = recorded["calls"]
    assert [call[:2] for call in calls] == [[0, 0], [1, 1], [2, 1], [3, 1]]
    assert calls[1][4]["output"] == calls[2][3]["input"]
    assert calls[0][4] == calls[3][4]
    assert calls[3][4]["output"].endswith(" float32 [5, 2]")


def test_the_bits_are_those_of_a_run_without_it() -> None:
    def trained(observe: bool) -> tuple[list[Tensor], Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(3, 2)
        )
        if observe:
            with Observer(Memory({}), inside=(1, 2, 3)):
                train(model)
        else:
            train(model)
        return [p.detach() for p in model.parameters()], torch.get_rng_state()

    (plain, state), (observed, state_then) = trained(False), trained(True)
    assert all(torch.equal(a, b) for a, b in zip(plain, observed, strict=True))
    assert torch.equal(state, state_then)


class Odd(nn.Module):
    """Calls one module twice, gives a mapping with None in it, and goes on after a part raised."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.raises = nn.Linear(4, 4), nn.Linear(3, 3)

    def forward(self, x: Tensor, scale: float = 1.0, mask: Tensor | None = None) -> dict[str, Any]:
        with pytest.raises(RuntimeError):
            self.raises(x)
        nn.Identity()(x)
        return {"y": self.shared(self.shared(x * scale)), "pair": (x, None), "none": None}


def test_shared_modules_odd_outputs_and_plain_arguments() -> None:
    ledger = once(Odd(), torch.ones(2, 4), scale=2.0)
    assert names(ledger) == ["", "raises", "(Identity)", "shared", "shared"]
    outer, raised, *_ = passes(ledger)[0]["calls"]
    assert sorted(outer[3]) == ["scale", "x"]
    assert outer[3]["scale"] == "2.0"
    assert sorted(outer[4]) == ["pair[0]", "y"]
    assert raised[4] is None


def test_what_an_activation_in_place_gets_is_what_was_given() -> None:
    calls = passes(once(nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))))[0]["calls"]
    assert calls[1][4]["output"] == calls[2][3]["input"] != calls[2][4]["output"]


class Checkpointed(nn.Module):
    """A part of it runs again in the backward pass."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.first, self.again, self.reentrant = nn.Linear(4, 4), nn.Linear(4, 4), reentrant

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = checkpoint(self.again, self.first(x), use_reentrant=self.reentrant)
        return given


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_runs_again_in_the_backward_pass_is_no_call(reentrant: bool) -> None:
    assert names(once(Checkpointed(reentrant))) == ["", "first", "again"]


class Penalised(nn.Module):
    """Takes a gradient of its own in its forward pass, in which a part runs again."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Checkpointed(False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        given = self.part(x)
        (gradient,) = torch.autograd.grad(given.sum(), x, retain_graph=True)
        penalised: Tensor = given + gradient
        return penalised


def test_what_runs_again_within_the_forward_pass_is_no_call() -> None:
    assert names(once(Penalised())) == ["", "part", "part.first", "part.again"]


class Autocast(nn.Module):
    """Computes in bfloat16 inside."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            given: Tensor = self.part(x)
        return given.float()


def test_types_inside_are_those_of_autocast() -> None:
    outer, part = passes(once(Autocast()))[0]["calls"]
    assert part[4]["output"].endswith(" bfloat16 [2, 2]")
    assert outer[4]["output"].endswith(" float32 [2, 2]")


def test_a_model_in_a_wrapper_has_its_own_names() -> None:
    assert names(once(nn.DataParallel(net()))) == ["", "", "0", "1", "2"]


def test_too_many_calls_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "MOST_CALLS", 2)
    ledger = once(net())
    assert names(ledger) == ["", "0"]
    assert passes(ledger)[0]["left_out"] == 2


class Deep(nn.Module):
    """Calls itself."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(4, 4)

    def forward(self, x: Tensor, depth: int) -> Tensor:
        return self(self.part(x), depth - 1) if depth else x


def test_calls_that_are_too_deep_are_counted() -> None:
    recorded = passes(once(Deep(), torch.ones(2, 4), 102))[0]
    assert max(call[1] for call in recorded["calls"]) == 100
    assert recorded["left_out"] == 4  # two of the model, and of its part below the last that is in
    assert recorded["calls"][0][4] is not None


class Config:
    """A setting that can't be read."""

    @property
    def _attn_implementation(self) -> str:
        raise RuntimeError("not set")


def test_what_goes_wrong_inside_leaves_the_rest_of_the_step() -> None:
    model = net()
    model.config = Config()  # type: ignore[assignment]
    ledger = once(model)
    assert passes(ledger)[0]["lost"] == "RuntimeError: not set"
    assert ledger.steps[0]["forward"]
    assert ledger.end is not None
    assert ledger.end["complete"]


def gelu(module: nn.Module) -> None:
    module.act = nn.functional.gelu  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("module", "change", "expected"),
    [
        (nn.Dropout(0.25), None, {"p": "0.25", "inplace": "False"}),
        (nn.GELU("tanh"), None, {"approximate": "tanh"}),
        (nn.Identity(), gelu, {"act": "gelu"}),
        (nn.Conv1d(1, 2, 3), None, {"kernel_size": "(3,)", "padding_mode": "zeros"}),
    ],
)
def test_settings_are_a_modules_plain_attributes(
    module: nn.Module, change: Callable[[nn.Module], None] | None, expected: dict[str, str]
) -> None:
    if change is not None:
        change(module)
    assert expected.items() <= inside.settings(module).items()
    assert "training" not in inside.settings(module)
