"""What the learning rates of another run say of its schedule, for each deviation of it."""

import itertools

from reference.deviations.clues.clue import MOST_PROCESSES, Clue, close
from reference.deviations.clues.rates import all_rates, base_rate, linear


def is_constant(clue: Clue) -> bool:
    """Their rate never moves."""
    rates = all_rates(clue.their_steps)
    return all(close(rates[0], rate) for rate in rates)


def rests(clue: Clue) -> bool:
    """Some step of theirs leaves the rate as it was."""
    rates = all_rates(clue.their_steps)
    return len(rates) < 2 or any(a == b for a, b in itertools.pairwise(rates))


def differs_at_step(clue: Clue) -> bool:
    """The rate of the step itself differs, and not just the one that it leaves to the next."""
    return bool(clue.ours.get("step") in (clue.step, None))


def _linear_of_both(
    clue: Clue,
) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """(warm-up, total) of our schedule and of theirs, as their rates say."""
    ours = linear([clue.ours], base_rate(clue.ours))
    return ours, linear(clue.their_steps, base_rate(clue.theirs))


def totals(clue: Clue) -> list[int]:
    """Lengths that their schedule may have; one step more for a schedule that is a step ahead."""
    _, (_, total) = _linear_of_both(clue)
    return [total, total + 1] if total and total > 0 else []


def warm_ups(clue: Clue) -> list[int]:
    """Steps of warm-up that their schedule may have."""
    _, (warmup, _) = _linear_of_both(clue)
    steps = [warmup] if warmup is not None and warmup >= 0 else []
    return [w for w in steps if w != clue.recipe.num_warmup_steps]


def steps_a_step(clue: Clue) -> list[int]:
    """How many times as fast as our rate theirs moves, as a whole number."""
    ours, theirs = (_moved(all_rates([record])) for record in (clue.ours, clue.theirs))
    if not ours or theirs is None:
        return [2, 4, 8]
    times = min(theirs / ours, MOST_PROCESSES + 1)
    return [round(times)] if 1.5 <= times <= MOST_PROCESSES else []


def _moved(pair: list[float]) -> float | None:
    return abs(pair[1] - pair[0]) if len(pair) == 2 else None


def kinds(clue: Clue) -> list[str]:
    """Kinds of schedule that theirs may be.

    A straight line is another kind's only where it ends above zero, as a polynomial may.
    """
    rates = all_rates(clue.their_steps)
    bends = [a - 2 * b + c for a, b, c in zip(rates, rates[1:], rates[2:], strict=False)]
    straight = bends and all(abs(bend) < 1e-9 * max(rates) for bend in bends)
    curved = [] if straight else ["cosine", "inverse_sqrt", "constant_with_warmup"]
    return [*curved, "polynomial"]


def epochs(clue: Clue) -> list[int]:
    """Numbers of epochs that their schedule may be made for."""
    (_, ours), (_, theirs) = _linear_of_both(clue)
    if not ours or not theirs:
        return []
    number = clue.recipe.num_train_epochs * theirs / ours
    if abs(number - round(number)) < 1e-6:
        numbers = [round(number)]
    else:  # beside another deviation, which makes an epoch longer or shorter
        numbers = [int(number), int(number) + 1]
    return [n for n in numbers if n not in (0, clue.recipe.num_train_epochs)]


def nearly_ours(clue: Clue) -> bool:
    """Their rates are ours but for a rounding."""
    ours, theirs = (all_rates([record]) for record in (clue.ours, clue.theirs))
    near = [close(a, b, 1e-9) for a, b in zip(ours, theirs, strict=False)]
    return bool(near) and all(near) and ours != theirs
