"""A resumed run beside the whole one: where it begins, and what was lost between the two."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.errors import InputError
from reference.ledger.reader import Ledger, Memory
from reference.ledger.record import Writer
from reference.observe.observer import Observer
from tests.helpers.folded import unfolded

STEPS, AT = 12, 7  # of four batches an epoch
Checkpoint = dict[str, Any]


class Training:
    """Three epochs of a small model: dropout, a shuffled order, AdamW and a schedule."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.2), nn.Linear(6, 2))
        self.optimizer = AdamW(self.model.parameters(), 0.01)
        self.schedule = LambdaLR(self.optimizer, lambda step: 1 - step / STEPS)
        self.rows = TensorDataset(torch.randn(16, 4), torch.randint(0, 2, (16,)))

    def batches(self) -> list[Any]:
        order = torch.Generator().manual_seed(5)
        loader = DataLoader(self.rows, 4, shuffle=True, generator=order)
        return [batch for _ in range(3) for batch in loader]

    def train(self, first: int, last: int, batches: list[Any] | None = None) -> None:
        self.model.train()
        for x, y in (batches or self.batches())[first:last]:
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()
            self.schedule.step()

    def save(self) -> Checkpoint:
        return {
            "model": copy.deepcopy(self.model.state_dict()),
            "optimizer": copy.deepcopy(self.optimizer.state_dict()),
            "schedule": copy.deepcopy(self.schedule.state_dict()),
            "torch": torch.get_rng_state(),
        }

    def load(self, saved: Checkpoint, *without: str) -> None:
        saved = copy.deepcopy(saved)
        self.model.load_state_dict(saved["model"])
        if "optimizer" not in without:
            self.optimizer.load_state_dict(saved["optimizer"])
        if "schedule" not in without:
            self.schedule.load_state_dict(saved["schedule"])
        if "torch" not in without:
            torch.set_rng_state(saved["torch"])


@pytest.fixture(scope="module")
def saved() -> Checkpoint:
    training = Training()
    training.train(0, AT)
    return training.save()


def whole(sink: Any) -> None:
    training = Training()
    with Observer(sink):
        training.train(0, STEPS)


def resumed(sink: Any, saved: Checkpoint, *without: str, shift: int = 0) -> None:
    training = Training()
    training.load(saved, *without)
    batches = training.batches()
    with Observer(sink):
        training.train(AT, STEPS, batches[-shift:] + batches[:-shift] if shift else batches)


def ledger_of(train: Callable[..., None], *given: Any, **named: Any) -> Ledger:
    memory = Memory({})
    train(memory, *given, **named)
    return memory.ledger


BEGINS = "begins where {}'s step 8 does: its first weights are those that {} "


@pytest.mark.parametrize("swapped", [False, True])
def test_a_perfect_resume_is_identical_from_there(saved: Checkpoint, swapped: bool) -> None:
    pair = [ledger_of(whole), ledger_of(resumed, saved)]
    verdict = diff(*reversed(pair)) if swapped else diff(*pair)
    assert (verdict.verdict, verdict.steps, verdict.detail) == ("identical", STEPS - AT, "")
    late, early = "AB" if swapped else "BA"
    said = f"{late} " + BEGINS.format(early, early)
    assert verdict.notes[0] == said + f"had after step 7; steps have {early}'s numbers"


@pytest.mark.parametrize(
    ("without", "shift", "link", "words"),
    [
        (("torch",), 0, "rng", "torch"),
        (("optimizer", "schedule"), 0, "schedule", "learning_rate"),
        (("optimizer",), 0, "update", "4 of 4 tensors"),
        (("schedule",), 0, "schedule", "learning_rate"),
        ((), 1, "batch", "input"),
        ((), 4, "batch", "input"),
    ],
    ids=["generators", "optimizer and schedule", "state", "schedule", "one batch off", "an epoch"],
)
def test_what_a_resume_lost_is_named(
    saved: Checkpoint, without: tuple[str, ...], shift: int, link: str, words: str
) -> None:
    lost = dict(saved)
    if without == ("optimizer",):  # its hyper-parameters are there, and its averages aren't
        lost["optimizer"] = {**saved["optimizer"], "state": {}}
        without = ()
    verdict = diff(ledger_of(whole), ledger_of(resumed, lost, *without, shift=shift))
    assert (verdict.verdict, verdict.link) == ("diverged", link), verdict.detail
    assert (verdict.step or 0) > AT
    assert words in verdict.detail
    assert verdict.notes[0].startswith("B begins where A's step 8")


def test_an_offset_that_somebody_knows(
    saved: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    whole(Writer(a, {}))
    resumed(Writer(b, {}), saved)
    assert main(["diff", str(a), str(b), "--offset", "7"]) == 0
    out = unfolded(capsys.readouterr().out)
    assert out.startswith(f"identical: A ({a}) and B ({b}), 5 steps, every link of every step\n")
    assert "B begins where A's step 8 does, as --offset has" in out
    assert main(["diff", str(b), str(a), "--offset", "-7"]) == 0
    assert main(["diff", str(a), str(b), "--offset", "6"]) == 1
    assert "part at step 7, link batch" in unfolded(capsys.readouterr().out)
    assert main(["diff", str(a), str(b), "--offset", "99"]) == 2
    assert "--offset 99: a run of 12 steps; give a smaller one" in capsys.readouterr().err
    assert main(["diff", str(a), str(b), "--offset", "7", "--envelope", str(a), str(a)]) == 2
    assert "--offset: not together with --envelope" in capsys.readouterr().err


def test_lengths_are_those_of_whole_ledgers(saved: Checkpoint) -> None:
    def cut_short(sink: Any) -> None:
        training = Training()
        training.load(saved, "torch")
        with Observer(sink):
            training.train(AT, STEPS - 2)

    verdict = diff(ledger_of(whole), ledger_of(cut_short))
    assert verdict.verdict == "diverged"
    assert "A has 12 steps, B 3" in verdict.notes


def test_runs_of_other_first_weights_are_no_resume() -> None:
    def other(sink: Any) -> None:
        training = Training()
        training.model[0].bias.data.fill_(0.5)
        with Observer(sink):
            training.train(0, 3)

    verdict = diff(ledger_of(whole), ledger_of(other))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "weights")


def test_a_smaller_offset_than_none_is_refused(saved: Checkpoint) -> None:
    with pytest.raises(InputError, match="12 steps"):
        diff(ledger_of(whole), ledger_of(resumed, saved), offset=12)


@pytest.mark.parametrize("offset", [2**63, -(10**30)])
def test_an_offset_that_no_run_has(offset: int) -> None:
    """Added to a step's number it would make a damaged ledger of a whole one."""
    a, b = Memory({}).ledger, Memory({}).ledger
    with pytest.raises(InputError, match=r"--offset: .* makes no sense; give a number of steps"):
        diff(a, b, offset=offset)
