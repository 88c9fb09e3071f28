"""The ranks of one run: replicas that part are named, and ranks that may differ are left alone.

Each rank is a training of its own here, by itself. What ranks share is made of the step's number:
so its gradients are equal on all ranks although each has its own batch, as after an all-reduce.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import StepLR

from reference.cli.main import main
from reference.diff.ranks_of_one_run import hold, said_after_the_run
from reference.diff.replica_notes import NoReplicas, Why
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.reader import Ledger
from reference.ledger.record import Writer
from tests.helpers.folded import unfolded
from tests.helpers.observing import SCRIPTS, python
from tests.helpers.small import net, watch

STEPS = 4


def drawn(like: torch.Tensor, seed: int) -> torch.Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


@contextmanager
def all_reduced(model: nn.Module, step: int) -> Iterator[None]:
    """Gradients as DistributedDataParallel has them accumulated: those of all ranks."""
    handles = [
        p.register_hook(lambda g, n=n: drawn(g, 100 * step + n))
        for n, p in enumerate(model.parameters())
    ]
    yield
    for handle in handles:
        handle.remove()


def reduce_by_hand(model: nn.Module, step: int) -> None:
    for number, parameter in enumerate(model.parameters()):
        parameter.grad = drawn(parameter, 100 * step + number)


class Rank:
    """What one rank does; a test's rank overrides what it does otherwise."""

    rate = 0.1
    steps = STEPS

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def model(self) -> nn.Module:
        return net()

    def optimizer(self, model: nn.Module) -> Optimizer:
        return SGD(model.parameters(), self.rate)

    def inputs(self, step: int) -> torch.Tensor:
        return drawn(torch.empty(5, 4), 10_000 + 100 * step + self.rank)

    def backward(self, model: nn.Module, step: int) -> None:
        with all_reduced(model, step):
            model(self.inputs(step)).pow(2).sum().backward()

    def before_update(self, model: nn.Module, step: int) -> None:
        """Between the backward pass and the optimizer's step."""

    def after_update(self, model: nn.Module, step: int) -> None:
        """After the optimizer's step."""

    def train(self) -> None:
        model = self.model()
        optimizer = self.optimizer(model)
        for step in range(1, self.steps + 1):
            optimizer.zero_grad()
            self.backward(model, step)
            self.before_update(model, step)
            optimizer.step()
            self.after_update(model, step)


class Handmade(Rank):
    """Gradients reduced between the backward pass and the step, by the script itself."""

    def backward(self, model: nn.Module, step: int) -> None:
        model(self.inputs(step)).pow(2).sum().backward()

    def before_update(self, model: nn.Module, step: int) -> None:
        reduce_by_hand(model, step)


class Accumulates(Rank):
    """Two passes a step, of which `no_sync` leaves the first one's gradients as they are."""

    def backward(self, model: nn.Module, step: int) -> None:
        model(self.inputs(100 + step)).pow(2).sum().backward()
        model(self.inputs(step)).pow(2).sum().backward()
        reduce_by_hand(model, step)


class Statistics(Rank):
    """A BatchNorm, whose running statistics are each rank's own."""

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


class WithBuffer(Rank):
    scale = 1.0

    def model(self) -> nn.Module:
        model = net()
        model.register_buffer("scale", torch.tensor([self.scale]))
        return model


class PutRight(WithBuffer):
    """Rank 0's buffers are sent to all when a pass begins, after the ledger has seen them."""

    def model(self) -> nn.Module:
        self.scale = 1.0 + self.rank
        model = super().model()

        def send(module: Any, _: Any) -> None:
            module.scale.fill_(1.0)

        model.register_forward_pre_hook(send)
        return model


class Shards(Rank):
    """The optimizer of each rank steps a part, and the ranks then exchange their parts (ZeRO)."""

    def optimizer(self, model: nn.Module) -> Optimizer:
        parameters = list(model.parameters())
        groups = [{"params": [p], "foreach": i == self.rank} for i, p in enumerate(parameters)]
        return SGD(groups, self.rate)


class Unused(Rank):
    """A part that no rank's pass goes through."""

    def model(self) -> nn.Module:
        model = net()
        model.spare = nn.Linear(2, 2)
        model.forward = lambda x: model[2](model[1](model[0](x)))  # type: ignore[method-assign]
        return model


class Joined(Rank):
    """A rank with less data ends earlier."""

    @property
    def steps(self) -> int:  # type: ignore[override]
        return STEPS - self.rank


class Local(Rank):
    """No gradients are shared; the weights are averaged in every second step."""

    def backward(self, model: nn.Module, step: int) -> None:
        model(self.inputs(step)).pow(2).sum().backward()

    def after_update(self, model: nn.Module, step: int) -> None:
        if step % 2 == 0:
            with torch.no_grad():
                for number, parameter in enumerate(model.parameters()):
                    parameter.copy_(drawn(parameter, 100 * step + number))


