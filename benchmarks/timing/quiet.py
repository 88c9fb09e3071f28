"""Turns taken without output, and without garbage collection of what was there before."""

import contextlib
import gc
import io
from collections.abc import Iterator, Sequence

from benchmarks.timing.turns import Participant, take_turns
from reference.run.environment_variables import put_aside


def take_turns_quietly(participants: Sequence[Participant], num_steps: int) -> None:
    """`take_turns`, with nothing printed, and without the garbage collector's look at old objects.

    That look would lengthen a step that has nothing to do with it. Arguments and errors are those
    of `take_turns`.
    """
    gc.collect()
    gc.freeze()
    try:
        with without_output():
            take_turns(participants, num_steps)
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def without_output() -> Iterator[None]:
    """As in a run: no variables set; bars and the Trainer's results are written nowhere."""
    nowhere = io.StringIO()
    with (
        put_aside(),
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        yield
