"""Deviations of the optimizer: its kind, its hyper-parameters, and which parameters it has.

Try one: `python -m reference explain LEDGER`
"""

from typing import Any

from reference.deviations.clues.clue import Clue, number, part
from reference.deviations.clues.optimizer import hyper
from reference.deviations.clues.rates import base_rate, rates
from reference.deviations.deviation import VALUE, Deviation
from reference.deviations.source_edits import Edit, imports, replace
from reference.ledger.record import Record
from reference.lesson.recipe import Recipe

TORCH_DECAY = 0.01  # `torch.optim.AdamW`'s default
FUSED = 'fused=True if recipe.optimizer == "adamw_torch_fused" else None'
OTHERS = imports("from reference.deviations import other_adamws")
PIECES = imports("from reference.deviations import loop_parts")
# Biases and norms in a group with all the others, and with the others' decay.
ONE_GROUP: tuple[Edit, ...] = (
    replace("parameter_groups(model, ", '[{"params": list(model.parameters()), "weight_decay": '),
    replace("),  # torch's own default would", "}],  # torch's own default would"),
)


def decayed(recipe: Recipe, _rows: int) -> bool:
    return recipe.weight_decay > 0


def _numbers(record: Record, name: str) -> list[float]:
    return [v for v in map(number, hyper(record, name)) if v is not None]


def _decay(clue: Clue) -> list[float]:
    """The largest decay of theirs, where it isn't ours: biases and norms may have none."""
    ours, theirs = _numbers(clue.ours, "weight_decay"), _numbers(clue.theirs, "weight_decay")
    return [max(theirs)] if theirs and max(theirs) != max(ours, default=None) else []


def _eps(clue: Clue) -> list[float]:
    ours = _numbers(clue.ours, "eps")
    return [v for v in _numbers(clue.theirs, "eps") if v not in ours]


def _beta(index: int, clue: Clue) -> list[float]:
    ours, theirs = (
        [number(b[index]) for b in hyper(r, "betas") if isinstance(b, tuple) and len(b) == 2]
        for r in (clue.ours, clue.theirs)
    )
    return [v for v in theirs if v is not None and v not in ours]


def _rate(clue: Clue) -> list[float]:
    """Their base rate, or their first one where no schedule says it."""
    found = [base_rate(clue.theirs), *rates(clue.their_steps[:1])]
    return [v for v in found if v and v != base_rate(clue.ours)]


def _old(clue: Clue) -> list[bool]:
    return [v for v in hyper(clue.theirs, "correct_bias") if isinstance(v, bool)] or [True, False]


def _how(clue: Clue, name: str) -> Any:
    return part(clue.theirs, "optimizer", "how", name)


DEVIATIONS = (
    Deviation(
        "torch-default-decay",
        2,
        "optimizer",
        "AdamW is given all parameters and no weight decay, and so decays all of them by 0.01, "
        "torch's own default.",
        "transformers#7214",
        "always",
        (replace("parameter_groups(model, recipe.weight_decay),", "model.parameters(),"),),
        # Where the recipe itself decays by that much, it is `decay-on-biases`.
        fits=lambda clue: clue.recipe.weight_decay != TORCH_DECAY,
    ),
    Deviation(
        "weight-decay",
        2,
        "optimizer",
        "Another weight decay; biases and norms still have none.",
        "transformers#7214",
        "always",
        (replace("recipe.weight_decay", "VALUE"),),
        sets={"weight_decay": VALUE},
        value=0.01,
        values=_decay,
    ),
    Deviation(
        "decay-on-biases",
        3,
        "optimizer",
        "Weight decay also on biases and norms.",
        "transformers#4832, transformers#35927",
        "decay > 0",
        ONE_GROUP,
        shows_with={"weight_decay": 0.01},
        hidden_with={},
        can_show=decayed,
    ),
    Deviation(
        "eps",
        4,
        "optimizer",
        "Another eps in Adam's denominator.",
        "the lesson",
        "always",
        (replace("recipe.adam_epsilon", "VALUE"),),
        sets={"adam_epsilon": VALUE},
        value=1e-6,
        values=_eps,
    ),
    Deviation(
        "transformers-adamw",
        4,
        "optimizer",
        "The AdamW that transformers had before version 5: eps is added before the bias "
        "correction; the value says whether the bias is corrected.",
        "the lesson",
        "always",
        (
            OTHERS,
            replace("optimizer = AdamW(", "optimizer = other_adamws.TransformersAdamW("),
            replace(FUSED, "correct_bias=VALUE"),
        ),
        also=("update",),
        value=True,
        values=_old,
    ),
    Deviation(
        "learning-rate",
        5,
        "optimizer",
        "Another learning rate.",
        "the lesson",
        "always",
        (replace("recipe.learning_rate", "VALUE"),),
        also=("schedule",),
        sets={"learning_rate": VALUE},
        value=3e-5,
        values=_rate,
    ),
    Deviation(
        "no-bias-correction",
        6,
        "update",
        "Adam's running means aren't corrected for starting at zero.",
        "arXiv 2006.05987",
        "always",
        (OTHERS, replace("optimizer = AdamW(", "optimizer = other_adamws.UncorrectedAdamW(")),
        also=("optimizer",),
    ),
    Deviation(
        "adam-with-l2",
        7,
        "optimizer",
        "Adam, whose weight decay is added to the gradient, in place of AdamW.",
        "arXiv 1711.05101",
        "decay > 0",
        (replace("optimizer = AdamW(", "optimizer = torch.optim.Adam("),),
        also=("update",),
        shows_with={"weight_decay": 0.01},
        hidden_with={},
        can_show=decayed,
    ),
    Deviation(
        "beta1",
        4,
        "optimizer",
        "Another beta1, the share of the old mean in Adam's mean of gradients.",
        "none",
        "always",
        (replace("recipe.adam_beta1", "VALUE"),),
        sets={"adam_beta1": VALUE},
        value=0.95,
        values=lambda clue: _beta(0, clue),
    ),
    Deviation(
        "beta2",
        4,
        "optimizer",
        "Another beta2, the share of the old mean in Adam's mean of squares.",
        "none",
        "always",
        (replace("recipe.adam_beta2", "VALUE"),),
        sets={"adam_beta2": VALUE},
        value=0.98,
        values=lambda clue: _beta(1, clue),
    ),
    Deviation(
        "not-fused",
        4,
        "optimizer",
        "torch's plain AdamW where the recipe has the fused one: other roundings.",
        "none",
        "the recipe's optimizer is fused",
        (replace(FUSED, "fused=False"),),
        also=("update",),
        hidden_with={"optimizer": "adamw_torch"},
        sets={"optimizer": "adamw_torch"},
        can_show=lambda recipe, _: recipe.optimizer == "adamw_torch_fused",
        fits=lambda clue: _how(clue, "fused") is not True,
    ),
    Deviation(
        "fused",
        4,
        "optimizer",
        "torch's fused AdamW where the recipe has the plain one: other roundings.",
        "none",
        "the recipe's optimizer isn't fused",
        (replace(FUSED, "fused=True"),),
        also=("update",),
        shows_with={"optimizer": "adamw_torch"},
        hidden_with={},
        sets={"optimizer": "adamw_torch_fused"},
        can_show=lambda recipe, _: recipe.optimizer == "adamw_torch",
        fits=lambda clue: _how(clue, "fused") in (True, None),
    ),
)