class LocalLater(Local):
    """The same, after a step in which gradients were shared."""

    def backward(self, model: nn.Module, step: int) -> None:
        if step == 1:
            Rank.backward(self, model, step)
        else:
            Local.backward(self, model, step)


class Alone(Local):
    """Nobody wrapped the model: no gradients are shared, and weights neither."""

    def after_update(self, model: nn.Module, step: int) -> None:
        """Nothing is averaged."""


class SharesLater(Alone):
    """Gradients are shared from the third step on, when the weights have parted already."""

    def backward(self, model: nn.Module, step: int) -> None:
        (Alone if step < 3 else Rank).backward(self, model, step)


class Stage(Rank):
    """Stages of a pipeline; these have the same names and shapes, and weights of their own."""

    def model(self) -> nn.Module:
        torch.manual_seed(self.rank)
        return net()

    def backward(self, model: nn.Module, step: int) -> None:
        model(self.inputs(step)).pow(2).sum().backward()


class OtherStage(Rank):
    """Stages that have other parameters."""

    def model(self) -> nn.Module:
        return nn.Linear(4, 2 + self.rank)


class Sweep(Stage):
    """Trainings of the same data and seed, with a rate each, that know nothing of each other."""

    @property
    def rate(self) -> float:  # type: ignore[override]
        return 0.1 * (1 + self.rank)

    def model(self) -> nn.Module:
        return net()

    def inputs(self, step: int) -> torch.Tensor:
        return drawn(torch.empty(5, 4), step)


class WarmsUp(Local):
    """Trainings of the same weights and their own data, whose rate is 0 in the first step."""

    def optimizer(self, model: nn.Module) -> Optimizer:
        self.taken = SGD(model.parameters(), 0.0)
        return self.taken

    def after_update(self, model: nn.Module, step: int) -> None:
        self.taken.param_groups[0]["lr"] = 0.1


class Evaluates(Rank):
    """One rank trains, the other only evaluates."""

    def train(self) -> None:
        if self.rank == 0:
            super().train()
        else:
            with torch.no_grad():
                self.model()(self.inputs(1))


class ReducesInStep(Local):
    """An optimizer that takes local gradients, and exchanges them in its own step."""

    def after_update(self, model: nn.Module, step: int) -> None:
        """Nothing is averaged."""

    def optimizer(self, model: nn.Module) -> Optimizer:
        class Reduces(SGD):
            taken = 0

            def step(self, closure: Any = None) -> Any:
                self.taken += 1
                reduce_by_hand(model, self.taken)
                return super().step(closure)

        return Reduces(model.parameters(), self.rate)


def of(*kinds: Callable[[int], Rank]) -> dict[int, Ledger]:
    """A run's ledgers, one of each rank."""
    return {rank: watch(kind(rank).train) for rank, kind in enumerate(kinds)}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Rank, None),
        (Handmade, None),
        (Accumulates, None),
        (Statistics, None),
        (PutRight, None),
        (Shards, None),
        (Unused, None),
        (Joined, None),
        (ReducesInStep, None),
        (Local, Why.TOGETHER_AGAIN),
        (Alone, Why.ALONE),
        (LocalLater, Why.TOGETHER_AGAIN),
        (Stage, Why.NOT_SHARED),
        (OtherStage, Why.OTHER_MODELS),
        (Sweep, Why.NOT_SHARED),
        (WarmsUp, Why.ALONE),
        (SharesLater, Why.NOT_SHARED),
        (Evaluates, Why.NO_STEPS),
    ],
)
def test_nothing_is_said_of_a_sound_run(kind: type[Rank], why: Why | None) -> None:
    held = hold(of(kind, kind))
    assert held.partings == ()
    assert held.sets == (() if why else ((0, 1),))
    assert [note.why for note in held.notes if isinstance(note, NoReplicas)] == (
        [why] if why else []
    )


REPLICAS = """ddp clipped no_sync batch_norm batch_norm_of_each join unused static_graph
bucket_views hook buffers_put_right by_hand zero""".split()
OTHERS = "local_sgd post_local_sgd pipeline fsdp tensor_parallel sweep evaluates".split()
FAULTS = {
    "other_rate": (1, "optimizer"),
    "other_seed": (1, "weights"),
    "other_seed_by_hand": (1, "weights"),
    "other_buffer": (1, "weights"),
    "skipped_step": (3, "clip"),
}


