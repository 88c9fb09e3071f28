"""Resumed runs: what was not loaded; and weights that something beside the optimizer changes."""

from reference.check.catalogue.schedules import NEAR, schedulers_of
from reference.check.finding import CHORES, SCHEDULERS, Evidence, Finding, Level, in_steps
from reference.check.step import Step
from reference.check.training import Training

KEEP_STATE = ("adam", "rmsprop", "adagrad", "adadelta", "lion", "adafactor")


def _first(training: Training) -> list[tuple[Step, dict[str, int], int]]:
    """Of each optimizer with a scheduler: its first step, its state, and the scheduler's count."""
    found = []
    for steps in training.by_optimizer.values():
        first = steps[0]
        state = first.chores.get("state")
        schedulers = first.chores.get("schedulers", ())
        if state is not None and len(schedulers) == 1:
            found.append((first, state, int(schedulers[0]["count"])))
    return found


def without_state(training: Training) -> Evidence | None:
    """The schedule goes on, and the optimizer begins anew.

    Not of an optimizer that begins later than others: its schedule may go with theirs.
    """
    for first, state, count in _first(training):
        if first.number > len(training.by_optimizer):
            continue
        kind = str(first.stepped.get("class", ""))
        momentum = any(hyper.get("momentum") for hyper in first.stepped.get("hyper", ()))
        keeps = momentum or any(word in kind.lower() for word in KEEP_STATE)
        if keeps and count > 1 and not state["parameters"]:
            return Evidence(
                f"the scheduler has come to {count} when {kind} takes its first step, and {kind} "
                "keeps nothing of any earlier step",
                [first.number],
                {"scheduler": count},
            )
    return None


def without_schedule(training: Training) -> Evidence | None:
    """The optimizer goes on, and the schedule begins anew.

    A new cycle may be meant. It isn't where the schedule is made for the steps before and these.
    """
    made_for = {one.steps[0].optimizer: one.length for one in schedulers_of(training)}
    for first, state, count in _first(training):
        steps = state.get("steps", 0)
        if steps > 1 and count == 0:
            return Evidence(
                f"{first.stepped.get('class')} counts {steps} steps before its first one here, and "
                "its scheduler none",
                [first.number],
                {"steps": steps},
                is_plain=_close(
                    made_for.get(first.optimizer),
                    steps + len(training.by_optimizer[first.optimizer]),
                ),
            )
    return None


def _close(length: int | None, steps: int) -> bool:
    """Whether a schedule of this length is one for so many steps."""
    return length is not None and NEAR * length <= steps <= length


def part_of_state(training: Training) -> Evidence | None:
    """The optimizer goes on for some of its parameters."""
    for steps in training.by_optimizer.values():
        first = steps[0]
        state = first.chores.get("state", {})
        kept = state.get("parameters", 0)
        if state.get("steps") and kept < first.members:
            return Evidence(
                f"{first.stepped.get('class')} keeps something of earlier steps for {kept} of the "
                f"{first.members} parameters of its first step",
                [first.number],
                {"kept": kept, "parameters": first.members},
            )
    return None


def weights_moved(training: Training) -> Evidence | None:
    """Weights aren't what the last update left."""
    moved = [step.number for step in training.steps if step.moved_between]
    if not moved:
        return None
    return Evidence(
        f"{in_steps(moved, len(training.steps))} the weights are not those that the step before "
        "left",
        moved,
    )


FINDINGS = (
    Finding(
        name="resumed-without-optimizer",
        level=Level.LIKELY,
        claim="a resumed run lost the optimizer's state",
        link="optimizer: what it keeps at its first step",
        remedy="save and load optimizer.state_dict() beside the weights and the scheduler",
        find=without_state,
        needs=(CHORES, SCHEDULERS),
    ),
    Finding(
        name="resumed-without-schedule",
        level=Level.LIKELY,
        claim="a resumed run lost its schedule",
        link="schedule: where it begins",
        remedy="save and load lr_scheduler.state_dict() beside the weights and the optimizer; "
        "nothing, where a new cycle begins",
        find=without_schedule,
        or_look=True,
        needs=(CHORES, SCHEDULERS),
    ),
    Finding(
        name="resumed-in-part",
        level=Level.LOOK,
        claim="the optimizer's state was loaded for a part of its parameters",
        link="optimizer: what it keeps at its first step",
        remedy="see that the parameters come in the order in which the state was saved",
        find=part_of_state,
        needs=(CHORES,),
    ),
    Finding(
        name="weights-moved-between-steps",
        level=Level.LOOK,
        claim="something beside the optimizer changes weights",
        link="weights: whether they are what the last update left",
        remedy="see what writes into them: an average put in their place, a checkpoint loaded, a "
        "bound; where it is meant, nothing",
        find=weights_moved,
    ),
)
