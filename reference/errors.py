"""What can go wrong, and the exit code of each; `process/exit_codes.py` makes one line of it."""


class RunError(Exception):
    """The base of this project's errors.

    `exit_code` is what the command line ends with: 2 and up, as 1 says that two runs diverged.
    """

    exit_code = 3


class InputError(RunError, ValueError):
    """Wrong input: names file, row and field, and what to do. Exit code 2."""

    exit_code = 2


class TrainingFailed(RunError, RuntimeError):
    """A run began, or a measurement, and came to no end: names where, and why. Exit code 3."""


class NotFinite(TrainingFailed):
    """A loss, a gradient or weights that hold NaN or an infinity."""


class OutOfSpace(TrainingFailed):
    """A file of the run couldn't be written: the disk is full, or the folder is gone."""


class WorkerDied(TrainingFailed):
    """A process that was started here ended without a reason of its own: killed, or crashed."""
