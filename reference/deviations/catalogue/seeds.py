"""Deviations of seeds, and of what else moves the global generator."""

from reference.deviations.anchors import PROGRESS_BAR, REPLACE
from reference.deviations.citations import COURSE, NO_REPORT
from reference.deviations.clues.batches import same_rows
from reference.deviations.clues.clue import Clue
from reference.deviations.clues.seeds import seeds, usual_seeds
from reference.deviations.conditions import draws
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import before, delete, replace


def _first_step(clue: Clue) -> bool:
    return clue.step == 1


DEVIATIONS = (
    Deviation(
        name="head-seed",
        row=30,
        link="weights",
        summary=(
            "The new head was drawn before the recipe's seed was set: from another one, if any."
        ),
        shows_when="a new head",
        citation="transformers#11965",
        edits=(REPLACE, replace("load_model(recipe)", "load_model(replace(recipe, seed=VALUE))")),
        default_value=0,
        values_to_try=usual_seeds,
        suggested_by=_first_step,
    ),
    Deviation(
        name="another-seed",
        row=31,
        # The order first; where it isn't drawn from the seed, dropout or the head.
        link="batch",
        also_in=("rng", "weights"),
        summary="Another seed for everything.",
        shows_when="dropout > 0 or shuffling, or a new head",
        citation=NO_REPORT,
        edits=(REPLACE, before("device = torch.device(", "recipe = replace(recipe, seed=VALUE)")),
        default_value=43,
        values_to_try=seeds,
        suggested_by=lambda clue: clue.step == 1 and not (clue.link == "batch" and same_rows(clue)),
    ),
    Deviation(
        name="no-seed",
        row=31,
        link="rng",
        also_in=("batch",),
        summary=(
            "No seed is set once the model is made. Here one was set before; a run with none at "
            "all can't be repeated, nor proven."
        ),
        shows_when="dropout > 0 or shuffling by the global generator",
        citation=NO_REPORT,
        edits=(delete("set_seed(recipe.seed)"),),
        suggested_by=_first_step,
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="dropout-seed",
        row=31,
        link="rng",
        also_in=("batch",),
        summary="Another seed once the model is made: the head is the same, dropout isn't.",
        shows_when="dropout > 0 or shuffling by the global generator",
        citation=NO_REPORT,
        edits=(replace("set_seed(recipe.seed)", "set_seed(VALUE)"),),
        default_value=43,
        values_to_try=usual_seeds,
        suggested_by=_first_step,
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="extra-draw",
        row=39,
        link="rng",
        also_in=("batch",),
        summary="Something draws a number from the global generator at each step.",
        shows_when="dropout > 0",
        citation="pytorch#36998",
        edits=(before("num_samples = sum(", "torch.rand(1)"),),
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
    Deviation(
        name="peeked-at-a-batch",
        row=39,
        link="rng",
        also_in=("batch",),
        summary=(
            "A batch is taken out before training to look at it, as the course does; this draws "
            "from the global generator."
        ),
        shows_when="dropout > 0 or shuffling by the global generator",
        citation=COURSE,
        edits=(before(PROGRESS_BAR, "next(iter(train_dataloader))"),),
        suggested_by=_first_step,
        applies_to=draws,
        hidden_in_recipe={"dropout": 0.0},
    ),
)
