"""Processes that `notebook_launcher` forks from a notebook's kernel: a time limit for them.

    with time_limit(120):
        notebook_launcher(train, num_processes=2, use_port=str(free_port()))

`notebook_launcher`'s own port, 29500, may be another run's.

A kernel that has computed with several of torch's threads can't be forked as it is: the child has
OpenMP's list of threads and not the threads, and waits for them for ever at its first larger
operation. With `torch.set_num_threads(1)`, in the kernel before the launch or at the beginning of
what is launched, it needs none (both measured, torch 2.13).
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from reference.errors import TrainingFailed
from reference.process.alarm import alarm


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End what is launched within the `with` after so long, and all processes that it started.

    For the main thread, which runs a notebook's cells.

    Args:
        seconds: how long it may take.

    Raises:
        TrainingFailed: it took longer.
    """
    before = multiprocessing.active_children()

    def end() -> NoReturn:
        # By SIGKILL: a child that waits for threads it hasn't got doesn't come to handle another.
        for child in multiprocessing.active_children():
            if child not in before:
                child.kill()
        raise TrainingFailed(
            f"no end after {seconds:g} s, so its processes were ended; call "
            "torch.set_num_threads(1) first, where this kernel has computed with more of torch's "
            "threads, or give more time"
        )

    with alarm(seconds, end):
        yield
