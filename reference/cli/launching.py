"""What `python -m reference launch CONFIG ...` makes of its words: `train LOOP` or `compare`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from reference.cli.program import program
from reference.cli.recipe_options import get_recipe, given_fields
from reference.diff.verdict import Verdict
from reference.errors import InputError
from reference.launch.configuration import Configuration, about, names, read_configuration
from reference.lesson.loops import LOOPS, LOOPS_OF_SEVERAL
from reference.lesson.recipe import Recipe
from reference.messages import nearest
from reference.process.run_folder import check_run_dir, default_run_dir
from reference.run.inputs import check_processes


def show_configurations() -> None:
    """Print the configurations that come with this: name, what each is for, and its file."""
    for name in names():
        print(f"{name}: {about(name)}")


def launch_train(
    ctx: click.Context, words: tuple[str, ...], instead: Mapping[str, Any]
) -> tuple[Path, dict[str, Any] | None]:
    """Train a loop in the processes of a configuration.

    Args:
        ctx: of the command.
        words: CONFIG train LOOP and the loop's options.
        instead: the configuration's fields that the command line gives.

    Returns:
        The run's folder, and what its `metrics.json` holds where this is the first machine.

    Raises:
        InputError: before any process is started, or what one of them refused.
    """
    configuration, asked, more = _asked(ctx, words, instead)
    loop = asked.params["loop"]
    if loop not in LOOPS:
        raise nearest("loop", loop, LOOPS)
    recipe = get_recipe(asked)
    check_processes(recipe, loop, configuration.num_processes)
    _check_gpus(recipe, words[0], configuration)
    folder: Path = asked.params["run_dir"] or default_run_dir(loop)
    if configuration.machine_rank == 0:  # which may have made it by now, on a disk that they share
        check_run_dir(folder)
    from reference.launch.launcher import launch

    folder = launch(configuration, recipe, loop, [*words[1:], *more], folder, debug=ctx.obj)
    if configuration.machine_rank > 0:
        return folder, None
    return folder, json.loads((folder / "metrics.json").read_text())


def launch_compare(
    ctx: click.Context, words: tuple[str, ...], instead: Mapping[str, Any]
) -> tuple[Path, Verdict]:
    """Compare the two loops that train in the processes of a configuration.

    Args:
        ctx: of the command.
        words: CONFIG compare and its options.
        instead: the configuration's fields that the command line gives.

    Returns:
        The run's folder, and the verdict on the two.

    Raises:
        InputError: before any process is started, or what one of them refused.
    """
    configuration, asked, _ = _asked(ctx, words, instead)
    recipe = get_recipe(asked)
    for loop in LOOPS_OF_SEVERAL:
        check_processes(recipe, loop, configuration.num_processes)
    _check_gpus(recipe, words[0], configuration)
    folder: Path = asked.params["run_dir"] or default_run_dir("compare")
    check_run_dir(folder)
    from reference.compare.several_processes import compare_on

    return folder, compare_on(configuration, recipe, folder, debug=ctx.obj)


def _asked(
    ctx: click.Context, words: tuple[str, ...], instead: Mapping[str, Any]
) -> tuple[Configuration, click.Context, list[str]]:
    """The configuration, the command that it is for, and the options that it comes to."""
    if not words:
        raise InputError("launch: no CONFIG; give one of --list, or a file of accelerate config")
    configuration = read_configuration(words[0], **instead)
    if words[1:2] not in (("train",), ("compare",)):
        raise InputError("launch: give train LOOP or compare after CONFIG, and its options after")
    command = program.commands[words[1]]
    asked = command.make_context(words[1], list(words[2:]), parent=ctx)
    more = _options_of(configuration, given_fields(asked))
    return (
        configuration,
        command.make_context(words[1], [*words[2:], *more], parent=ctx),
        more,
    )


def _check_gpus(recipe: Recipe, name: str, configuration: Configuration) -> None:
    """Raise InputError where this machine has fewer GPUs than the configuration has processes."""
    if recipe.device != "cuda":
        return
    import torch

    here, gpus = configuration.per_machine, torch.cuda.device_count()
    if gpus < here:
        raise InputError(
            f"{name}: {here} processes on this machine, a GPU each, and it has {gpus}; give "
            "--num-processes, or a CONFIG for CPUs (launch --list)"
        )


def _options_of(configuration: Configuration, given: Mapping[str, Any]) -> list[str]:
    """The recipe's options that a configuration comes to; InputError where others contradict."""
    wanted = {}
    if configuration.use_cpu:
        wanted["device"] = "cpu"
    elif configuration.num_processes > 1:
        wanted["device"] = "cuda"
    if configuration.fsdp:
        wanted["fsdp"] = "full_shard"
    if configuration.mixed_precision != "no":
        wanted["mixed_precision"] = configuration.mixed_precision
    for name, value in wanted.items():
        option = f"--{name.replace('_', '-')}"
        if given.get(name, value) not in (value, "auto"):
            raise InputError(
                f"{option}: {given[name]} was given, and the configuration says {value}; give "
                "another CONFIG"
            )
    return [
        word for name, value in wanted.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
