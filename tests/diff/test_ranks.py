"""Runs of several processes: every rank's ledger is read, and the verdict says which rank parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

import reference
from reference.cli.main import main
from reference.errors import InputError
from reference.ledger.ledger_path import find_ledger
from reference.ledger.reader import Ledger
from reference.ledger.record import Writer
from tests.helpers.folded import unfolded
from tests.helpers.small import UNEVALUATED, net, train, watch


def trained(rate: float = 0.1, steps: int = 3, first: float = 1.0, then: float = 1.0) -> Ledger:
    """One rank's ledger: its learning rate, its inputs at first, and from step 2 on."""

    def run() -> None:
        model = net()
        optimizer = SGD(model.parameters(), rate)
        for number in range(steps):
            optimizer.zero_grad()
            inputs = torch.randn(5, 4) * (then if number else first)
            model(inputs).pow(2).sum().backward()
            optimizer.step()

    return watch(run)


def folder(path: Path, ledgers: dict[int, Ledger], processes: int | None = None) -> Path:
    """A run's folder, as `observe` leaves it under a launcher."""
    path.mkdir()
    for rank, ledger in ledgers.items():
        name = f"ledger-{rank}.jsonl" if rank else "ledger.jsonl"
        writer = Writer(
            path / name, {"rank": rank, "world_size": processes or max(1, len(ledgers))}
        )
        for item in ledger.items:
            writer.write(item.record)
        writer.close()
    return path


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., Any]:
    """The verdict on two runs, by each rank's ledger in each."""

    def compare(a: dict[int, Ledger], b: dict[int, Ledger], **given: Any) -> Any:
        return reference.diff(
            folder(tmp_path / "a", a, **given), folder(tmp_path / "b", b, **given)
        )

    return compare


def test_a_rank_with_another_learning_rate_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = folder(tmp_path / "a", {0: trained(), 1: trained(0.1, first=2.0)})
    b = folder(tmp_path / "b", {0: trained(), 1: trained(0.5, first=2.0)})
    assert main(["diff", str(a), str(b)]) == 1
    said = unfolded(capsys.readouterr().out).splitlines()
    assert said[:2] == [
        f"diverged: A ({a}) and B ({b}) part on rank 1 at step 1, link optimizer",
        "likely cause: learning_rate is 0.1 in A and 0.5 in B (5 times)",
    ]
    assert "rank 0: identical" in said
    assert main(["diff", str(a), str(a)]) == 0
    assert unfolded(capsys.readouterr().out) == (
        f"identical: A ({a}) and B ({a}), 3 steps, every link of every step, on 2 ranks\n"
        f"{UNEVALUATED}\n"
    )


def test_the_rank_that_parts_first_is_named(pair: Callable[..., Any]) -> None:
    """By step, then by link, then the lowest; its neighbours' later ones are said beside it."""
    verdict = pair(
        {0: trained(), 1: trained(), 2: trained(), 3: trained()},
        {0: trained(then=2.0), 1: trained(0.2), 2: trained(first=2.0), 3: trained(first=2.0)},
    )
    assert (verdict.rank, verdict.step, verdict.link) == (2, 1, "batch")
    assert verdict.notes == (
        "rank 0: diverged, step 2, link batch",
        "rank 1: diverged, step 1, link optimizer",
        "rank 3: diverged, step 1, link batch",
    )


def test_what_changes_after_the_last_step_comes_after_all_links_of_it(
    pair: Callable[..., Any],
) -> None:
    def wiped() -> None:
        model = net()
        train(model)
        with torch.no_grad():
            model[0].weight.zero_()  # type: ignore[operator, union-attr]

    def other_end() -> Ledger:
        ledger = trained(steps=3)
        assert ledger.end is not None
        return ledger

    def late() -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        for number in range(3):
            optimizer.zero_grad()
            (model(torch.randn(5, 4)).pow(2).sum() * (1 + (number == 2))).backward()
            optimizer.step()

    verdict = pair({0: other_end(), 1: trained()}, {0: watch(wiped), 1: watch(late)})
    assert (verdict.rank, verdict.step) == (1, 3)


@pytest.mark.parametrize("lacks", ["a", "b", "both"])
def test_a_rank_without_a_ledger_is_said_and_is_not_identical(lacks: str, tmp_path: Path) -> None:
    """Also where neither run has it, and just the headers say that there was one."""
    whole, cut = {0: trained(), 1: trained()}, {0: trained()}
    a = folder(tmp_path / "a", cut if lacks != "b" else whole, 2)
    b = folder(tmp_path / "b", cut if lacks != "a" else whole, 2)
    verdict = reference.diff(a, b)
    assert (verdict.verdict, verdict.steps) == ("incomparable", 3)
    whose = {
        "a": "A's folder",
        "b": "B's folder",
        "both": "A and B",
    }
    assert verdict.detail == f"equal for 3 steps on 1 rank; no ledger of rank 1 in {whose[lacks]}"


