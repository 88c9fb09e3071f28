"""Models that two runs call by other names, or saw in other parts, are compared all the same."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer
from tests.conftest import ROOT


class Body(nn.Module):
    """An encoder that isn't the first of its model's parts, so that the order is another one."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Linear(4, 4)
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.encoder(self.before(x)))
        return found


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(x)
        return found


class WithMore(Wrapped):
    """One that has a parameter of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.scale


Look = Callable[[Body], None]
Wrap = Callable[[nn.Module], nn.Module]


def keep(look: Look | None = None, wrap: Wrap | None = None, *, bump: float = 0.0) -> Ledger:
    """Three steps of a small model; `bump` moves one weight of its encoder before the third."""
    torch.manual_seed(0)
    body = Body()
    memory = Memory({})
    with Observer(memory):
        if look is not None:
            look(body)
        torch.manual_seed(1)
        model = body if wrap is None else wrap(body)
        optimizer = torch.optim.SGD(
            [{"params": body.head.parameters(), "lr": 0.2}, {"params": body.encoder.parameters()}],
            lr=0.1,
        )
        for step in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).pow(2).mean().backward()
            if bump and step == 2:
                body.encoder[0].weight.data[0, 0] += bump
            optimizer.step()
    return memory.ledger


def other_net(_body: Body) -> None:
    """Looked at, and never trained."""
    nn.Linear(3, 3)(torch.zeros(2, 3))


LOOKS: dict[str, Look] = {
    "with gradients": lambda body: body.encoder(torch.zeros(2, 4)),
    "its first part": lambda body: body.before(torch.zeros(2, 4)),
    "its last part": lambda body: body.head(torch.zeros(2, 4)),
    "another net": other_net,
}


def test_a_wrapped_model_is_matched_but_for_its_prefix() -> None:
    plain = keep()
    for pair in ((plain, keep(wrap=Wrapped)), (keep(wrap=Wrapped), plain)):
        verdict = diff(*pair)
        assert (verdict.verdict, verdict.steps) == ("identical", 3), verdict
        assert "inner.before.weight" in verdict.notes[0]
        assert "matched by position and shape" in verdict.notes[0]
    verdict = diff(plain, keep(wrap=Wrapped, bump=1e-3))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "update")
    assert "first encoder.0.weight" in verdict.detail
    assert "equal before it: 2 steps, in every link" in lines("a and b", verdict)


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_through_a_part_leaves_the_runs_comparable(look: str) -> None:
    plain, looked = keep(), keep(LOOKS[look])
    assert len(looked.models) == 2  # it does stand in the ledger as a model of its own
    for pair in ((plain, looked), (looked, plain)):
        verdict = diff(*pair)
        assert (verdict.verdict, verdict.steps) == ("identical", 3), verdict
    other = diff(plain, keep(LOOKS[look], bump=1e-3))
    assert (other.verdict, other.step, other.link) == ("diverged", 3, "update"), other
    assert "1 of 6 tensors, first encoder.0.weight" in other.detail


def test_a_model_that_takes_part_in_no_step_is_noted() -> None:
    verdict = diff(keep(), keep(other_net))
    assert "not compared: Linear (2 parameters), which only B has" in "\n".join(verdict.notes)


def test_a_model_with_more_parameters_is_another_one() -> None:
    verdict = diff(keep(), keep(wrap=WithMore))
    assert verdict.verdict == "incomparable"
    assert "the models have different parameters" in verdict.detail
    assert "not compared: weights, forward" in verdict.notes[0]


def test_what_fits_in_two_ways_is_not_guessed() -> None:
    def twins(*, looked: bool) -> Ledger:
        torch.manual_seed(0)
        model = nn.ModuleDict({"one": nn.Linear(2, 2), "two": nn.Linear(2, 2)})
        memory = Memory({})
        with Observer(memory):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            whole = Both(model)
            used = model["two"] if looked else whole
            for _ in range(2):
                optimizer.zero_grad()
                used(torch.ones(1, 2)).sum().backward()
                optimizer.step()
        return memory.ledger

    verdict = diff(twins(looked=False), twins(looked=True))
    assert verdict.verdict == "incomparable"


class Both(nn.Module):
    def __init__(self, parts: nn.ModuleDict) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.parts["two"](self.parts["one"](x))
        return found


def rates(first: float, *, frozen: int = 2) -> Ledger:
    """Two groups, of which one is frozen for some steps."""
    torch.manual_seed(0)
    one, two = nn.Linear(3, 4), nn.Linear(4, 1)
    memory = Memory({})
    with Observer(memory):
        model = nn.Sequential(one, two)
        optimizer = torch.optim.SGD(
            [{"params": one.parameters(), "lr": first}, {"params": two.parameters(), "lr": 0.1}]
        )
        for step in range(4):
            one.requires_grad_(step >= frozen)
            optimizer.zero_grad()
            model(torch.randn(4, 3)).pow(2).mean().backward()
            optimizer.step()
    return memory.ledger


def test_a_rate_is_named_where_it_first_acts() -> None:
    for other in (0.02, 0.1):  # of two rates each, and of two and one
        verdict = diff(rates(0.01), rates(other))
        assert (verdict.step, verdict.link) == (3, "optimizer"), verdict
        assert "learning_rate (2 of 4 parameters, first 0.weight): 0.01" in verdict.detail
    assert diff(rates(0.01), rates(0.01)).verdict == "identical"
    # Frozen for another while is no matter of rates.
    verdict = diff(rates(0.01), rates(0.01, frozen=3))
    assert (verdict.step, verdict.link) == (3, "gradient")


def evaluated(*rows: int) -> Ledger:
    """One step, and then scored evaluations on so many rows each."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    memory = Memory({})
    with Observer(memory) as observer:
        model(torch.randn(4, 3)).pow(2).mean().backward()
        optimizer.step()
        model.eval()
        for count in rows:
            with torch.no_grad():
                model(torch.ones(count, 3))
            observer.add_scores({"accuracy": 0.5})
    return memory.ledger


