"""Models that don't fit: which parameter the other run lacks, and what it is a copy of."""

from reference.diff.causes.likely_cause import LikelyCause
from reference.diff.evidence import OtherModels, TrainedInOne
from reference.diff.sides import FIRST, RUNS, SECOND
from reference.messages import plain

SAVED = ".modules_to_save."  # in the name of a copy that PEFT makes of a layer to train it


def other_models_causes(
    models: OtherModels, untied: tuple[int, str, str] | None
) -> list[LikelyCause]:
    """Why the tensors of two runs can't be compared.

    Args:
        models: The first difference of the models.
        untied: A parameter of one run alone, and the one of which it begins as a copy.
    """
    return [_untied(*untied)] if untied is not None else [_other(models)]


def _untied(side: int, name: str, like: str) -> LikelyCause:
    """A parameter of one run alone that begins with the values of another of the same run."""
    advice = (
        f"tie them again in {RUNS[side]} (tie_weights(), tie_word_embeddings, "
        "ensure_weight_tying), or train a copy in neither"
    )
    if SAVED in name:
        advice = (
            f"PEFT's modules_to_save copies tied layers one by one in {RUNS[side]}: give "
            "LoraConfig ensure_weight_tying=True, or leave the tied layer out of modules_to_save"
        )
    return LikelyCause(
        "untied",
        f"{RUNS[side]} has {plain(name)} as a tensor of its own, which begins as a copy of its "
        f"{plain(like)}: in {RUNS[1 - side]} the two are one tensor, tied, and in {RUNS[side]} "
        "they drift apart",
        advice,
    )


def _other(models: OtherModels) -> LikelyCause:
    """The first parameter in which two models differ that fit nowhere."""
    if isinstance(models, TrainedInOne):
        return LikelyCause(
            "other-models",
            f"only one run has {plain(models.name)}, and trains it: different layers",
        )
    left, right = models.left, models.right
    if left is not None and right is not None and left[0] == right[0]:
        said = f"{plain(str(left[0]))} has the shape {tuple(left[1])} in {FIRST} and "
        said += f"{tuple(right[1])} in {SECOND}: the models are of different sizes"
    elif left is None or right is None:
        only, side = (left, 0) if right is None else (right, 1)
        name = plain(str((only or ["a parameter"])[0]))
        said = f"only {RUNS[side]}'s model has {name}"
    else:
        names = plain(str(left[0])), plain(str(right[0]))
        said = f"{FIRST}'s model has {names[0]} where {SECOND}'s has {names[1]}: different layers"
    return LikelyCause("other-models", said, "look at the model's class, its config and adapters")
