"""The predictions of a test split in GLUE's format for submissions.

    python -m reference predict runs/mine --submission out

A file a task, with the columns `index` and `prediction`, as gluebenchmark.com's page on submissions
has them. Labels are numbers, but in the tasks whose own files have words; STS-B's have a fraction.
"""

from pathlib import Path

from reference.errors import InputError
from reference.keep.predictions import Prediction, SavedModel
from reference.lesson.data.sources import load_raw
from reference.lesson.tasks import get_task
from reference.process.whole_files import write_new

FILES = {"mnli": "MNLI-m"}  # of the others the file has the name of GLUE's folder


def write_submission(saved: SavedModel, data: str, out: Path) -> tuple[Path, int]:
    """Predict the test split of a saved model's task, and write GLUE's file of it.

    Args:
        saved: The model, whose recipe says its task.
        data: The source of the split, as a recipe has it.
        out: A folder; gets the file, which must not be there.

    Returns:
        The file, and its number of rows.

    Raises:
        InputError: The source has no test split, or the file is there.
    """
    task = get_task(saved.files.recipe().task)
    if task.own:
        raise InputError(
            f"--submission: writes GLUE's files, and this model's task is {task.name} on a table "
            "of its own; give TEXT"
        )
    splits = load_raw(task, data)
    if "test" not in splits:
        raise InputError(f"{data}: no test split of {task.name}; give --data with one")
    path = out / f"{FILES.get(task.name, task.folder)}.tsv"
    if path.exists():
        raise InputError(f"{path}: is there already; give another folder")
    test = splits["test"]
    predictions = saved.predict(*(test[name] for name in task.text))
    words = [_word(saved, p, words=task.label_words) for p in predictions]
    rows = [f"{number}\t{word}" for number, word in enumerate(words)]
    try:
        write_new(path, "\n".join(["index\tprediction", *rows, ""]))
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); give another") from None
    return path, len(rows)


def _word(saved: SavedModel, prediction: Prediction, *, words: bool) -> str:
    if prediction.value is not None:
        return f"{prediction.value:.6f}"
    return saved.labels[prediction.label] if words else str(prediction.label)
