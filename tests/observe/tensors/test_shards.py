"""Models of which each process has a part: FSDP (`fully_shard`), and tensor parallelism."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import reference
from reference.ledger.link_table import LINKS
from reference.ledger.reader import Ledger, read_ledger
from tests.helpers.observing import SCRIPTS, python
from tests.helpers.small import net, watch

Make = Callable[[DeviceMesh], nn.Module]


@pytest.fixture(scope="module")
def mesh() -> Iterator[DeviceMesh]:
    """Of this process alone: what it takes to make shards, and nobody to wait for."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,), mesh_dim_names=("dp",))
    dist.destroy_process_group()


def fsdp(mesh: DeviceMesh) -> nn.Module:
    model = net()
    fully_shard(model[0], mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def tensor_parallel(mesh: DeviceMesh) -> nn.Module:
    return parallelize_module(net(), mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})


def trained(make: Make, mesh: DeviceMesh, rate: float = 0.1) -> Ledger:
    """Evaluates before, between and after steps, when FSDP has its parameters gathered."""

    def run() -> None:
        model = make(mesh)
        optimizer = torch.optim.AdamW(model.parameters(), rate)
        for _ in range(3):
            with torch.no_grad():
                model(torch.ones(2, 4))
            optimizer.zero_grad()
            model(torch.randn(5, 4)).pow(2).sum().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()

    return watch(run)


@pytest.mark.parametrize("make", [fsdp, tensor_parallel])
def test_shards_are_recorded_and_a_second_run_is_identical(make: Make, mesh: DeviceMesh) -> None:
    ledger = trained(make, mesh)
    (model,) = ledger.models
    assert [len(parameter) for parameter in model["parameters"]] == [3] * 4
    assert model["parameters"][0] == ["0.weight", [3, 4], "S(0) over dp 1"]
    assert len(ledger.steps) == 3
    for step in ledger.steps:
        assert set(LINKS) <= step.keys()
        assert step["gradient"]["hash"] != step["clip"]["hash"]
    assert reference.diff(ledger, trained(make, mesh)).verdict == "identical"
    verdict = reference.diff(ledger, trained(make, mesh, rate=0.2))
    assert (verdict.step, verdict.link) == (1, "optimizer")


def test_other_placements_are_named(mesh: DeviceMesh) -> None:
    def other(mesh: DeviceMesh) -> nn.Module:
        return parallelize_module(net(), mesh, {"0": RowwiseParallel(), "2": RowwiseParallel()})

    verdict = reference.diff(trained(tensor_parallel, mesh), trained(other, mesh))
    assert verdict.verdict == "incomparable"
    assert "A has 0.weight (3, 4, S(0) over dp 1)" in verdict.detail
    assert "B has 0.weight (3, 4, S(1) over dp 1)" in verdict.detail


@pytest.mark.slow
def test_two_processes_train_to_the_same_bits(tmp_path: Path) -> None:
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29639"]
    printed = [python(*launch, SCRIPTS / "sharded.py").stdout]
    for name in "ab":
        run = ["-m", "reference", "observe", "--run-dir", tmp_path / name, SCRIPTS / "sharded.py"]
        result = python(*launch, *run)
        assert result.returncode == 0, result.stderr
        printed.append(result.stdout)
    assert printed[0]
    assert len(set(printed)) == 1
    for rank in ("ledger", "ledger-1"):
        steps = read_ledger(tmp_path / "a" / f"{rank}.jsonl").steps
        assert len(steps) == 6
        assert all(set(LINKS) <= step.keys() for step in steps)
    verdict = reference.diff(tmp_path / "a", tmp_path / "b")
    assert (verdict.verdict, verdict.ranks, verdict.every_link) == ("identical", 2, True)