def test_an_evaluation_more_is_no_other_run() -> None:
    for more, count in (((7, 4), 1), ((4, 7), 1), ((5, 4, 7), 2)):
        verdict = diff(evaluated(4), evaluated(*more))
        assert verdict.verdict == "identical", verdict
        said = "an evaluation" if count == 1 else "2 evaluations"
        assert verdict.notes == (
            f"not compared: {said} that the other run didn't make, in B, "
            f"{'the first ' if count == 2 else ''}after step 1",
        )
    verdict = diff(evaluated(4), evaluated(5))
    assert (verdict.verdict, verdict.link) == ("diverged", "metrics")
    assert "1 row more in B: an evaluation that" in verdict.notes[0]


def test_two_ledgers_are_compared_without_torch() -> None:
    """Which takes most of a second to import; `diff` of a whole run takes a fraction of one."""
    code = (
        "import sys, reference.diff.ledgers, reference.diff.tolerance, reference.diff.verdict_text;"
        "print(sorted({'torch', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


class Probed(nn.Module):
    """A layer; and perhaps a probe of it that is trained on what it can't change."""

    def __init__(self, probe: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.probe = nn.Linear(2, 2) if probe else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.layer(x)
        if self.probe is None:
            return found.sum()
        return found.sum() + self.probe(found.detach()).sum()


def test_a_part_that_only_one_trains_leaves_the_runs_incomparable() -> None:
    def train(probe: bool) -> Ledger:
        torch.manual_seed(0)
        memory = Memory({})
        with Observer(memory):
            model = Probed(probe)
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            for x in torch.ones(2, 3, 4):
                optimizer.zero_grad()
                model(x).backward()
                optimizer.step()
        return memory.ledger

    for pair in ((train(True), train(False)), (train(False), train(True))):
        verdict = diff(*pair)
        assert verdict.verdict == "incomparable"
        assert "probe.weight" in verdict.detail
