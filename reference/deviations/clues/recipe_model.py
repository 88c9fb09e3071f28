"""The recipe's model: its parameters' names and places."""

from functools import lru_cache

from reference.lesson.recipe import MANY, Recipe


@lru_cache(maxsize=4)
def positions(recipe: Recipe) -> int:
    """How many tokens the recipe's model has places for."""
    from reference.lesson.checkpoints import check_checkpoint, row_length

    most = row_length(check_checkpoint(recipe))
    return MANY if most is None else most


@lru_cache(maxsize=4)
def parameter_names(recipe: Recipe) -> list[str]:
    """The recipe's model's parameters, in order; nothing is loaded or drawn."""
    import torch

    from reference.lesson.checkpoints import check_checkpoint
    from reference.lesson.encoders import model_class

    config = check_checkpoint(recipe)  # which may make the embedded checkpoint, of real tensors
    with torch.device("meta"):
        model = model_class(config)(config)
    return [name for name, _ in model.named_parameters()]
