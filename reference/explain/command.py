"""`explain` for people: the ledger is read and checked here, before torch is loaded.

python -m reference explain LEDGER
"""

from pathlib import Path

from reference.errors import InputError
from reference.ledger.record import Ledger, is_newer, read_ledger
from reference.ledger.schema import check
from reference.ledger.steps import groups
from reference.lesson.recipe import Recipe


def explain_ledger(path: Path, recipe: Recipe, *, own_length: bool = False) -> int:
    """Explain a ledger by a recipe, and print it.

    Args:
        path: the ledger's file.
        recipe: the recipe that the run is held against.
        own_length: take the recipe's number of steps from the ledger's header, or for a script's
            ledger from how many steps a whole one has.

    Returns:
        The exit code: 0 if all of it is proven, 1 if something is left, 2 if it can only be
        proven as far as the ledger goes, or is of another model.

    Raises:
        InputError: for a ledger that isn't as its schema has it, or isn't of the recipe's data or
            checkpoint.
    """
    target = read_target(path)
    from reference.explain.session import explain_target  # loads torch

    return explain_target(path, target, recipe, own_length=own_length)


def read_target(path: Path) -> Ledger:
    """The ledger in a file, each of whose records is as its schema has it.

    Raises:
        InputError: for any that isn't, or a ledger without a step.
    """
    target = read_ledger(path)
    if not any(item.kind == "step" for item in target.items):
        raise InputError(f"{path}: holds no step; there is nothing to explain")
    newer = is_newer(target.header)
    for group in groups(target.items, newer=newer):
        if group.step is not None and not newer:
            check(group.step)
    return target
