"""What the optimizer holds: another model's parameters, not all of them, biases with decay."""

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


def _strangers(training: Training) -> int:
    return max((int(step.stepped.get("strangers", 0)) for step in training.steps), default=0)


def other_model(training: Training) -> Evidence | None:
    """Gradients are computed, and the optimizer has none of these parameters, but others."""
    for number, steps in training.by_optimizer.items():
        with_gradients = [s for s in steps if s.backward_passes and s.gradient.get("norm")]
        strangers = max(int(step.stepped.get("strangers", 0)) for step in steps)
        if with_gradients and strangers and not any(step.members for step in steps):
            return Evidence(
                f"optimizer {number} holds {count_of(strangers, 'parameter')} of no model that is "
                "called, and none of those that get gradients: no step changes what is trained",
                [step.number for step in with_gradients],
                {"optimizer": number, "strangers": strangers},
            )
    return None


def _left_out(training: Training) -> tuple[list[Parameter], list[Parameter]]:
    """Those with gradients that no optimizer ever steps, and those that one does."""
    most = len(training.steps) / 2 / max(1, len(training.by_optimizer))
    out = [p for p in training.parameters if p.left_out > most and not p.in_group]
    return out, [p for p in training.parameters if p.in_group]


def left_out(training: Training) -> Evidence | None:
    """A small part is left out, or the optimizer has other parameters in its place."""
    out, grouped = _left_out(training)
    strangers = _strangers(training)
    if not out or not grouped or not (strangers or len(out) < len(grouped)):
        return None
    instead = f"; it holds {strangers} of no model that is called" if strangers else ""
    return _told(out, instead)


def trains_a_part(training: Training) -> Evidence | None:
    """Most is left out: the rest could be frozen, and the gradients saved."""
    out, grouped = _left_out(training)
    if not out or not grouped or _strangers(training) or len(out) < len(grouped):
        return None
    return _told(out, "")


def _told(out: Sequence[Parameter], more: str) -> Evidence:
    names = [p.name for p in out]
    return Evidence(
        f"{count_of(len(out), 'parameter')} with gradients in no optimizer: {some_of(names)}{more}",
        values={"parameters": names},
    )


def grouped_decay(training: Training) -> Evidence | None:
    """An optimizer with and without decay, and biases or norms of a model that are decayed."""
    both = [p for p in training.parameters if p.is_bias_or_norm]
    for number in training.by_optimizer:
        for model in training.classes:
            own = [p for p in both if p.model == model]
            spared = [p for p in own if p.decays.get(number) == 0]
            decayed = [p for p in own if p.decays.get(number)]
            if spared and decayed:
                decay = max(p.decays[number] for p in decayed)
                return _of_decay(decayed, decay, len(spared))
    return None


def frozen_members(training: Training) -> Evidence | None:
    """The optimizer was given what is frozen: whoever freezes on purpose often leaves it out."""
    frozen = [p for p in training.parameters if p.frozen and not p.with_gradient]
    idle = sum(
        int(steps[0].chores.get("state", {}).get("idle", 0))
        for steps in training.by_optimizer.values()
    )
    if not frozen or idle < len(frozen):
        return None
    names = [p.name for p in frozen]
    return Evidence(
        f"{count_of(len(frozen), 'parameter')} of {len(training.parameters)} have requires_grad "
        f"off, and the optimizer has them: {some_of(names)}",
        values={"parameters": names},
    )


def _of_decay(decayed: Sequence[Parameter], decay: float, spared: int) -> Evidence:
    names = [p.name for p in decayed]
    return Evidence(
        f"biases and norms with a weight decay of {decay:g}: {len(names)}, as {some_of(names)}; "
        f"and without: {spared}",
        values={"weight_decay": decay, "parameters": names},
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
    """Most of a model gets no gradient, and isn't frozen either."""
    idle = no_gradient(training)
    for model in {p.model for p in idle}:
        of_model = [p for p in training.parameters if p.model == model]
        lacking = [p for p in idle if p.model == model]
        if sum(p.size for p in lacking) > sum(p.size for p in of_model if p not in lacking):
            return _idle(lacking, len(of_model))
    return None


def untrained(training: Training) -> Evidence | None:
    """A small part of a model gets no gradient, and isn't frozen either."""
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
        name="optimizer-of-another-model",
        level=Level.WRONG,
        claim="the optimizer holds the parameters of another model",
        link="optimizer: whose parameters it holds",
        remedy="build the optimizer after the model is made, replaced, wrapped or moved",
        find=other_model,
    ),
    Finding(
        name="parameters-left-out",
        level=Level.LIKELY,
        claim="some parameters that get gradients are in no optimizer",
        link="optimizer: whether it holds all that get gradients",
        remedy="give the optimizer model.parameters() after the last change of the model, or set "
        "requires_grad to False where a part is to stay",
        find=left_out,
    ),
    Finding(
        name="gradients-for-nothing",
        level=Level.LOOK,
        claim="most parameters get gradients, and no optimizer steps them",
        link="optimizer: whether it holds all that get gradients",
        remedy="set requires_grad to False for the part that stays, which saves its gradients, or "
        "give the optimizer all parameters",
        find=trains_a_part,
    ),
    Finding(
        name="model-without-gradients",
        level=Level.LIKELY,
        claim="most of a model is trained by nothing",
        link="gradient: which parameters never get one",
        remedy="look for torch.no_grad(), detach() or .data between that part and the loss; freeze "
        "it with requires_grad where it is meant to stay",
        find=mostly_untrained,
        needs=(SETTINGS,),
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
        name="decay-groups-miss",
        level=Level.LIKELY,
        claim="biases or norms are decayed, though others are spared",
        link="optimizer: weight decay of biases and norms",
        remedy="see how the groups are told apart: names differ between models (LayerNorm, "
        "layer_norm, ln_1)",
        find=grouped_decay,
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
