"""A process made one that runs by a recipe: device, threads, determinism."""

import dataclasses
import os

import torch

from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.run.environment_variables import check_environment


def resolve_device(recipe: Recipe) -> Recipe:
    """The recipe with `auto` made plain: a GPU where there is one, else the CPU."""
    there = torch.cuda.is_available()
    if recipe.device == "cuda" and not there:
        raise InputError("device: cuda was asked for and there is none; use --device cpu")
    device = ("cuda" if there else "cpu") if recipe.device == "auto" else recipe.device
    return dataclasses.replace(recipe, device=device)


def prepare(recipe: Recipe, *, deterministic: bool = True) -> Recipe:
    """Make this process one that runs by the recipe: threads, determinism; the device made plain.

    Not `deterministic` is for measuring how far apart a GPU's runs are then; a CPU's are no other.
    Raises InputError for a device that isn't there, or variables that ask for another run.
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
    """Leave the screen to the progress bar: the head is new by design, and said so here."""
    import datasets
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
