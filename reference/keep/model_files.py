"""The files of a saved model: found and checked before anything slow is imported.

python -m reference predict runs/mine "A man sleeps." "A man is asleep."
"""

import json
from pathlib import Path

from reference.errors import InputError
from reference.lesson.checkpoint_config import CONFIG, LARGEST
from reference.lesson.checkpoints import find_checkpoint
from reference.lesson.data.own_table import columns_of
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import RECIPE_FILE, load_recipe
from reference.process.bounded_files import read_bounded
from reference.process.run_folder import MODEL_FOLDER

MOST_LABELS = 10_000


class ModelFiles:
    """The folder of a model that was trained and saved.

    Args:
        path: It, or a run's that holds one.

    Raises:
        InputError: There is none, or it is no classifier's; names the file and field.
    """

    def __init__(self, path: Path) -> None:
        within = path / MODEL_FOLDER
        self.folder = within if within.is_dir() else path
        if not self.folder.is_dir():
            raise InputError(f"{path}: no such folder; give a run's, or a saved model's")
        self.checkpoint = find_checkpoint(str(self.folder.absolute()))
        self.labels, self.is_regression = _labels(self.folder)

    def recipe(self) -> Recipe:
        """The recipe that the model was trained by.

        Raises:
            InputError: None lies beside it.
        """
        if not (self.folder / RECIPE_FILE).is_file():
            raise InputError(
                f"{self.folder}: no {RECIPE_FILE}, so its task isn't known; give the folder that "
                "train wrote"
            )
        return load_recipe(str(self.folder / RECIPE_FILE))

    def check_texts(self, count: int) -> None:
        """Raise InputError where its task takes another number of texts; unknown, where it may."""
        if not (self.folder / RECIPE_FILE).is_file():
            return
        task = columns_of(self.recipe())
        if len(task.text) != count:
            raise InputError(
                f"predict: {count} text{'s' * (count > 1)}, and {task.name} takes "
                f"{len(task.text)} ({', '.join(task.text)}); give as many"
            )


def _labels(folder: Path) -> tuple[list[str], bool]:
    """The names of a saved model's labels, by their numbers; and whether it is a regression's."""
    path = folder / CONFIG
    config = json.loads(read_bounded(path, LARGEST))
    names, regression = config.get("id2label"), config.get("problem_type") == "regression"
    wrong = f"{path}: field id2label: no names of labels, from 0 up; train and save a model anew"
    fewest, most = (1, 1) if regression else (2, MOST_LABELS)
    if not isinstance(names, dict) or not fewest <= len(names) <= most:
        raise InputError(wrong)
    values = [names.get(str(number)) for number in range(len(names))]
    labels = [value for value in values if isinstance(value, str)]
    if len(labels) < len(names):
        raise InputError(wrong)
    return labels, regression
