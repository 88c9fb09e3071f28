"""What the rates of another run say of its schedule: for each deviation of it, whether and which.

Used by `python -m reference explain LEDGER`, by way of `schedule.py`.
"""

import itertools

from reference.deviations.clues.clue import MOST_PROCESSES, Clue, close
from reference.deviations.clues.rates import all_rates, base_rate, linear
from reference.lesson.recipe import Recipe

MOST_LOOKED_AT = 10_000  # steps of a schedule


def constant(clue: Clue) -> bool:
    found = all_rates(clue.their_steps)
    return all(close(found[0], rate) for rate in found)


def rests(clue: Clue) -> bool:
    """Some step leaves the rate as it was."""
    found = all_rates(clue.their_steps)
    return len(found) < 2 or any(a == b for a, b in itertools.pairwise(found))


def is_another_rate(clue: Clue) -> bool:
    """The rate of the step itself differs, and not just the one that it leaves to the next."""
    return bool(clue.ours.get("step") in (clue.step, None))


def _lengths(clue: Clue) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """(warm-up, total) of ours and of theirs, as their rates say."""
    ours = linear([clue.ours], base_rate(clue.ours))
    return ours, linear(clue.their_steps, base_rate(clue.theirs))


def totals(clue: Clue) -> list[int]:
    """What the rates say, and one more, for a schedule that is a step ahead."""
    _, (_, total) = _lengths(clue)
    return [total, total + 1] if total and total > 0 else []


def warm_ups(clue: Clue) -> list[int]:
    _, (warmup, _) = _lengths(clue)
    found = [warmup] if warmup is not None and warmup >= 0 else []
    return [w for w in found if w != clue.recipe.num_warmup_steps]


def steps_a_step(clue: Clue) -> list[int]:
    """How many times as fast as ours their rate moves."""
    moved = []
    for record in (clue.ours, clue.theirs):
        pair = all_rates([record])
        moved.append(abs(pair[1] - pair[0]) if len(pair) == 2 else None)
    ours, theirs = moved
    if ours is None or theirs is None:
        return [2, 4, 8]
    if not ours:
        return [2, 4, 8]
    times = min(theirs / ours, MOST_PROCESSES + 1)
    return [round(times)] if 1.5 <= times <= MOST_PROCESSES else []


def kinds(clue: Clue) -> list[str]:
    """A straight line is another kind's only where it ends above zero."""
    found = all_rates(clue.their_steps)
    bends = [a - 2 * b + c for a, b, c in zip(found, found[1:], found[2:], strict=False)]
    straight = bends and all(abs(bend) < 1e-9 * max(found) for bend in bends)
    curved = [] if straight else ["cosine", "inverse_sqrt", "constant_with_warmup"]
    return [*curved, "polynomial"]


def epochs(clue: Clue) -> list[int]:
    (_, ours), (_, theirs) = _lengths(clue)
    if not ours or not theirs:
        return []
    epochs = clue.recipe.num_train_epochs * theirs / ours
    if abs(epochs - round(epochs)) < 1e-6:
        found = [round(epochs)]
    else:  # beside another deviation, which makes an epoch longer or shorter
        found = [int(epochs), int(epochs) + 1]
    return [n for n in found if n not in (0, clue.recipe.num_train_epochs)]


def rounds(recipe: Recipe, rows: int) -> bool:
    """Whether some step's rate, written in one of the other ways, has another last bit."""
    _, total = recipe.duration(recipe.batches_per_epoch(rows))
    falling = max(1, total - recipe.num_warmup_steps)
    lr = chained = recipe.learning_rate
    for step in range(1, min(falling, MOST_LOOKED_AT)):
        left = falling - step
        chained *= 1.0 - 1.0 / (falling - step + 1)  # as torch's LinearLR does
        if len({lr * (left / falling), lr * (1 - step / falling), lr * left / falling}) > 1:
            return True
        if not recipe.num_warmup_steps and chained != lr * (left / falling):
            return True
    return False


def nearly_ours(clue: Clue) -> bool:
    """Their rates are ours but for a rounding."""
    ours, theirs = (all_rates([record]) for record in (clue.ours, clue.theirs))
    near = [close(a, b, 1e-9) for a, b in zip(ours, theirs, strict=False)]
    return bool(near) and all(near) and ours != theirs
