"""A loop's own file as a command, as the lesson's `train.py` is one.

accelerate launch reference/lesson/loops/accelerated.py --max-steps 20
"""

import runpy
import sys
from pathlib import Path


def train_by(file: str) -> None:
    """Run `python -m reference train LOOP` with this process's arguments; it ends the process.

    Args:
        file: the loop's, by which it is called.
    """
    sys.argv[1:1] = ["train", Path(file).stem]
    runpy.run_module("reference", run_name="__main__", alter_sys=True)