@pytest.mark.slow
def test_real_ways_of_training_in_parallel(tmp_path: Path) -> None:
    """Each is the same training as without an observer, to the last bit."""
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29641"]
    observed, plain = tmp_path / "observed", tmp_path / "plain"
    for folder, words in ((observed, []), (plain, ["plain"])):
        folder.mkdir()
        result = python(*launch, SCRIPTS / "ways_in_parallel.py", *words, cwd=folder)
        assert result.returncode == 0, result.stderr
    saved = sorted(path.name for path in plain.iterdir())
    assert len(saved) == 2 * len([*REPLICAS, *OTHERS, *FAULTS])
    for name in saved:
        both = [torch.load(folder / name) for folder in (observed, plain)]
        assert both[0] or name == "evaluates-1.pt"
        assert all(map(torch.equal, *both))
    found = {path.name: hold(find_ledgers(path)) for path in observed.iterdir() if path.is_dir()}
    assert found.keys() == {*REPLICAS, *OTHERS, *FAULTS}
    assert [name for name in (*REPLICAS, *OTHERS) if found[name].partings] == []
    assert [name for name in REPLICAS if found[name].sets != ((0, 1),)] == []
    assert [name for name in OTHERS if found[name].sets] == []
    for name, where in FAULTS.items():
        (part,) = found[name].partings
        assert (part.ranks, part.step, part.link) == ((1,), *where), name


class OtherRate(Rank):
    rate = 0.2


class OtherHandmadeRate(Handmade):
    rate = 0.2


class OtherSeed(Rank):
    def model(self) -> nn.Module:
        torch.manual_seed(7)
        return net()


class OtherBuffer(WithBuffer):
    scale = 2.0


class Skips(Rank):
    """The batch of step 2 is skipped, so that the third one's gradient is taken for it."""

    def backward(self, model: nn.Module, step: int) -> None:
        super().backward(model, step + (step > 1))


class SkipsByHand(Handmade):
    def before_update(self, model: nn.Module, step: int) -> None:
        super().before_update(model, step + (step > 1))


class ClipsAlone(Rank):
    def before_update(self, model: nn.Module, step: int) -> None:
        if step == 3:
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)


class Scheduled(Rank):
    every = 2

    def optimizer(self, model: nn.Module) -> Optimizer:
        optimizer = super().optimizer(model)
        self.scheduler = StepLR(optimizer, self.every)
        return optimizer

    def after_update(self, model: nn.Module, step: int) -> None:
        self.scheduler.step()


class StepsTwice(Scheduled):
    every = 1


class Reloads(Rank):
    def after_update(self, model: nn.Module, step: int) -> None:
        if step == 2:
            with torch.no_grad():
                next(model.parameters()).zero_()


