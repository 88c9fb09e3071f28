"""Deviations of the optimizer: its kind and its hyperparameters."""

from typing import Any

from reference.deviations.citations import COURSE, NO_REPORT
from reference.deviations.clues.clue import Clue, number, part
from reference.deviations.clues.optimizer import hyperparameter
from reference.deviations.clues.rates import base_rate, rates
from reference.deviations.conditions import decays
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import VALUE, Edit, imports, replace
from reference.ledger.record import Record

TORCH_DECAY = 0.01  # `torch.optim.AdamW`'s default
FUSED = 'fused=True if recipe.optimizer == "adamw_torch_fused" else None'
OTHER_ADAMWS = imports("from reference.deviations import other_adamws")
# Biases and norms in a group with all the others, and with the others' decay.
ONE_GROUP: tuple[Edit, ...] = (
    replace("parameter_groups(model, ", '[{"params": list(model.parameters()), "weight_decay": '),
    replace("),  # torch's own default would", "}],  # torch's own default would"),
)


def _numbers(record: Record, name: str) -> list[float]:
    return [v for v in map(number, hyperparameter(record, name)) if v is not None]


def _largest_decay(clue: Clue) -> list[float]:
    """The largest decay of theirs, where it isn't ours: biases and norms may have none."""
    ours, theirs = _numbers(clue.ours, "weight_decay"), _numbers(clue.theirs, "weight_decay")
    return [max(theirs)] if theirs and max(theirs) != max(ours, default=None) else []


def _eps(clue: Clue) -> list[float]:
    ours = _numbers(clue.ours, "eps")
    return [v for v in _numbers(clue.theirs, "eps") if v not in ours]


def _beta(index: int, clue: Clue) -> list[float]:
    """The first (0) or the second (1) of their betas, where it isn't ours."""
    ours, theirs = _betas(clue.ours, index), _betas(clue.theirs, index)
    return [v for v in theirs if v is not None and v not in ours]


def _betas(record: Record, index: int) -> list[float | None]:
    pairs = hyperparameter(record, "betas")
    return [number(pair[index]) for pair in pairs if isinstance(pair, tuple) and len(pair) == 2]


def _learning_rate(clue: Clue) -> list[float]:
    """Their base rate, or their first one where no schedule says it."""
    theirs = [base_rate(clue.theirs), *rates(clue.their_steps[:1])]
    return [v for v in theirs if v and v != base_rate(clue.ours)]


def _bias_is_corrected(clue: Clue) -> list[bool]:
    told = [v for v in hyperparameter(clue.theirs, "correct_bias") if isinstance(v, bool)]
    return told or [True, False]


def _is_fused(clue: Clue) -> Any:
    """True or False; None where their ledger doesn't say."""
    return part(clue.theirs, "optimizer", "how", "fused")


