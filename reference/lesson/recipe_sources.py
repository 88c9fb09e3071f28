"""Where a recipe comes from: one of the three named ones, a file, or a run's folder.

    python -m reference compare --recipe embedded

"The lesson" is chapter 3 of Hugging Face's course, "A full training":
https://huggingface.co/learn/llm-course/chapter3/4
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.lesson.recipe import FIELDS, RECIPE_VERSION, Recipe, parse_field, unknown_field
from reference.lesson.tasks import get_task
from reference.messages import nearest
from reference.process.bounded_files import check_name, each_once, read_bounded

RECIPE_FILE = "recipe.json"  # in a run's folder
LARGEST = 1 << 16  # bytes of a recipe's file, of which one has a thousand

# The embedded checkpoint is small and new, and learns at its own rate (see lesson/embedded).
EMBEDDED = Recipe(learning_rate=5e-4)
COURSE = Recipe(name="course", data="hub", checkpoint="bert-base-uncased")
# The lesson's hand-written loops, to the letter. The AdamW of its day added eps before the bias
# correction, so torch's with the same eps is close to it and not equal.
COURSE_AS_WRITTEN = dataclasses.replace(
    COURSE,
    name="course-as-written",
    adam_epsilon=1e-6,
    max_grad_norm=0.0,
    data_order="global",
    optimizer="adamw_torch",
    accelerated_learning_rate=3e-5,
)
RECIPES = {r.name: r for r in (EMBEDDED, COURSE, COURSE_AS_WRITTEN)}


def load_recipe(source: str, overrides: dict[str, Any] | None = None) -> Recipe:
    """A recipe by its name, or out of a file or a run's folder, with some fields replaced.

    Args:
        source: One of RECIPES; a file that ends in .json, .yaml or .yml; or a run's folder, which
            holds a `recipe.json`.
        overrides: Values by the field's name. A `learning_rate` is meant for all loops, unless an
            `accelerated_learning_rate` stands beside it. A `text` without a `task` is of a
            classification.

    Raises:
        InputError: an unknown name, a file that isn't a recipe, or a misspelt field.
    """
    check_name(source)
    if source in RECIPES:
        recipe = RECIPES[source]
    elif Path(source).suffix in (".json", ".yaml", ".yml"):
        recipe = _read_recipe(Path(source))
    elif Path(source).is_dir():
        recipe = _read_recipe(Path(source) / RECIPE_FILE)
    else:
        unknown = nearest("recipe", source, RECIPES)
        raise InputError(f"{unknown}, a file (.json, .yaml) or a run's folder")
    overrides = dict(overrides or {})
    for name in overrides:
        if name not in FIELDS:
            raise unknown_field(name)
    if "learning_rate" in overrides:
        overrides.setdefault("accelerated_learning_rate", None)
    if overrides.get("text") and not get_task(recipe.task).own:  # a column of one's own table
        overrides.setdefault("task", "classification")
    return dataclasses.replace(recipe, **overrides)


def _read_recipe(path: Path) -> Recipe:
    try:
        content = read_bounded(path, LARGEST).decode()
        values = (
            json.loads(content, object_pairs_hook=each_once)
            if path.suffix == ".json"
            else _parse_yaml(content)
        )
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; give a recipe's name, its file or a run's folder"
        ) from None
    except InputError as error:  # a value in a YAML file, or no file
        named = str(error).startswith(f"{path}: ")
        raise InputError(str(error) if named else f"{path}: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable recipe ({error}); make it anew") from None
    if not isinstance(values, dict) or values.pop("version", None) != RECIPE_VERSION:
        raise InputError(
            f"{path}: field version: not a recipe of version {RECIPE_VERSION}; begin with the "
            f"{RECIPE_FILE} of a run's folder, which has every field"
        )
    for name in values:
        if name not in FIELDS:
            raise InputError(f"{path}: {unknown_field(name)}")
    try:
        recipe = Recipe(**values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for name in FIELDS:
        if name not in values:
            raise InputError(f"{path}: field {name}: missing; a recipe's file gives every value")
    return recipe


def _parse_yaml(content: str) -> Any:
    """A YAML file's values, each read as the command line reads it.

    YAML's own reading makes False of `mixed_precision: no` and text of `learning_rate: 5e-5`, so
    every value is taken as text. Raises ValueError for what isn't YAML, InputError for a value.
    """
    import yaml

    try:
        values = yaml.load(content, yaml.BaseLoader)  # it makes text, lists and mappings only
        node = yaml.compose(content, yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not isinstance(values, dict):
        return values
    each_once([(key.value, None) for key, _ in node.value])
    version = {"version": RECIPE_VERSION} if values.get("version") == str(RECIPE_VERSION) else {}
    return version | {
        name: parse_field(name, value) if name in FIELDS and isinstance(value, str) else value
        for name, value in values.items()
        if name != "version"
    }
