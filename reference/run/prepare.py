"""This process prepared for a recipe: device, threads, determinism."""

import dataclasses
import os

import torch

from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.run.environment_variables import check_environment


def resolve_device(recipe: Recipe) -> Recipe:
    """The recipe with a device in place of `auto`: a GPU where there is one, else the CPU.

    Raises:
        InputError: `cuda` was asked for, and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if recipe.device == "cuda" and not has_gpu:
        raise InputError("device: cuda was asked for and there is none; use --device cpu")
    device = ("cuda" if has_gpu else "cpu") if recipe.device == "auto" else recipe.device
    return dataclasses.replace(recipe, device=device)


def prepare(recipe: Recipe, *, deterministic: bool = True) -> Recipe:
    """Set this process's threads and determinism as the recipe needs them.

    Args:
        recipe: its device may be `auto`.
        deterministic: False only to measure how far apart a GPU's runs are then. On a CPU it
            changes nothing.

    Returns:
        The recipe with a device in place of `auto`.

    Raises:
        InputError: the device isn't there, or variables of the environment ask for another run.
    """
    recipe = resolve_device(recipe)
    check_environment(recipe)
    quiet()
    torch.set_num_threads(recipe.num_threads)
    if recipe.device == "cuda":
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(deterministic)
    return recipe


def quiet() -> None:
    """Turn off what libraries print: they would warn of the new head, which is meant to be new."""
    import datasets
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
