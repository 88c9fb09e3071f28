"""What one step does, counted: what is added to it is seen, and a GPU's profiler isn't."""

import importlib
from dataclasses import replace

import pytest
import torch

from benchmarks.bounds.read import Exact
from benchmarks.counting import counts_of_bounds, step_counts
from benchmarks.counting.step_counts import Counts, count_step
from benchmarks.timing import recipes
from reference.errors import TrainingFailed
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from tests.benchmarks.device_work import with_more
from tests.conftest import DEVICES


def counted(loop: str, recipe: Recipe) -> Counts:
    return count_step(counts_of_bounds.trained(loop, recipe, load_data(recipe)), recipe.device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_added_to_a_step_is_counted(
    loop: str, device: str, small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same each time; and a kernel more, a value read more, are one more of each."""
    recipe = recipes.make_recipe("embedded", 3, device, data=small.data)
    plain = counted(loop, recipe)
    assert counted(loop, recipe) == plain
    module = importlib.import_module(f"reference.lesson.loops.{loop}")
    load_model = module.load_model

    def exp(weight: torch.Tensor) -> torch.Tensor:
        return weight.detach().exp()

    monkeypatch.setattr(module, "load_model", with_more(exp, load_model))
    kernel = counted(loop, recipe)
    assert kernel.reads == plain.reads
    assert kernel.bytes > plain.bytes
    monkeypatch.setattr(
        module, "load_model", with_more(lambda weight: exp(weight)[0, 0].item(), load_model)
    )
    read = counted(loop, recipe)
    assert read.reads == plain.reads + 1
    if device == "cuda":
        assert kernel.kernel_launches == plain.kernel_launches + 1
        assert kernel.synchronisations == plain.synchronisations
        assert read.kernel_launches == plain.kernel_launches + 1
        assert read.synchronisations == plain.synchronisations + 1


@pytest.mark.gpu
def test_a_bare_step_waits_for_nothing_but_its_mask(small: Recipe) -> None:
    """Transformers looks whether anything is padded; no clock of ours is in the count."""
    recipe = recipes.make_recipe("embedded", 3, "cuda", data=small.data)
    found = counted("bare", recipe)
    assert found.synchronisations == found.reads == 1
    assert found.kernel_launches is not None
    assert found.kernel_launches > 100


def test_what_a_device_does_in_a_step_is_counted_without_the_profilers_own() -> None:
    names = ["aten::mm", "cudaLaunchKernel", "cuLaunchKernelEx", "cudaStreamSynchronize"]
    names += ["aten::_local_scalar_dense", "cudaDeviceSynchronize", "[memory]"]
    counted = step_counts._counts(names, [100, 50, -100, 70], cuda=True, own=1)
    assert counted == step_counts.Counts(2, 220, 1, kernel_launches=2, synchronisations=1)
    assert step_counts._counts(names, [], cuda=False).kernel_launches is None
    with pytest.raises(TrainingFailed, match="CUPTI"):
        step_counts._counts(["aten::mm"], [], cuda=True)


def test_what_a_loop_launches_is_told_beside_the_bare_step(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes as many kernels as a GPU's libraries need."""
    launched = {"bare": 300, "manual": 306, "accelerated": 308, "trainer": 320}
    monkeypatch.setattr(counts_of_bounds, "make_recipe", lambda *_: small)
    monkeypatch.setattr(counts_of_bounds, "trained", lambda loop, *_: loop)
    monkeypatch.setattr(
        step_counts, "count_step", lambda loop, _: step_counts.Counts(1, 1, 1, launched[loop], 5)
    )
    on_cuda = replace(small, device="cuda")
    data = load_data(small)
    bounds = [Exact(loop, "added_launches", 6, "", "cuda") for loop in ("manual", "trainer")]
    wanted = {"manual-added_launches-cuda": 6, "trainer-added_launches-cuda": 20}
    assert counts_of_bounds.count(bounds, on_cuda, data) == wanted
    found = {n: c for n, c in counts_of_bounds.count_all(on_cuda, data).items() if "added" in n}
    assert found == {**wanted, "accelerated-added_launches-cuda": 8}
