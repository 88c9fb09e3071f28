"""What is asked for of a run's checkpoints, and whether they can be kept.

python -m reference train manual --run-dir mine --checkpoint-every 100 --keep 3
"""

from dataclasses import dataclass

from reference.errors import InputError

NEWEST = "newest"


@dataclass(frozen=True)
class Saving:
    """What the command line says of checkpoints.

    Attributes:
        every: After how many steps one is saved.
        keep: How many stay; None for all.
        resume: `newest`, or a checkpoint's folder.
    """

    every: int | None = None
    keep: int | None = None
    resume: str | None = None


def check_saving(saving: Saving | None, loop: str, world_size: int) -> None:
    """Raise InputError where a run's checkpoints can't be kept."""
    if saving is None:
        return
    if world_size > 1:
        raise InputError(
            f"--checkpoint-every and --resume: of one process so far, and {world_size} were "
            "launched; leave them out"
        )
    if loop == "trainer":
        raise InputError(
            "--checkpoint-every and --resume: not for the trainer so far; train manual or "
            "accelerated, or leave them out"
        )
