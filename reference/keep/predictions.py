"""What a saved model says of texts.

python -m reference predict runs/mine "A man sleeps." "A man is asleep."
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from reference.errors import InputError
from reference.keep.model_files import ModelFiles
from reference.lesson.checkpoints import row_length, unusable
from reference.lesson.encoders import inputs_of, make_config, model_class
from reference.lesson.recipe import MANY

BATCH = 32  # rows at once


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
        self.files = ModelFiles(path)
        self.labels, self.is_regression = self.files.labels, self.files.is_regression
        folder, checkpoint = str(self.files.folder), self.files.checkpoint
        config = make_config(
            self.files.folder,
            checkpoint.config,
            id2label=dict(enumerate(self.labels)),
            label2id={label: number for number, label in enumerate(self.labels)},
            problem_type="regression" if self.is_regression else "single_label_classification",
        )
        try:
            self.model, info = model_class(config).from_pretrained(
                folder, config=config, use_safetensors=True, output_loading_info=True
            )
            self.tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, config=config, trust_remote_code=False
            )
        except Exception as error:  # damage comes out of three libraries as a dozen kinds
            raise InputError(unusable(folder, "model", error)) from error
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
