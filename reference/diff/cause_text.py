"""What a divergence follows from, in words."""

from reference.diff.cause_notes import (
    BatchAgain,
    Cause,
    DrewNumbers,
    LikeAnother,
    MoreSettings,
    NotZeroed,
    OnlyThisLink,
    OtherArgument,
    OtherSetting,
    PartBeside,
    RowsAgain,
    Untied,
    WeightsWere,
)
from reference.diff.sides import Sides
from reference.diff.value_text import both, distance, unequal_text
from reference.messages import plain

# What lies between a link that is unequal and those before it in the step, which are equal.
ONLY = {
    "forward": "inputs, weights, generators and modes are equal: what the model does inside its "
    "forward pass isn't (dropout's p, a kernel, an argument that is no tensor, a setting of a loss "
    "module)",
    "gradient": "inputs, weights and outputs are equal: what stands between the outputs and the "
    "gradients isn't (the loss function and its scale), or what was left in them before",
    "update": "weights, gradients and hyper-parameters are equal: what the optimizer keeps isn't "
    "(averages, its count of steps), or what it does in its step",
    "weights": "something that is no optimizer's step changed weights after step {step}",
}

BEFORE = ", as in the step before, which was equal all the same"


def cause_text(note: Cause, sides: Sides) -> str:
    """One cause in a line.

    Args:
        note: What is known.
        sides: What the two runs are called.
    """
    match note:
        case BatchAgain(side, step, earlier):
            return (
                f"{sides.name(side)}'s batch of step {step} is its own of step {earlier} again; "
                f"{sides.name(1 - side)}'s is new to it"
            )
        case RowsAgain(name, total, first, second):
            return (
                f"of the {total} rows of {plain(name)}, {sides.first} had {first} in earlier steps "
                f"and {sides.second} {second}: the same rows again, and changed or new ones"
            )
        case Untied(side, name, like):
            return (
                f"{plain(name)}, which only {sides.name(side)} has, begins with the values of its "
                f"{plain(like)}: the other run's are one tensor, tied, and these are two"
            )
        case PartBeside(step, what):
            return f"yet the two part at step {step}, link forward: {unequal_text(what)}"
        case WeightsWere(side, step, earlier):
            return (
                f"{sides.name(side)}'s weights before step {step} are those that it had after "
                f"step {earlier}, and not what its last update left"
            )
        case LikeAnother(side, name, whose, like, count):
            other = "its own" if whose == side else f"{sides.name(whose)}'s"
            more = f"; so it is with {count - 1} more" if count > 1 else ""
            return (
                f"{sides.name(side)}'s {plain(name)} has the values of {other} {plain(like)}{more}"
            )
        case NotZeroed(side, step):
            return (
                f"{sides.name(side)}'s gradients were not zero when step {step} was over, as "
                f"{sides.name(1 - side)}'s were: the next ones were added to them"
            )
        case DrewNumbers(side, generators):
            return (
                f"{sides.name(side)}'s step drew random numbers ({', '.join(generators)}), and "
                f"{sides.name(1 - side)}'s none: dropout in one of them only, say"
            )
        case OnlyThisLink(link, step):
            return ONLY[link].format(step=step - 1)
        case OtherArgument(name, left, right, forward_pass, before):
            of_pass = f"pass {forward_pass}, " if forward_pass is not None else ""
            values = f"{both(left, right)}{distance(left, right)}"
            return f"{of_pass}argument {plain(name)}: {values}{BEFORE if before else ''}"
        case OtherSetting(name, left, right, before):
            values = f"{both(left, right)}{distance(left, right)}"
            return f"set to another value: {plain(name)}: {values}{BEFORE if before else ''}"
        case MoreSettings(count):
            return f"set to another value: {count} more, in the ledgers' field settings"
