"""An option for each field of the recipe, and the recipe that they come to.

    python -m reference train --help

What is wrong with it is said before the slow imports.
"""

import typing
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from reference.cli.help_page import Option
from reference.errors import InputError
from reference.lesson.recipe import ALIASES, FIELDS, Recipe, parse_field
from reference.lesson.recipe_fields import GROUPS, MACHINE, about
from reference.lesson.recipe_sources import RECIPES, load_recipe
from reference.lesson.tasks import OWN_TASKS, TASKS
from reference.messages import nearest
from reference.process.bounded_files import check_name

CHECKPOINTS = ("embedded", "minilm")  # by name; any other is a folder or a hub name
KNOWN: dict[str, tuple[str, ...]] = {
    "task": (*TASKS, *OWN_TASKS),
    "data": ("embedded", "hub"),
    "checkpoint": CHECKPOINTS,
}
TAKES_A_FOLDER = ("recipe", "data", "checkpoint")


class Completed(click.ParamType[Any]):
    """Text, for which the shell completes the known words, and files where these may stand too."""

    name = "text"

    def __init__(self, *words: str, files: bool = False) -> None:
        self.words = words
        self.files = files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that begin as what was typed; files, where none does and they may stand."""
        items = [CompletionItem(word) for word in self.words if word.startswith(incomplete)]
        return items or ([CompletionItem(incomplete, type="file")] if self.files else [])


class FieldValue(Completed):
    """A value of one of the recipe's fields."""

    def __init__(self, field: str) -> None:
        words = about(FIELDS[field]).choices or KNOWN.get(field, ())
        super().__init__(*words, files=field in TAKES_A_FOLDER)
        self.field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value out of the command line's text; InputError where it can't be read."""
        return parse_field(self.field, value)


def recipe_options() -> list[click.Parameter]:
    """`--recipe`, and an option for each of the recipe's fields."""
    names = ", ".join(RECIPES)
    recipe = Option(
        ["--recipe"],
        default="embedded",
        type=Completed(*RECIPES, files=True),
        metavar="TEXT",
        section="recipe (each option below replaces one of its values)",
        help=f"{names}; a recipe's file (.json, .yaml), or a run's folder [default: embedded, "
        "which has the defaults below]",
    )
    fields = [_option(name) for group in GROUPS for name in _fields_of(group)]
    same = "the same as --mixed-precision bf16"
    bf16 = Option(["--bf16"], is_flag=True, section=MACHINE, help=same)
    fp16 = Option(["--fp16"], is_flag=True, hidden=True)  # to be refused with the reason
    return [recipe, *fields, bf16, fp16]


def _fields_of(group: str) -> list[str]:
    return [n for n, field in FIELDS.items() if n != "name" and about(field).group == group]


def _option(name: str) -> Option:
    known = about(FIELDS[name])
    default = getattr(RECIPES["embedded"], name)
    kinds = typing.get_args(FIELDS[name].type) or (FIELDS[name].type,)
    kind = {int: "INT", float: "FLOAT"}.get(kinds[0], "TEXT")
    aliases = [alias for alias, field in ALIASES.items() if field == name]
    words = [name, *aliases]
    return Option(
        [*(f"--{word.replace('_', '-')}" for word in words), name],
        type=FieldValue(name),
        metavar="|".join(known.choices) or kind,
        section=known.group,
        help=f"{known.meaning} [default: {'none' if default is None else default}]",
    )


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether the command line has this option."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def given_fields(ctx: click.Context) -> dict[str, Any]:
    """The recipe's fields that the command line gives, with their values."""
    given = {name: ctx.params[name] for name in FIELDS if is_given(ctx, name)}
    for flag in ("bf16", "fp16"):
        if ctx.params[flag]:
            if given.get("mixed_precision", flag) != flag:
                raise InputError(f"--{flag}: contradicts another precision; give one of them")
            given["mixed_precision"] = flag
    return given


def get_recipe(ctx: click.Context) -> Recipe:
    """The recipe asked for, with what can be checked of it before the slow imports.

    Raises:
        InputError: no such recipe, value, task, folder or checkpoint; a row or a checkpoint of no
            use; a hub that is away; or variables of the environment that ask for another run.
    """
    from reference.lesson.data.hub import check_hub
    from reference.lesson.data.sources import check_no_namesake
    from reference.lesson.tasks import get_task
    from reference.run.environment_variables import check_environment
    from reference.run.inputs import check_inputs

    recipe = load_recipe(ctx.params["recipe"], given_fields(ctx))
    check_environment(recipe)
    own = get_task(recipe.task).own
    for name in (recipe.data, recipe.checkpoint):
        check_name(name)
    if not own and recipe.data not in ("embedded", "hub") and not Path(recipe.data).is_dir():
        raise InputError(
            f"{recipe.data}: no such folder; --data takes embedded, hub, or a folder with GLUE's "
            "files"
        )
    if recipe.data == "hub" and not own:
        check_no_namesake()
        check_hub()
    elif recipe.checkpoint not in CHECKPOINTS and not Path(recipe.checkpoint).exists():
        try:
            check_hub()
        except InputError as error:
            unknown = nearest("checkpoint", recipe.checkpoint, CHECKPOINTS)
            raise InputError(f"{unknown}, or a folder; and, were it a hub name, {error}") from None
    check_inputs(recipe)
    return recipe
