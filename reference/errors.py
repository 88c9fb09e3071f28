"""What can go wrong, and the exit code of each; `cli.py` turns them into one line on stderr."""


class RunError(Exception):
    """The base of this project's errors. `exit_code` is what the command line ends with."""

    exit_code = 1


class InputError(RunError, ValueError):
    """Wrong input: names file, row and field, and what to do. Exit code 2."""

    exit_code = 2


class TrainingFailed(RunError, RuntimeError):
    """A loss or a gradient that isn't finite: names the step and its samples. Exit code 3."""

    exit_code = 3
