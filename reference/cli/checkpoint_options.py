"""The options of `train` that keep checkpoints, and resume from one.

python -m reference train manual --run-dir mine --checkpoint-every 100 --resume
"""

from pathlib import Path

import click

from reference.cli.help_page import Option
from reference.errors import InputError
from reference.process.bounded_files import check_name
from reference.run.saving import NEWEST, Saving

SECTION = "options"


def checkpoint_options() -> list[Option]:
    """How often, how many, and from which one."""
    return [
        Option(
            ["--checkpoint-every"],
            type=click.IntRange(min=1),
            metavar="STEPS",
            section=SECTION,
            help="save a checkpoint after each so many steps, and when stopped by a signal",
        ),
        Option(
            ["--keep"],
            type=click.IntRange(min=1),
            metavar="N",
            section=SECTION,
            help="keep the last N checkpoints [default: all]",
        ),
        Option(
            ["--resume"],
            is_flag=False,
            flag_value=NEWEST,
            metavar="[CHECKPOINT]",
            section=SECTION,
            help="go on from a checkpoint of --run-dir [without one: its newest whole one]; "
            "everything else is given as before",
        ),
    ]


def saving_of(every: int | None, keep: int | None, resume: str | None) -> Saving | None:
    """What was asked for; None where no checkpoint is.

    Raises:
        InputError: Checkpoints are to stay where none are saved, or a name that none can have.
    """
    if every is None and resume is None:
        if keep is not None:
            raise InputError("--keep: of no checkpoints; give --checkpoint-every, too")
        return None
    if resume is not None:
        check_name(resume)
    return Saving(every, keep, resume)


def resumed_folder(run_dir: Path | None, resume: str) -> Path:
    """The folder of the run that goes on: --run-dir, or that of the checkpoint.

    Raises:
        InputError: There is no such folder, or none was named.
    """
    if run_dir is None and resume == NEWEST:
        raise InputError("--resume: of which run; give its folder with --run-dir")
    folder = run_dir or Path(resume).absolute().parent.parent
    if not (folder / "recipe.json").is_file():
        raise InputError(f"{folder}: holds no run to resume; give the folder of one by --run-dir")
    return folder
