"""What a saved model says of texts.

python -m reference predict runs/mine "A man sleeps." "A man is asleep."
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from reference.errors import InputError
from reference.keep.saved_model import model_folder
from reference.lesson.checkpoint_config import CONFIG, LARGEST
from reference.lesson.checkpoints import find_checkpoint, row_length, unusable
from reference.lesson.data.own_table import columns_of
from reference.lesson.encoders import inputs_of, make_config, model_class
from reference.lesson.recipe import MANY, Recipe
from reference.lesson.recipe_sources import RECIPE_FILE, load_recipe
from reference.process.bounded_files import read_bounded

BATCH = 32  # rows at once
MOST_LABELS = 10_000


@dataclass(frozen=True)
class Prediction:
    """What a model says of one row.

    Attributes:
        label: The likeliest label's number; of a regression 0, its only output's.
        probabilities: Of each label, in the order of their numbers; none of a regression.
        value: The number that a regression gives; None of a classification.
    """

    label: int
    probabilities: list[float]
    value: float | None = None


class SavedModel:
    """A model that was trained and saved, with its tokenizer.

    Args:
        path: Its folder, or a run's that holds one.

    Raises:
        InputError: There is none, or it is no classifier of these; names the file and field.
    """

    def __init__(self, path: Path) -> None:
        self.folder = model_folder(path)
        if not self.folder.is_dir():
            raise InputError(f"{path}: no such folder; give a run's, or a saved model's")
        checkpoint = find_checkpoint(str(self.folder.absolute()))
        self.labels, self.is_regression = _labels(self.folder)
        config = make_config(
            self.folder,
            checkpoint.config,
            id2label=dict(enumerate(self.labels)),
            label2id={label: number for number, label in enumerate(self.labels)},
            problem_type="regression" if self.is_regression else "single_label_classification",
        )
        try:
            self.model, info = model_class(config).from_pretrained(
                str(self.folder), config=config, use_safetensors=True, output_loading_info=True
            )
            self.tokenizer: Any = AutoTokenizer.from_pretrained(
                str(self.folder), config=config, trust_remote_code=False
            )
        except Exception as error:  # damage comes out of three libraries as a dozen kinds
            raise InputError(unusable(str(self.folder), "model", error)) from error
        lacking = sorted(info["missing_keys"])
        if lacking:
            raise InputError(
                f"{checkpoint.weights}: lacks {lacking[0]}: it is no trained classifier; train "
                "one, and give its run's folder"
            )
        most = row_length(config)
        self.max_length = min(self.tokenizer.model_max_length, MANY if most is None else most)
        self.inputs = inputs_of(config)
        self.model.eval()

    def recipe(self) -> Recipe:
        """The recipe that it was trained by.

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

    def predict(self, *texts: Sequence[str]) -> list[Prediction]:
        """Ask the model, in its evaluation mode.

        Args:
            texts: A column of texts, or two of the same length.

        Returns:
            A prediction for each row.
        """
        predictions = []
        for start in range(0, len(texts[0]), BATCH):
            columns = [list(column[start : start + BATCH]) for column in texts]
            batch = self.tokenizer(
                *columns,
                truncation=True,
                max_length=self.max_length,
                padding=True,
                return_tensors="pt",
            )
            with torch.no_grad():
                logits = self.model(**{k: v for k, v in batch.items() if k in self.inputs}).logits
            if self.is_regression:
                predictions += [Prediction(0, [], value) for value in logits[:, 0].tolist()]
                continue
            rows = logits.softmax(-1).tolist()
            classes = logits.argmax(-1).tolist()
            predictions += [Prediction(*row) for row in zip(classes, rows, strict=True)]
        return predictions


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