DEVIATIONS = (
    Deviation(
        name="torch-default-decay",
        row=2,
        link="optimizer",
        summary=(
            "AdamW is given all parameters and no weight decay, and so decays all of them by "
            "0.01, torch's own default."
        ),
        shows_when="always",
        citation="transformers#7214",
        edits=(replace("parameter_groups(model, recipe.weight_decay),", "model.parameters(),"),),
        # Where the recipe itself decays by that much, it is `decay-on-biases`.
        suggested_by=lambda clue: clue.recipe.weight_decay != TORCH_DECAY,
    ),
    Deviation(
        name="weight-decay",
        row=2,
        link="optimizer",
        summary="Another weight decay; biases and norms still have none.",
        shows_when="always",
        citation="transformers#7214",
        edits=(replace("recipe.weight_decay", "VALUE"),),
        default_value=0.01,
        values_to_try=_largest_decay,
        replaces_fields={"weight_decay": VALUE},
    ),
    Deviation(
        name="decay-on-biases",
        row=3,
        link="optimizer",
        summary="Weight decay also on biases and norms.",
        shows_when="decay > 0",
        citation="transformers#4832; transformers#35927",
        edits=ONE_GROUP,
        applies_to=decays,
        shows_in_recipe={"weight_decay": 0.01},
        hidden_in_recipe={"weight_decay": 0.0},
    ),
    Deviation(
        name="eps",
        row=4,
        link="optimizer",
        summary="Another eps in Adam's denominator.",
        shows_when="always",
        citation=COURSE,
        edits=(replace("recipe.adam_epsilon", "VALUE"),),
        default_value=1e-6,
        values_to_try=_eps,
        replaces_fields={"adam_epsilon": VALUE},
    ),
    Deviation(
        name="transformers-adamw",
        row=4,
        link="optimizer",
        also_in=("update",),
        summary=(
            "The AdamW that transformers had before version 5: eps is added before the bias "
            "correction; the value says whether the bias is corrected."
        ),
        shows_when="always",
        citation=COURSE,
        edits=(
            OTHER_ADAMWS,
            replace("optimizer = AdamW(", "optimizer = other_adamws.TransformersAdamW("),
            replace(FUSED, "correct_bias=VALUE"),
        ),
        default_value=True,
        values_to_try=_bias_is_corrected,
    ),
    Deviation(
        name="learning-rate",
        row=5,
        link="optimizer",
        also_in=("schedule",),
        summary="Another learning rate.",
        shows_when="always",
        citation=COURSE,
        edits=(replace("recipe.learning_rate", "VALUE"),),
        default_value=3e-5,
        values_to_try=_learning_rate,
        replaces_fields={"learning_rate": VALUE},
    ),
    Deviation(
        name="no-bias-correction",
        row=6,
        link="update",
        also_in=("optimizer",),
        summary="Adam's running means aren't corrected for starting at zero.",
        shows_when="always",
        citation="arXiv 2006.05987",
        edits=(
            OTHER_ADAMWS,
            replace("optimizer = AdamW(", "optimizer = other_adamws.UncorrectedAdamW("),
        ),
    ),
    Deviation(
        name="adam-with-l2",
        row=7,
        link="optimizer",
        also_in=("update",),
        summary="Adam, whose weight decay is added to the gradient, in place of AdamW.",
        shows_when="decay > 0",
        citation="arXiv 1711.05101",
        edits=(replace("optimizer = AdamW(", "optimizer = torch.optim.Adam("),),
        applies_to=decays,
        shows_in_recipe={"weight_decay": 0.01},
        hidden_in_recipe={"weight_decay": 0.0},
    ),
    Deviation(
        name="beta1",
        row=4,
        link="optimizer",
        summary="Another beta1, the share of the old mean in Adam's mean of gradients.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(replace("recipe.adam_beta1", "VALUE"),),
        default_value=0.95,
        values_to_try=lambda clue: _beta(0, clue),
        replaces_fields={"adam_beta1": VALUE},
    ),
    Deviation(
        name="beta2",
        row=4,
        link="optimizer",
        summary="Another beta2, the share of the old mean in Adam's mean of squares.",
        shows_when="always",
        citation=NO_REPORT,
        edits=(replace("recipe.adam_beta2", "VALUE"),),
        default_value=0.98,
        values_to_try=lambda clue: _beta(1, clue),
        replaces_fields={"adam_beta2": VALUE},
    ),
    Deviation(
        name="not-fused",
        row=4,
        link="optimizer",
        also_in=("update",),
        summary="torch's plain AdamW where the recipe has the fused one: other roundings.",
        shows_when="the recipe's optimizer is fused",
        citation=NO_REPORT,
        edits=(replace(FUSED, "fused=False"),),
        suggested_by=lambda clue: _is_fused(clue) is not True,
        applies_to=lambda recipe, _: recipe.optimizer == "adamw_torch_fused",
        replaces_fields={"optimizer": "adamw_torch"},
        hidden_in_recipe={"optimizer": "adamw_torch"},
    ),
    Deviation(
        name="fused",
        row=4,
        link="optimizer",
        also_in=("update",),
        summary="torch's fused AdamW where the recipe has the plain one: other roundings.",
        shows_when="the recipe's optimizer isn't fused",
        citation=NO_REPORT,
        edits=(replace(FUSED, "fused=True"),),
        suggested_by=lambda clue: _is_fused(clue) in (True, None),
        applies_to=lambda recipe, _: recipe.optimizer == "adamw_torch",
        replaces_fields={"optimizer": "adamw_torch_fused"},
        shows_in_recipe={"optimizer": "adamw_torch"},
        hidden_in_recipe={"optimizer": "adamw_torch_fused"},
    ),
)