def test_a_divergence_is_said_though_a_rank_is_lacking(pair: Callable[..., Any]) -> None:
    verdict = pair({0: trained(), 1: trained()}, {0: trained(0.5)}, processes=2)
    assert (verdict.verdict, verdict.rank, verdict.link) == ("diverged", 0, "optimizer")
    assert "not compared: no ledger of rank 1 in B's folder" in verdict.notes


def test_runs_of_no_common_rank(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", {1: trained()}, 1)
    b = folder(tmp_path / "b", {0: trained()}, 1)
    verdict = reference.diff(a, b)
    assert verdict.verdict == "incomparable"
    assert verdict.detail.startswith("no rank is in both; no ledger of rank 0 in A's folder")


def test_a_rank_that_trains_nothing_in_either_run_is_the_same(pair: Callable[..., Any]) -> None:
    idle = watch(lambda: None)
    verdict = pair({0: trained(), 1: idle}, {0: trained(), 1: idle})
    assert (verdict.verdict, verdict.steps, verdict.ranks) == ("identical", 3, 2)


@pytest.mark.parametrize("other", [trained, lambda: watch(lambda: None)], ids=["trains", "idle"])
def test_a_rank_that_trains_nothing_in_one_run_is_not(
    other: Callable[[], Ledger], pair: Callable[..., Any]
) -> None:
    idle = watch(lambda: None)
    verdict = pair({0: idle, 1: idle}, {0: other(), 1: other()})
    assert (verdict.verdict, verdict.detail) == ("incomparable", "a ledger without steps")


def test_what_is_to_be_known_of_one_rank_says_so(pair: Callable[..., Any]) -> None:
    def seeded(seed: int) -> Ledger:
        def run() -> None:
            torch.manual_seed(seed)
            model = nn.Linear(4, 2)
            nn.init.ones_(model.weight)
            nn.init.ones_(model.bias)
            optimizer = SGD(model.parameters(), 0.1)
            (model(torch.ones(5, 4)).sum() + 0 * torch.rand(1)).backward()
            optimizer.step()

        return watch(run)

    verdict = pair({0: seeded(0), 1: seeded(0)}, {0: seeded(0), 1: seeded(1)})
    assert verdict.verdict == "identical"
    said = "rank 1: of no effect: rng torch, unequal in step 1"
    assert verdict.notes == (UNEVALUATED, said)


def test_one_ledger_of_several_says_that_it_is_alone(tmp_path: Path) -> None:
    """A file is compared alone, as it was asked for."""
    a = folder(tmp_path / "a", {0: trained(), 1: trained()})
    b = folder(tmp_path / "b", {0: trained(), 1: trained(0.5)})
    verdict = reference.diff(a / "ledger.jsonl", b / "ledger.jsonl")
    assert (verdict.verdict, verdict.ranks, verdict.rank) == ("identical", 1, None)
    note = verdict.notes[-1]
    assert note.startswith("not compared: the other ranks; A is of one of 2")
    verdict = reference.diff(a / "ledger-1.jsonl", b)
    assert (verdict.verdict, verdict.rank, verdict.link) == ("diverged", 1, "optimizer")


def test_whoever_takes_one_ledger_names_the_ranks(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", {0: trained(), 1: trained()})
    with pytest.raises(InputError) as caught:
        find_ledger(a)
    said = f"{a}: holds the ledgers of ranks 0, 1; give one, as {a / 'ledger.jsonl'}"
    assert str(caught.value) == said


def test_an_envelope_is_of_every_rank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (folder(tmp_path / name, {0: trained(), 1: trained()}) for name in "ab")
    one = folder(tmp_path / "one", {0: trained()})
    other = folder(tmp_path / "other", {0: trained(), 1: trained(0.5)})
    assert main(["diff", str(a), str(b), "--envelope", str(a), str(b)]) == 0
    assert "3 steps, on 2 ranks" in unfolded(capsys.readouterr().out)
    assert main(["diff", str(a), str(other), "--envelope", str(a), str(b)]) == 1
    assert "part on rank 1 at step 1" in unfolded(capsys.readouterr().out)
    assert main(["diff", str(a), str(b), "--envelope", str(a), str(one)]) == 2
    assert f"--envelope: {one}: no ledger of rank 1" in capsys.readouterr().err


def test_a_header_that_counts_any_number_of_ranks_takes_no_memory(tmp_path: Path) -> None:
    a, b = (folder(tmp_path / name, {0: trained()}, 10**18) for name in "ab")
    verdict = reference.diff(a, b)
    assert verdict.verdict == "incomparable"
    assert len(verdict.detail) < 200
