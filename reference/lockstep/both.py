"""Two trainings side by side, from Python: scripts, or functions of one's own.

from reference import lockstep

print(lockstep(train_with_trainer, train_by_hand))
"""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TextIO

from reference.errors import InputError
from reference.lockstep.links import LINKS, PATIENCE
from reference.lockstep.pair import run_pair
from reference.lockstep.processes import Function
from reference.lockstep.result import Lockstep, judge

Training = Function | str | Path | Sequence[str]


def lockstep(
    a: Training,
    b: Training,
    *,
    steps: int | None = None,
    only: Collection[str] | None = None,
    but: Collection[str] = (),
    patience: float = PATIENCE,
    out: TextIO | None = None,
) -> Lockstep:
    """Every difference between two trainings, proven.

    Args:
        a: A script; a script's words, with its arguments; or a function that takes nothing and
            trains, in a fork of this process with one thread.
        b: The other, in which A's is put in place wherever a link is unequal.
        steps: After which both are ended; None for all.
        only: The links of which A's is put in place; None for all.
        but: Links of which it isn't.
        patience: Seconds without a word or any work, after which one counts as hung.
        out: Where what they print goes.

    Returns:
        Its `differences`, `is_proven`, and as text all of it.

    Raises:
        InputError: for a link that there is none of, or a function after a GPU was used.
    """
    unknown = sorted({*(only or ()), *but} - {*LINKS})
    if unknown:
        raise InputError(f"unknown link {unknown[0]!r}; known: {', '.join(LINKS)}")
    targets = [_target(a), _target(b)]
    if any(callable(target) for target in targets):
        _check_fork()
    put = set(LINKS if only is None else only) - set(but)
    run = run_pair(targets[0], targets[1], put=put, steps=steps, patience=patience, out=out)
    return judge(run)


def _target(training: Training) -> Function | Sequence[str]:
    if callable(training):
        return training
    return [str(training)] if isinstance(training, str | Path) else list(training)


def _check_fork() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise InputError(
            "a function can't be run in a fork of a process that has used a GPU; give two scripts"
        )
