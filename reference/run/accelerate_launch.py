"""Whether `accelerate launch` was asked for more processes than it started.

    accelerate launch --cpu --num_processes 2 -m reference train accelerated

On a CPU it starts one, whatever number it is given, and says nothing (accelerate 1.15, its
`simple_launcher`). What it was asked for stands in its own command line, or in its configuration.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reference.errors import InputError

# It sets this one for whatever it starts.
SIGN = "ACCELERATE_MIXED_PRECISION"
NUMBER = ("--num_processes", "--num-processes")
FILE = ("--config_file", "--config-file")


def check_accelerate_launch(world_size: int, environment: Mapping[str, str] = os.environ) -> None:
    """Raise InputError where this is one process, and `accelerate launch` was to start several."""
    if world_size > 1 or SIGN not in environment:
        return
    asked = asked_for(_command_of_parent())
    if asked > 1:
        raise InputError(
            f"accelerate launch: {asked} processes were asked for and one was started, as it does "
            f"on a CPU; use torchrun --nproc_per_node {asked}, or python -m reference launch "
            f"--num-processes {asked} cpu-2"
        )


def asked_for(command: Sequence[str]) -> int:
    """How many processes a command line of `accelerate launch` asks for; 1 for any other."""
    names = [Path(word).name for word in command]
    if not ("accelerate" in names or "accelerate-launch" in names or _as_module(command)):
        return 1
    number = _value(command, NUMBER)
    if number is None:
        number = _in_file(_value(command, FILE))
    return int(number) if str(number).isdigit() else 1


def _as_module(command: Sequence[str]) -> bool:
    return "accelerate.commands.launch" in command


def _value(command: Sequence[str], options: Sequence[str]) -> str | None:
    for word, following in zip(command, [*command[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name in options:
            return value or following
    return None


def _in_file(path: str | None) -> Any:
    """What a configuration says; the user's own where the command line names none."""
    import yaml
    from accelerate.commands.config.config_args import default_config_file

    file = Path(path or default_config_file)
    if not file.is_file():
        return 1
    try:
        fields = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # Accelerate has taken it, whatever it is
        return 1
    return fields.get("num_processes", 1) if isinstance(fields, dict) else 1


def _command_of_parent() -> list[str]:
    import psutil

    try:
        command: list[str] = psutil.Process(os.getppid()).cmdline()
    except psutil.Error:  # it has ended, or is another user's
        return []
    return command
