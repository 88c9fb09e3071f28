"""`explain` for people: the ledgers are read and checked here, before torch is loaded.

python -m reference explain LEDGER
"""

from pathlib import Path
from typing import TYPE_CHECKING

from reference.diff.ranks_of_one_run import processes_of
from reference.errors import InputError
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import is_newer
from reference.ledger.schema import check
from reference.ledger.steps import groups
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe

if TYPE_CHECKING:
    from reference.explain.explanation import Explanation


def explain(
    ledger: Path | str, recipe: Recipe | Path | str = "embedded", *, own_length: bool = False
) -> "Explanation":
    """Find the known deviations that turn the recipe's run into that ledger, proven by replay.

    The manual loop is trained again and again on this machine, a bar on stderr shows how far. For
    the folder of a run of several processes it is the Accelerate loop, in as many.

    Args:
        ledger: the ledger's file, or its run's folder.
        recipe: what the run was meant to be: a Recipe, or what `--recipe` takes: a recipe's name,
            its file or a run's folder.
        own_length: take the recipe's number of steps from the ledger's header, or for a script's
            ledger from how many steps a whole one has; the explanation says if it is so.

    Returns:
        The explanation: whether it is `proven`, and its last replay, the `outcome`, with the
        deviations that are `chosen`.

    Raises:
        InputError: for a ledger that isn't as its schema has it, or isn't of the recipe's data or
            checkpoint.
    """
    targets = read_targets(Path(ledger))
    from reference.explain.session import explain_targets  # loads torch

    known = recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))
    return explain_targets(targets, known, own_length=own_length)


def explain_ledger(
    path: Path, recipe: Recipe, *, own_length: bool = False, as_json: bool = False
) -> int:
    """Explain a ledger by a recipe, and print it.

    Args:
        path: the ledger's file, or its run's folder.
        recipe: the recipe that the run is held against.
        own_length: take the recipe's number of steps from the ledger's header, or for a script's
            ledger from how many steps a whole one has.
        as_json: print one JSON object in place of the text.

    Returns:
        The exit code: 0 if all of it is proven, 1 if something is left, 2 if it can only be
        proven as far as the ledger goes, or is of another model.

    Raises:
        InputError: for a ledger that isn't as its schema has it, or isn't of the recipe's data or
            checkpoint.
    """
    explanation = explain(path, recipe, own_length=own_length)
    from reference.explain.session import print_explanation

    paths = find_ledgers(path)
    named = path if len(paths) > 1 else next(iter(paths.values()))
    return print_explanation(named, explanation, as_json=as_json)


def read_targets(given: Path) -> dict[Path, Ledger]:
    """The ledgers of a run, in the order of its ranks: one, or each of a folder.

    Raises:
        InputError: for one that isn't as its schema has it, or that isn't there.
    """
    paths = find_ledgers(given)
    targets = {path: read_target(path) for path in paths.values()}
    first = next(iter(targets.values()))
    missing = [rank for rank in range(processes_of(first.header)) if rank not in paths]
    if missing and given.is_dir():
        raise InputError(
            f"{given}: the ledger of rank {missing[0]} isn't there, and a replay needs that of "
            "each process; put it there, or record the run again"
        )
    return targets


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