@pytest.mark.parametrize(
    ("sound", "faulty", "step", "link", "words"),
    [
        (Rank, OtherRate, 1, "optimizer", "learning_rate: 0.1 and 0.2"),
        (Handmade, OtherHandmadeRate, 1, "optimizer", "learning_rate: 0.1 and 0.2"),
        (Rank, OtherSeed, 1, "weights", "4 of 4 tensors, first 0.weight"),
        (WithBuffer, OtherBuffer, 1, "weights", "1 of 1 buffers, first scale"),
        (Rank, Skips, 2, "gradient", "norm: "),
        (Handmade, SkipsByHand, 2, "clip", "norm: "),
        (Rank, ClipsAlone, 3, "clip", "factor of all gradients: "),
        (Scheduled, StepsTwice, 1, "schedule", "next_learning_rate: 0.1 and 0.01"),
        (Rank, Reloads, 3, "weights", "1 of 4 tensors, first 0.weight"),
    ],
)
def test_replicas_that_part_are_named(
    sound: type[Rank],
    faulty: type[Rank],
    step: int,
    link: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ledgers = of(sound, faulty)
    (part,) = hold(ledgers).partings
    assert (part.ranks, part.others, part.step, part.link) == ((1,), (0,), step, link)
    run = folder(tmp_path / "run", ledgers)
    assert main(["diff", str(run)]) == 1
    said = unfolded(capsys.readouterr().out).splitlines()
    assert said[0].startswith(
        f"diverged: the ranks of {run} part on rank 1 at step {step}, link {link}: "
    )
    assert words in said[0]
    place = f"rank 1 parts from rank 0 at step {step}, link {link}"
    assert f"{place}; of two values the first is rank 0's, the second rank 1's" in said
    assert main(["diff", str(run), "--json"]) == 1
    written = json.loads(capsys.readouterr().out)
    assert (written["a"], written["b"], written["rank"]) == (str(run), None, 1)
    assert written["sentence"] == said[0]


@pytest.mark.parametrize("odd", [0, 2])
def test_the_odd_one_of_several_is_named(odd: int) -> None:
    kinds = [OtherRate if rank == odd else Rank for rank in range(4)]
    (part,) = hold(of(*kinds)).partings
    assert part.ranks == (odd,)
    assert part.others == tuple(rank for rank in range(4) if rank != odd)


def test_replicas_are_told_from_other_ranks_of_the_same_run() -> None:
    """Two stages of a pipeline, each on two ranks: of the second stage one has another rate."""

    class Second(Rank):
        def model(self) -> nn.Module:
            return nn.Linear(4, 2)

    class SecondFaster(Second):
        rate = 0.2

    held = hold(of(Rank, Second, Rank, SecondFaster))
    assert held.sets == ((0, 2), (1, 3))
    assert [(part.ranks, part.others) for part in held.partings] == [((3,), (1,))]


def folder(path: Path, ledgers: dict[int, Ledger], processes: int | None = None) -> Path:
    path.mkdir()
    for rank, ledger in ledgers.items():
        name = f"ledger-{rank}.jsonl" if rank else "ledger.jsonl"
        header = {"rank": rank, "world_size": processes or len(ledgers)}
        writer = Writer(path / name, header)
        for item in ledger.items:
            writer.write(item.record)
        writer.close()
    return path


def test_a_sound_run_is_identical_in_what_was_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(tmp_path / "run", of(Rank, Rank))
    assert main(["diff", str(run)]) == 0
    assert unfolded(capsys.readouterr().out) == (
        f"identical in weights and updates: the ranks of {run}, 4 steps, on 2 ranks\n"
    )


def test_two_runs_with_a_rank_that_drifts_say_so_of_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are the same run, and neither is sound."""
    a, b = (folder(tmp_path / name, of(Rank, OtherRate)) for name in "ab")
    assert main(["diff", str(a), str(b)]) == 0
    said = unfolded(capsys.readouterr().out)
    for side in "AB":
        assert f"{side}: rank 1 parts from rank 0 at step 1, link optimizer" in said


def test_ranks_that_need_not_be_equal_are_incomparable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(tmp_path / "run", of(Stage, Stage))
    assert main(["diff", str(run)]) == 2
    said = unfolded(capsys.readouterr().out).splitlines()
    assert said == [
        f"incomparable: the ranks of {run}: no two of them need be equal",
        "not compared: rank 1, held against rank 0: shares no gradients with it",
    ]


def test_ranks_of_which_nobody_averages_a_gradient_are_said_to_train_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(tmp_path / "run", of(Alone, Alone, Alone))
    assert main(["diff", str(run)]) == 2
    said = unfolded(capsys.readouterr().out).splitlines()
    assert said == [
        f"incomparable: the ranks of {run}: no gradient is averaged in any step, and each trains a "
        "model of its own; if they are to train one, wrap it (DistributedDataParallel, "
        "accelerator.prepare)",
        "not compared: ranks 1, 2, held against rank 0: begins with the same weights, and never "
        "has a gradient or weights in common with it",
        "not compared: rank 2, held against rank 1: begins with the same weights, and never has a "
        "gradient or weights in common with it",
    ]
    assert said_after_the_run(run).startswith("3 ranks: no gradient is averaged in any step")
    assert said_after_the_run(folder(tmp_path / "other", of(Rank, Rank))) == ""


def test_a_missing_ledger_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = folder(tmp_path / "run", of(Rank, Rank), processes=3)
    assert main(["diff", str(run)]) == 2
    assert "no ledger of rank 2 in the run's folder" in unfolded(capsys.readouterr().out)
    faulty = folder(tmp_path / "faulty", of(Rank, OtherRate), processes=3)
    assert main(["diff", str(faulty)]) == 1  # what is there tells enough
    assert "no ledger of rank 2 in the run's folder" in unfolded(capsys.readouterr().out)


def test_a_ledger_that_is_cut_off_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(tmp_path / "run", of(Rank, Rank))
    ledger = run / "ledger-1.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-2]) + lines[-2][:50])  # killed while writing step 4
    assert main(["diff", str(run)]) == 2
    said = unfolded(capsys.readouterr().out)
    assert "equal for 3 steps; a run was cut short, or failed" in said
    assert "rank 1: its ledger has no whole end" in said


def test_a_damaged_ledger_is_an_error_of_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(tmp_path / "run", of(Rank, Rank))
    ledger = run / "ledger-1.jsonl"
    ledger.write_text(ledger.read_text().replace('"update":', '"update":7,"was":', 1))
    assert main(["diff", str(run)]) == 2
    assert "ledger-1.jsonl: row 3: field" in capsys.readouterr().err


def test_one_ledger_has_nothing_to_be_held_against(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder(tmp_path / "run", of(Rank))
    assert main(["diff", str(run)]) == 2
    assert f"required: B, the run that {run} is compared with" in capsys.readouterr().err
    assert main(["diff", str(run), "--offset", "1"]) == 2
    assert "diff: no B" in capsys.readouterr().err
    alone = folder(tmp_path / "alone", of(Rank), processes=7)
    assert main(["diff", str(alone)]) == 2
    said = capsys.readouterr().err
    assert f"{alone}: holds the ledger of rank 0 alone, none of rank 1, 2, 3, 4, ...;" in said
