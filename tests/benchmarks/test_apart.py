"""How far apart a GPU's runs are: the envelope's sums, what it refuses, and how it ends."""

import functools
import importlib
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import apart, parts
from reference.diff import tolerance
from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.run.one_run import run
from reference.run.prepare import prepare
from tests.benchmarks.stopped import check_stopped
from tests.conftest import ROOT


def test_the_farthest_of_all_pairs_and_steps_is_told(
    small: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart_by = {("a", "b"): 3.0, ("a", "c"): 1.0}
    monkeypatch.setattr(apart, "apart", lambda a, b: {"forward loss": apart_by[(a.name, b.name)]})
    pairs = [(Path("a"), Path("b")), (Path("a"), Path("c"))]
    assert apart.farthest(pairs) == "forward loss 3"
    monkeypatch.undo()
    # Two runs that come together again: the first step's distance is the most.
    for name, first in (("a", 1.0), ("b", 5.0)):
        run(replace(small, max_steps=2), "manual", tmp_path / name)
        ledger = tmp_path / name / "ledger.jsonl"
        lines = [json.loads(line) for line in ledger.read_text().splitlines()]
        step = next(line for line in lines if line.get("step") == 1 and "forward" in line)
        step["forward"][0]["loss"] = first
        ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert tolerance.apart(*(tmp_path / n / "ledger.jsonl" for n in "ab"))["forward loss"] == 4.0


def test_a_devices_runs_are_deterministic_unless_it_is_measured_how_far_apart_they_are(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv(apart.WORKSPACE, raising=False)
    prepare(replace(small, device="cuda"), deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert apart.WORKSPACE not in os.environ
    prepare(replace(small, device="cuda"))
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ[apart.WORKSPACE] == ":4096:8"


def test_how_far_apart_runs_are_is_measured(
    small: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a device's sums in another order each time would move it, the manual loop's loss is."""
    module = importlib.import_module("reference.lesson.loops.manual")
    load_model, noise = module.load_model, random.Random(0)

    def trembling(recipe: Recipe) -> torch.nn.Module:
        model: torch.nn.Module = load_model(recipe)
        forward = model.forward

        @functools.wraps(forward)
        def tremble(*args: Any, **kwargs: Any) -> Any:
            outputs = forward(*args, **kwargs)
            outputs.loss = outputs.loss * (1 + noise.choice((0.0, 1e-3)))
            return outputs

        model.forward = tremble
        return model

    monkeypatch.setattr(module, "load_model", trembling)
    rows = dict(apart.measure(replace(small, max_steps=3), tmp_path, 2))
    still = "clip norm 0, forward loss 0, gradient norm 0"
    assert rows["trainer, 2 times"] == rows["trainer and accelerated"] == still
    for name in ("manual, 2 times", "trainer and manual", "manual and accelerated"):
        numbers = [float(part.split()[-1]) for part in rows[name].split(", ")]
        assert 0 < numbers[1] < 0.01


def test_runs_that_were_told_other_things_have_no_envelope(small: Recipe, tmp_path: Path) -> None:
    for seed in (1, 2):
        run(replace(small, max_steps=2, seed=seed), "manual", tmp_path / str(seed))
    with pytest.raises(InputError, match="no two runs of the same thing: step 1, batch"):
        apart.farthest([(tmp_path / "1" / "ledger.jsonl", tmp_path / "2" / "ledger.jsonl")])


def test_runs_without_a_step_have_no_envelope(small: Recipe, tmp_path: Path) -> None:
    run(replace(small, max_steps=2), "manual", tmp_path / "run")
    ledger = tmp_path / "run" / "ledger.jsonl"
    short = tmp_path / "short.jsonl"  # its header and its model
    short.write_text("".join(ledger.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(InputError, match="no step of these runs has a number in both"):
        apart.farthest([(short, short)])
    with pytest.raises(InputError, match="one ends before step 1"):
        apart.farthest([(ledger, short)])


def test_the_run_that_is_measured_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    def measure(recipe: Recipe, folder: Path, runs: int) -> list[list[str]]:
        asked.append(recipe)
        return []

    monkeypatch.setattr(apart, "measure", measure)
    words = ["--device", "cpu", "--checkpoint", "minilm", "--mixed-precision", "bf16"]
    assert apart.main([*words, "--max-steps", "5"]) == 0
    (recipe,) = asked
    assert (recipe.checkpoint, recipe.mixed_precision, recipe.max_steps) == ("minilm", "bf16", 5)


@pytest.mark.slow
def test_a_measurement_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.apart", "--device", "cpu"]
    check_stopped(
        command,
        lambda: list(tmp_path.glob("apart-*/trainer-1/ledger.jsonl")),
        variables={"TMPDIR": str(tmp_path)},
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.slow
def test_without_a_device_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for measure in (
        functools.partial(apart.main, []),
        functools.partial(parts.main, ["--device", "cuda"]),
    ):
        assert measure() == 2
        assert capsys.readouterr().err == (
            "error: device: cuda was asked for and there is none; use --device cpu\n"
        )
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "benchmarks"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no CUDA device here: the tests marked gpu need one" in done.stdout + done.stderr
