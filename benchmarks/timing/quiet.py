"""Turns taken without a word on the screen."""

import contextlib
import gc
import io
from collections.abc import Iterator, Sequence

from benchmarks.timing.turns import Participant, take_turns
from reference.run.environment_variables import put_aside


def take_turns_unheard(participants: Sequence[Participant], num_steps: int) -> None:
    """As `take_turns`; nothing is printed, and what stays in memory isn't looked through.

    Collecting garbage would do that in a step that has nothing to do with it.
    """
    gc.collect()
    gc.freeze()
    try:
        with unheard():
            take_turns(participants, num_steps)
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """As in a run: no variables; progress bars and the Trainer's results are written to nowhere."""
    nowhere = io.StringIO()
    with (
        put_aside(),
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        yield
