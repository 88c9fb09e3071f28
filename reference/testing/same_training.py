"""`assert_same_training`: two trainings of one's own, held side by side.

from reference.testing import assert_same_training
"""

from reference.lockstep.both import Training, lockstep
from reference.lockstep.differences import OF_A_SEED


def assert_same_training(
    mine: Training, theirs: Training, *, same_seed: bool = False, steps: int | None = None
) -> None:
    """Fail unless two trainings are one, but for what another seed makes of it.

    Args:
        mine: A function that takes nothing and trains, or a script, alone or with its arguments.
        theirs: What it is held against.
        same_seed: Whether other rows, other states of the generators and other first weights
            count, too.
        steps: How many are compared; None for all.

    Raises:
        AssertionError: With every difference, and what makes the first training like the second.
    """
    result = lockstep(theirs, mine, steps=steps)
    allowed = () if same_seed else OF_A_SEED
    others = [d for d in result.differences if (d.link, d.field) not in allowed]
    if others or not result.is_proven or result.ends:
        raise AssertionError(f"A is theirs, and B is mine:\n{result}")
