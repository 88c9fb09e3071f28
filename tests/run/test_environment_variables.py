"""A variable in the environment never changes a run: it is put aside, or refused in one line."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference.cli.main import main
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.run.environment_variables import check_environment, put_aside
from reference.run.one_run import run
from tests.conftest import ROOT
from tests.helpers.refusal import refusal, says

# As `accelerate launch` sets them for one process, and some that belong to what is off.
HARMLESS = {
    "ACCELERATE_MIXED_PRECISION": "no",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1",
    "ACCELERATE_DYNAMO_BACKEND": "NO",
    "ACCELERATE_DYNAMO_MODE": "default",
    "ACCELERATE_USE_CPU": "True",
    "ACCELERATE_USE_FSDP": "false",
    "ACCELERATE_GRADIENT_CLIPPING": "0.1",
    "FSDP_OFFLOAD_PARAMS": "true",
    "WORLD_SIZE": "1",
    "LOCAL_RANK": "0",
    "RANK": "0",
}
REFUSED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "precision": ("ACCELERATE_MIXED_PRECISION=bf16", {}, ["says no; give --mixed-precision bf16"]),
    "fp8": ("ACCELERATE_MIXED_PRECISION=fp8", {"mixed_precision": "bf16"}, ["=fp8", "says bf16"]),
    "accumulation": (
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS=4",
        {"gradient_accumulation_steps": 2},
        ["says 2; give --gradient-accumulation-steps 4", "unset it"],
    ),
    "compiled": ("ACCELERATE_DYNAMO_BACKEND=INDUCTOR", {}, ["the recipe compiles nothing"]),
    "FSDP": ("ACCELERATE_USE_FSDP=true", {}, ["whole models"]),
    "DeepSpeed": ("ACCELERATE_USE_DEEPSPEED=1", {}, ["ACCELERATE_USE_DEEPSPEED=1"]),
    "the CPU": ("ACCELERATE_USE_CPU=yes", {"device": "cuda"}, ["give --device cpu"]),
    "mpirun": ("OMPI_COMM_WORLD_SIZE=2", {}, ["OMPI_COMM_WORLD_SIZE: 2", "torchrun"]),
    "a device": ("ACCELERATE_TORCH_DEVICE=meta", {"device": "cpu"}, ["the run is on cpu"]),
}


@pytest.mark.parametrize(("variable", "fields", "parts"), REFUSED.values(), ids=REFUSED.keys())
def test_another_run_is_refused(variable: str, fields: dict[str, Any], parts: list[str]) -> None:
    environment = dict([variable.split("=")])
    says(refusal(lambda: check_environment(Recipe(**fields), environment)), *parts)


@pytest.mark.parametrize("fields", [{}, {"mixed_precision": "bf16"}])
def test_what_accelerate_launch_sets_is_let_through(fields: dict[str, Any]) -> None:
    check_environment(Recipe(**fields), HARMLESS)
    recipe = Recipe(mixed_precision="bf16", gradient_accumulation_steps=4)
    said = {"MIXED_PRECISION": "bf16", "GRADIENT_ACCUMULATION_STEPS": "4"}
    check_environment(recipe, {f"ACCELERATE_{name}": value for name, value in said.items()})


@pytest.mark.parametrize("loop", LOOPS)
def test_the_recipe_alone_says_what_is_trained(
    loop: str, small: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate would divide the loss again by the steps that a variable repeats."""
    recipe = replace(small, max_steps=2, gradient_accumulation_steps=2)
    run(recipe, loop, tmp_path / "plain")
    variables = {**HARMLESS, "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "2"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    run(recipe, loop, tmp_path / "odd")
    plain, odd = (read_ledger(tmp_path / name / LEDGER_FILE).steps for name in ("plain", "odd"))
    assert plain == odd
    assert {name: os.environ[name] for name in variables} == variables


def test_variables_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    with put_aside():
        assert "ACCELERATE_MIXED_PRECISION" not in os.environ
        os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16"  # as the Trainer does
        os.environ["ACCELERATE_USE_CPU"] = "1"
    assert os.environ["ACCELERATE_MIXED_PRECISION"] == "no"
    assert "ACCELERATE_USE_CPU" not in os.environ


@pytest.mark.parametrize("command", ["compare", "train manual", "data"])
def test_the_command_line_refuses_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert main(command.split()) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_precision_given_to_accelerate_launch_is_not_lost(tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--cpu"]
    launch += ["--num_machines", "1", "--mixed_precision", "bf16", "--dynamo_backend", "no"]
    result = subprocess.run(
        [*launch, "-m", "reference", "train", "accelerated", "--run-dir", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    says(result.stderr, "reference: error: ", "give --mixed-precision bf16")
    assert not (tmp_path / "run").exists()
