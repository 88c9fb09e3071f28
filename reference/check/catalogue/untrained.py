"""What is trained by nothing: without gradients, frozen, or stepped and never moved."""

from collections.abc import Sequence

from reference.check.finding import (
    CHORES,
    SETTINGS,
    Evidence,
    Finding,
    Level,
    count_of,
    in_steps,
    some_of,
)
from reference.check.parameter import Parameter
from reference.check.training import Training


def frozen_members(training: Training) -> Evidence | None:
    """The optimizer was given what is frozen: whoever freezes on purpose often leaves it out."""
    frozen = [p for p in training.parameters if p.frozen and not p.with_gradient]
    if not frozen or _idle_members(training) < len(frozen):
        return None
    names = [p.name for p in frozen]
    return Evidence(
        f"{count_of(len(frozen), 'parameter')} of {len(training.parameters)} have requires_grad "
        f"off, and the optimizer has them: {some_of(names)}",
        values={"parameters": names},
    )


def _idle_members(training: Training) -> int:
    """How many parameters without gradients the optimizers had at their first steps."""
    return sum(
        int(steps[0].chores.get("state", {}).get("idle", 0))
        for steps in training.by_optimizer.values()
    )


def no_gradient(training: Training) -> list[Parameter]:
    """The parameters that should get gradients, and never do, of models that train."""
    trained = {p.model for p in training.parameters if p.with_gradient}
    return [
        p
        for p in training.parameters
        if p.model in trained and p.frozen is False and not p.with_gradient
    ]


def mostly_untrained(training: Training) -> Evidence | None:
    """Most of a model gets no gradient, and isn't frozen either, and the optimizer has it."""
    idle = no_gradient(training)
    for model in {p.model for p in idle}:
        of_model = [p for p in training.parameters if p.model == model]
        lacking = [p for p in idle if p.model == model]
        most = sum(p.size for p in lacking) > sum(p.size for p in of_model if p not in lacking)
        if most and _idle_members(training) >= len(lacking):
            return _idle(lacking, len(of_model))
    return None


def untrained(training: Training) -> Evidence | None:
    """A part of a model gets no gradient and isn't frozen; small, or in no optimizer."""
    idle = no_gradient(training)
    if not idle or mostly_untrained(training) is not None:
        return None
    models = {p.model for p in idle}
    return _idle(idle, sum(p.model in models for p in training.parameters))


def _idle(idle: Sequence[Parameter], of: int) -> Evidence:
    names = [p.name for p in idle]
    return Evidence(
        f"{len(idle)} of {count_of(of, 'parameter')} get no gradient in any step, though "
        f"requires_grad is on: {some_of(names)}",
        values={"parameters": names},
    )


def nothing_moves(training: Training) -> Evidence | None:
    """Steps with a gradient and a rate that change no weight."""
    still = [
        s for s in training.steps if not s.changed and s.rate and s.members and s.clip.get("norm")
    ]
    finite = [s for s in still if not isinstance(s.clip["norm"], str)]
    if len(finite) < 2 or len(finite) < len(training.steps) / 2:
        return None
    return Evidence(
        f"{in_steps([s.number for s in finite], len(training.steps))} no weight changes, though "
        "the optimizer gets gradients",
        [s.number for s in finite],
    )


FINDINGS = (
    Finding(
        name="model-without-gradients",
        level=Level.LIKELY,
        claim="most of a model is trained by nothing",
        link="gradient: which parameters never get one",
        remedy="look for torch.no_grad(), detach() or .data between that part and the loss; freeze "
        "it with requires_grad where it is meant to stay",
        find=mostly_untrained,
        needs=(SETTINGS, CHORES),
    ),
    Finding(
        name="parameters-without-gradients",
        level=Level.LOOK,
        claim="some parameters are trained by nothing",
        link="gradient: which parameters never get one",
        remedy="see whether the loss should depend on them; else leave them out of the model, or "
        "freeze them",
        find=untrained,
        needs=(SETTINGS,),
    ),
    Finding(
        name="nothing-moves",
        level=Level.LIKELY,
        claim="the optimizer's steps change no weight",
        link="update: whether weights change",
        remedy="look at the learning rate, which may be too small for the weights' type, and at "
        "what puts the weights back",
        find=nothing_moves,
    ),
    Finding(
        name="frozen-in-the-optimizer",
        level=Level.LOOK,
        claim="a frozen part is in the optimizer",
        link="optimizer: frozen parameters that it holds",
        remedy="set requires_grad to True where that part is to learn; else leave it out of the "
        "optimizer",
        find=frozen_members,
        needs=(SETTINGS, CHORES),
    ),
)
