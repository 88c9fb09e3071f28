"""The command that asks a trained model: what it takes, and what it calls, imported then.

python -m reference predict --help
"""

from pathlib import Path

import click

from reference.cli.help_page import Option
from reference.cli.program import FILE, command
from reference.errors import InputError


@command(
    click.Argument(["model"], type=FILE),
    click.Argument(["texts"], metavar="[TEXT] [TEXT2]", nargs=-1),
    Option(
        ["--submission"],
        type=FILE,
        metavar="FOLDER",
        section="options",
        help="in place of TEXT: predict the task's test split, into GLUE's file for submissions",
    ),
    Option(
        ["--data"],
        metavar="TEXT",
        section="options",
        help="where the test split comes from [default: where the model's training data did]",
    ),
    text="what a trained model says of a text or a pair, or of a test split",
)
def predict_command(
    _ctx: click.Context,
    model: Path,
    texts: tuple[str, ...],
    submission: Path | None,
    data: str | None,
) -> int:
    """MODEL is the folder of a run that has saved its model, or the model's own folder."""
    if submission is None and not 1 <= len(texts) <= 2:
        raise InputError(f"predict: {len(texts)} texts; give TEXT, or TEXT and TEXT2")
    if submission is not None and texts:
        raise InputError("--submission: not together with TEXT; leave one of them out")
    if submission is None and data is not None:
        raise InputError("--data: is for --submission; add it, or leave this out")
    if any(not text.strip() for text in texts):
        raise InputError("predict: an empty text; give one with words")
    from reference.keep.model_files import ModelFiles

    files = ModelFiles(model)  # a folder that is of no use is refused before the slow imports
    if submission is None:
        files.check_texts(len(texts))
    from reference.keep.predictions import SavedModel
    from reference.keep.submission import write_submission
    from reference.run.prepare import quiet

    quiet()
    saved = SavedModel(model)
    if submission is not None:
        path, rows = write_submission(saved, data or files.recipe().data, submission)
        print(f"{path}: {rows} predictions")
        return 0
    (prediction,) = saved.predict(*([text] for text in texts))
    if prediction.value is not None:
        print(f"{prediction.value:.4f}  {saved.labels[0]}")
        return 0
    best = sorted(range(len(saved.labels)), key=lambda n: -prediction.probabilities[n])
    for number in best:
        print(f"{prediction.probabilities[number]:.4f}  {saved.labels[number]}")
    return 0
