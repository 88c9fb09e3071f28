"""Where Python looks for modules: `python -m` begins in the working directory, and this doesn't.

    python -m reference compare

An `argparse.py` or `transformers.py` that lies there is somebody's script. It would be run in place
of the library's. Only `observe` looks there, for the program that it runs.
"""

import os
import sys

_left_out: list[str] = []  # the working directory, where it was taken off the path


def leave_out_working_directory() -> None:
    """Take away the entry that `python -m` has put first; what the user has put there stays.

    To be called before anything is imported that isn't loaded yet.
    """
    # Python itself leaves it out where it was asked to (-P, PYTHONSAFEPATH). A process that was
    # forked from one of ours runs this again.
    if not sys.flags.safe_path and not _left_out and sys.path[:1] == [os.getcwd()]:
        _left_out.append(sys.path.pop(0))


def put_working_directory_back() -> None:
    """The path as Python made it, for a program that isn't ours."""
    if _left_out:
        sys.path.insert(0, _left_out.pop())
