"""The ranks of a run, held against each other."""

from pathlib import Path

import torch
import torch.nn.functional as functional
from torch.optim import SGD

from reference.check.examination import Examination, examine_run
from reference.check.report_text import lines
from reference.ledger.record import Writer
from reference.observe.observer import Observer
from tests.check.ledgers import names_in
from tests.check.sound_runs import mlp

STEPS = 6
RANK_1 = "ledger-1.jsonl"


def train_rank(
    path: Path, number: int, *, seed: int, parts: bool = False, alone: bool = False
) -> None:
    """A rank of two, with gradients as if averaged over both.

    Args:
        path: Of its ledger.
        number: The rank.
        seed: Of its batches.
        parts: It takes another learning rate from step 4 on.
        alone: Nobody averages its gradients.
    """
    torch.manual_seed(0)
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    own, of_both = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(9)
    with Observer(Writer(path, {"program": {}, "rank": number, "world_size": 2})):
        for step in range(STEPS):
            x = torch.randn(8, 6, generator=own)
            optimizer.zero_grad()
            functional.cross_entropy(model(x), torch.ones(8).long()).backward()
            for parameter in () if alone else model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=of_both)
            if parts and step == 3:
                optimizer.param_groups[0]["lr"] = 0.2
            optimizer.step()


def two_ranks(
    folder: Path, seeds: tuple[int, int], *, parts: bool = False, alone: bool = False
) -> Examination:
    train_rank(folder / "ledger.jsonl", 0, seed=seeds[0], alone=alone)
    train_rank(folder / RANK_1, 1, seed=seeds[1], parts=parts, alone=alone)
    return examine_run(folder)


def test_ranks_that_share_their_work_are_sound(tmp_path: Path) -> None:
    examination = two_ranks(tmp_path, (1, 2))
    assert names_in(examination) == []
    assert "batch: the ranks' beside each other" in examination.looked_at


def test_ranks_on_the_same_samples_are_found(tmp_path: Path) -> None:
    examination = two_ranks(tmp_path, (1, 1))
    assert names_in(examination) == ["ranks-see-the-same"]
    assert [*examination.found[0].evidence.steps] == [*range(1, STEPS + 1)]


def test_ranks_whose_gradients_nobody_averages_are_found(tmp_path: Path) -> None:
    examination = two_ranks(tmp_path, (1, 2), alone=True)
    assert names_in(examination) == ["ranks-each-alone"]
    assert lines(examination)[1].endswith("in common in any of 6 steps")


def test_ranks_that_part_are_found(tmp_path: Path) -> None:
    said = lines(two_ranks(tmp_path, (1, 2), parts=True))
    assert said[0].startswith("wrong: ranks-part")
    assert "rank 1 parts from rank 0 at step 4" in said[1]
    assert "0.1 and 0.2" in said[1]


def test_a_finding_names_the_ranks_that_it_shows_in(tmp_path: Path) -> None:
    for path in (tmp_path / "ledger.jsonl", tmp_path / RANK_1):
        with Observer(Writer(path, {"program": {}})):
            model = mlp()
            optimizer = SGD(model.parameters(), 0.0)
            for _ in range(3):
                functional.cross_entropy(model(torch.randn(8, 6)), torch.ones(8).long()).backward()
                optimizer.step()
                optimizer.zero_grad()
    examination = examine_run(tmp_path)
    rate = next(f for f in examination.found if f.finding.name == "rate-is-zero")
    assert rate.ranks == (0, 1)
    assert any("(ranks 0, 1)" in line for line in lines(examination))
