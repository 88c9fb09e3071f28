"""Configurations as `accelerate config` writes them: read, shown, and refused in one line."""

from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from reference.cli.main import main
from reference.launch.configuration import FOLDER, Configuration, names, read_configuration
from tests.helpers.refusal import refusal, says

REFUSED: dict[str, tuple[str, list[str]]] = {
    "not YAML": ("a: [", ["not YAML", "accelerate config"]),
    "no mapping": ("- 1", ["no configuration"]),
    "a number in words": ("num_processes: two", ["field num_processes: 'two'"]),
    "none at all": ("num_processes: 0", ["give 1 or more"]),
    "uneven": ("num_processes: 3\nnum_machines: 2", ["3 can't be shared evenly by 2 machines"]),
    "no such machine": ("machine_rank: 1", ["machine_rank: 1 of 1 machines"]),
    "nowhere to meet": (
        "num_processes: 2\nnum_machines: 2",
        ["main_process_ip, main_process_port: missing"],
    ),
    "no port": ("main_process_port: 99999", ["main_process_port: 99999 is no port"]),
    "the first FSDP": (
        "fsdp_config: {fsdp_version: 1}",
        ["fsdp_config.fsdp_version: 1: the first FSDP doesn't run on a CPU", "give 2"],
    ),
    "FSDP of no version": ("fsdp_config: {fsdp_offload_params: false}", ["fsdp_version: 1"]),
    "weights kept elsewhere": (
        "fsdp_config: {fsdp_version: 2, fsdp_offload_params: true}",
        ["fsdp_config.fsdp_offload_params: True", "give False"],
    ),
    "a misspelt field": (
        "fsdp_config: {fsdp_version: 2, fsdp_offload: true}",
        ["fsdp_config: ", "did you mean fsdp_offload_params?"],
    ),
    "FSDP in a word": ("fsdp_config: yes please", ["fsdp_config: 'yes please'"]),
    "DeepSpeed": ("deepspeed_config: {zero_stage: 2}", ["field deepspeed_config", "take it out"]),
}


@pytest.mark.parametrize("name", names())
def test_accelerate_reads_what_comes_with_this(name: str) -> None:
    theirs = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    ours = read_configuration(name)
    assert (theirs.num_processes, theirs.num_machines) == (ours.num_processes, ours.num_machines)
    assert (theirs.use_cpu, str(theirs.mixed_precision)) == (ours.use_cpu, ours.mixed_precision)


@pytest.mark.parametrize(("text", "parts"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, parts: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    says(refusal(lambda: read_configuration(str(file))), "mine.yaml", *parts)


def test_ranks_are_counted_over_machines() -> None:
    there: dict[str, Any] = {"main_process_ip": "192.0.2.1", "main_process_port": 29500}
    second = Configuration(num_processes=6, num_machines=2, machine_rank=1, **there)
    assert list(second.ranks) == [3, 4, 5]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("launch", "no CONFIG"),
        ("launch cpu2 train manual", "did you mean cpu-2?"),
        ("launch gone.yaml train manual", "no such configuration"),
        ("launch cpu-2 observe x.py", "give train LOOP or compare after CONFIG"),
        ("launch fsdp-cpu-2 train trainer", "the trainer loop has whole models here"),
        ("launch fsdp-cpu-2 train accelerated --fsdp no", "--fsdp: no was given"),
        ("launch fsdp-cpu-2 train accelerated --bf16", "bf16 isn't there with fsdp"),
        ("train accelerated --fsdp full_shard", "fsdp: full_shard is for several processes"),
        ("launch one compare", "compare: is for several processes of one machine"),
        ("launch --num-processes 3 cpu-2 compare", "8 samples can't be shared evenly by 3"),
        (
            "launch --num-processes 3 cpu-2 train accelerated --sharing split",
            "as sharing split has to",
        ),
        (
            "launch cpu-2 train accelerated --sharing split --eval-batch-size 5",
            "eval_batch_size: 5 samples can't be shared evenly by 2",
        ),
        ("launch cpu-2 train manual", "manual: trains in one process, as in the course, and 2"),
        ("launch cpu-2 train accelerated --train-batch-size 1", "1 samples for 2 processes"),
        ("launch --num-processes 3 cpu-2 train trainer", "8 samples can't be shared evenly by 3"),
        ("launch cpu-2 train accelerated --device cuda", "--device: cuda was given"),
        ("launch bf16-gpu-2 train accelerated --mixed-precision no", "configuration says bf16"),
    ],
)
def test_the_command_refuses_in_one_line(
    words: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert part in said
    assert said.count("\n") == 1


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "--list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in shown] == names()
    assert "cpu-2: Two processes on this machine's CPU." in shown
