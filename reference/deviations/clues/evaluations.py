"""Clues to when a run evaluates, and to the mode that an evaluation leaves behind."""

from collections.abc import Sequence

from reference.deviations.clues.clue import Clue, part

When = int | tuple[int, ...]  # after every so many steps; or after each of these
SHOWN = 6  # steps that are named


def in_words(when: When) -> str:
    """As it reads behind a deviation's name."""
    if isinstance(when, int):
        return "every step" if when == 1 else f"every {when} steps"
    more = f" and {len(when) - SHOWN} more" if len(when) > SHOWN else ""
    return f"after step{'s' * (len(when) > 1)} {', '.join(map(str, when[:SHOWN]))}{more}"


def times(clue: Clue) -> list[When]:
    """When they evaluate: read off the evaluations that their ledger has, or the last step before.

    What evaluates through no module leaves no evaluation behind, but its effects.
    """
    steps = while_training(clue)
    every = regular(steps, len(clue.their_steps))
    seen: list[When] = [every] if every else [tuple(steps)] if steps else []
    before: list[When] = [(clue.step - 1,)] if clue.step > 1 else []
    return [*seen, *(when for when in before if when not in seen)]


def while_training(clue: Clue) -> list[int]:
    """The steps after which they evaluated, but for the last one, after which every run may."""
    return [step for step in clue.evaluated_after if 0 < step < len(clue.their_steps)]


def regular(steps: Sequence[int], total: int) -> int | None:
    """How many steps lie between two evaluations, where it is so many over the whole run.

    Args:
        steps: after which a run evaluated, in their order.
        total: how many steps the run has.
    """
    if not steps or list(steps) != list(range(steps[0], total, steps[0])):
        return None
    return steps[0]


def may_be_regular(clue: Clue) -> bool:
    """They evaluate after each so many steps of the whole run, or no evaluation says."""
    steps = while_training(clue)
    return not steps or regular(steps, len(clue.their_steps)) is not None


def trains(clue: Clue) -> bool:
    """Their step was in train mode, or nothing says."""
    return part(clue.theirs, "mode", "training") is not False


def out_of_train_mode(clue: Clue) -> bool:
    """Their step wasn't in train mode, or nothing says."""
    return part(clue.theirs, "mode", "training") is not True


def trains_later(clue: Clue) -> bool:
    """A step of theirs after this one is in train mode."""
    later = clue.their_steps[clue.step :]
    return any(part(record, "mode", "training") is True for record in later)
