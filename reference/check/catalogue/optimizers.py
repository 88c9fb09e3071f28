"""What the optimizer holds: another model's parameters, not all of them, biases with decay."""

from collections.abc import Sequence

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
    """Of the biases of a model, or of its norms' weights, some are decayed and some aren't."""
    for number in training.by_optimizer:
        for model in training.classes:
            for is_bias in (True, False):
                own = [
                    p
                    for p in training.parameters
                    if p.model == model and p.is_bias_or_norm and p.is_bias == is_bias
                ]
                spared = [p for p in own if p.decays.get(number) == 0]
                decayed = [p for p in own if p.decays.get(number)]
                if spared and decayed:
                    decay = max(p.decays[number] for p in decayed)
                    return _of_decay(decayed, decay, len(spared))
    return None


def _of_decay(decayed: Sequence[Parameter], decay: float, spared: int) -> Evidence:
    names = [p.name for p in decayed]
    return Evidence(
        f"with a weight decay of {decay:g}: {len(names)}, as {some_of(names)}; without: {spared} "
        "of the same kind",
        values={"weight_decay": decay, "parameters": names},
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
        name="decay-groups-miss",
        level=Level.LIKELY,
        claim="biases or norms are decayed, though others are spared",
        link="optimizer: weight decay of biases and norms",
        remedy="see how the groups are told apart: names differ between models (LayerNorm, "
        "layer_norm, ln_1)",
        find=grouped_decay,
    ),
)
