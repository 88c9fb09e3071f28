"""What the optimizer holds: another model's parameters, not all of them, biases with decay."""

from collections.abc import Collection, Sequence

from reference.check.finding import (
    Evidence,
    Finding,
    Level,
    count_of,
    some_of,
)
from reference.check.parameter import Parameter
from reference.check.training import Training


def _strangers(training: Training) -> int:
    return max((int(step.stepped.get("strangers", 0)) for step in training.steps), default=0)


def other_model(training: Training) -> Evidence | None:
    """Gradients are computed, and the optimizer has none of these parameters, but others."""
    if not any(p.left_out and not p.in_group for p in training.parameters):
        return None
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
    """A small part is left out, or the optimizer has other parameters in its place.

    Only the others show that it isn't meant: they get no gradient, and no model has them.
    """
    out, grouped = _left_out(training)
    strangers = _strangers(training)
    if not out or not grouped or not (strangers or len(out) < len(grouped)):
        return None
    instead = f"; it holds {strangers} of no model that is called" if strangers else ""
    return _told(out, instead, is_plain=bool(strangers))


def trains_a_part(training: Training) -> Evidence | None:
    """Most is left out: the rest could be frozen, and the gradients saved."""
    out, grouped = _left_out(training)
    if not out or not grouped or _strangers(training) or len(out) < len(grouped):
        return None
    return _told(out, "", is_plain=True)


def _told(out: Sequence[Parameter], more: str, *, is_plain: bool) -> Evidence:
    names = [p.name for p in out]
    return Evidence(
        f"{count_of(len(out), 'parameter')} with gradients in no optimizer: {some_of(names)}{more}",
        values={"parameters": names},
        is_plain=is_plain,
    )


def grouped_decay(training: Training) -> Evidence | None:
    """Biases and norms alone are spared from decay, and of their kinds not all.

    Whoever spares a whole part of a model, its matrices too, goes by parts. Of one kind (weights of
    norms, biases of norms, other biases) some spared and some not is a name that was missed. The
    biases of norms spared and the others not may be meant.
    """
    for number in training.by_optimizer:
        for model in training.classes:
            own = [p for p in training.parameters if p.model == model and number in p.decays]
            spared = [p for p in own if not p.decays[number]]
            if any(p.is_matrix for p in spared):
                continue
            norms = {p.module for p in own if p.is_norm_weight}
            kinds = {id(p): _kind(p, norms) for p in own}
            for wanted in ({"norm"}, {"norm's bias"}, {"bias"}, {"bias", "norm's bias"}):
                alike = [p for p in own if kinds[id(p)] in wanted]
                decayed = [p for p in alike if p.decays[number]]
                if decayed and len(decayed) < len(alike):
                    return _of_decay(number, decayed, alike, is_plain=len(wanted) == 1)
    return None


def _kind(parameter: Parameter, norms: Collection[str]) -> str:
    """What it is by custom left without decay for; '' for the rest."""
    if parameter.is_bias:
        return "norm's bias" if parameter.module in norms else "bias"
    return "norm" if parameter.is_norm_weight else ""


def _of_decay(
    number: int, decayed: Sequence[Parameter], alike: Sequence[Parameter], *, is_plain: bool
) -> Evidence:
    names = [p.name for p in decayed]
    decay = max(p.decays[number] for p in decayed)
    return Evidence(
        f"with a weight decay of {decay:g}: {len(names)}, as {some_of(names)}; without: "
        f"{len(alike) - len(names)} of the same kind",
        values={"weight_decay": decay, "parameters": names},
        is_plain=is_plain,
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
        "requires_grad to False where a part is to stay, which saves its gradients",
        find=left_out,
        or_look=True,
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
        name="decay-groups-miss",
        level=Level.LIKELY,
        claim="biases or norms are decayed, though others are spared",
        link="optimizer: weight decay of biases and norms",
        remedy="see how the groups are told apart: names differ between models (LayerNorm, "
        "layer_norm, ln_1)",
        find=grouped_decay,
        or_look=True,
    ),
)
