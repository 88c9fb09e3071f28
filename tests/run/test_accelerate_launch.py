"""Whoever asks `accelerate launch` for two processes and gets one is told."""

from pathlib import Path

import pytest

from reference.run.accelerate_launch import SIGN, asked_for, check_accelerate_launch
from tests.helpers.refusal import refusal, says

LAUNCHES = {
    "by option": (["python", "/venv/bin/accelerate", "launch", "--num_processes", "2"], 2),
    "with =": (["python", "-m", "accelerate.commands.launch", "--num-processes=3", "t.py"], 3),
    "one": (["/venv/bin/accelerate-launch", "--num_processes", "1"], 1),
    "no number": (["accelerate", "launch", "--config_file", "gone.yaml", "t.py"], 1),
    "another program": (["bash", "--num_processes", "2"], 1),
    "none": ([], 1),
}


@pytest.mark.parametrize(("command", "number"), LAUNCHES.values(), ids=LAUNCHES)
def test_what_it_was_asked_for(command: list[str], number: int) -> None:
    assert asked_for(command) == number


def test_a_configuration_asks_for_two(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text("distributed_type: MULTI_CPU\nnum_processes: 2\n")
    assert asked_for(["accelerate", "launch", "--config_file", str(file), "train.py"]) == 2


def test_one_process_for_two_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    command = LAUNCHES["by option"][0]
    monkeypatch.setattr("reference.run.accelerate_launch._command_of_parent", lambda: command)
    says(
        refusal(lambda: check_accelerate_launch(1, {SIGN: "no"})),
        "accelerate launch: 2 processes were asked for and one was started",
        "torchrun --nproc_per_node 2",
    )
    check_accelerate_launch(2, {SIGN: "no"})
    check_accelerate_launch(1, {})
