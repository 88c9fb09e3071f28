"""What stands in a row of one's own table: texts, and a label that is a class or a number.

    python -m reference data --data FILE --text COLUMN --label COLUMN

Classes are words or whole numbers; a number with a fraction is none.
"""

import json
import math
from pathlib import Path

from reference.errors import InputError
from reference.lesson.data.readers import Split
from reference.lesson.data.rows import number_of
from reference.lesson.data.saved import class_names
from reference.lesson.tasks import Task
from reference.messages import brief


def check_texts(task: Task, split: Split) -> None:
    """Raise InputError, with the row, where a text is missing or empty."""
    where, columns = split
    rows = len(columns[task.text[0]])
    if rows == 0:
        raise InputError(f"{where(0).split(': row')[0]}: no rows; a split needs at least one")
    for row in range(rows):
        for name in task.text:
            text = columns[name][row]
            if not isinstance(text, str) or not text.strip():
                what = "an empty text" if text is None or isinstance(text, str) else "no text"
                raise InputError(f"{where(row)}: field {name}: {what}; mend or remove the row")


def numbers(task: Task, split: Split) -> list[float]:
    """The label of each row of a regression; InputError where it is no number."""
    where, columns = split
    remedy = "a regression needs numbers; for classes give --task classification"
    return [
        number_of(value, f"{where(row)}: field {task.label}", remedy)
        for row, value in enumerate(columns[task.label])
    ]


def class_words(task: Task, split: Split, names: tuple[str, ...]) -> list[str]:
    """Each row's label as the name of a class."""
    where, columns = split
    words: list[str] = []
    for row, value in enumerate(columns[task.label]):
        at = f"{where(row)}: field {task.label}"
        if names and type(value) is int and -1 <= value < len(names):  # a ClassLabel's number
            value = None if value == -1 else names[value]
        if value is None or value == "":
            raise InputError(f"{at}: missing; mend or remove the row")
        if isinstance(value, float):
            raise _fraction(at, value)
        if not isinstance(value, str | int):
            raise InputError(f"{at}: {brief(value)} names no class; give words or whole numbers")
        words.append(str(value))
    if not names and all(map(_is_number, words)):
        for row, word in enumerate(words):
            if not _is_whole(word):
                raise _fraction(f"{where(row)}: field {task.label}", word)
    return words


def _fraction(at: str, value: object) -> InputError:
    return InputError(
        f"{at}: {brief(value)} is a number with a fraction, and no class; for numbers give --task "
        "regression, for classes words or whole numbers"
    )


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isascii() and word.removeprefix("-").isdigit()


def in_order(words: list[str]) -> tuple[str, ...]:
    """The classes: numbers by their value, words by their letters."""
    classes = set(words)
    if all(map(_is_whole, classes)):
        return tuple(sorted(classes, key=lambda word: (int(word), word)))
    return tuple(sorted(classes))


def class_numbers(task: Task, split: Split, words: list[str]) -> list[int]:
    """Each row's class as its number among the task's; InputError for one that isn't there."""
    numbers = {name: number for number, name in enumerate(task.labels)}
    for row, word in enumerate(words):
        if word not in numbers:
            raise InputError(
                f"{split[0](row)}: field {task.label}: {brief(word)} is no class of the training "
                f"split ({brief(', '.join(task.labels))}); mend or remove the row"
            )
    return [numbers[word] for word in words]


def parquet_names(path: Path, task: Task) -> tuple[str, ...]:
    """The names of a ClassLabel, which `datasets` keeps in a parquet file's schema."""
    import pyarrow.parquet

    about = (pyarrow.parquet.read_schema(path).metadata or {}).get(b"huggingface", b"{}")
    try:
        return class_names(json.loads(about).get("info"), task.label)
    except (ValueError, AttributeError, RecursionError):
        return ()
