"""The recipe's model: its parameters' names and places."""

from functools import lru_cache

from reference.lesson.recipe import Recipe


@lru_cache(maxsize=4)
def positions(recipe: Recipe) -> int:
    """How many tokens the recipe's model has places for."""
    from reference.lesson.checkpoints import check_checkpoint

    return int(check_checkpoint(recipe).max_position_embeddings)


@lru_cache(maxsize=4)
def parameter_names(recipe: Recipe) -> list[str]:
    """The recipe's model's parameters, in order; nothing is loaded or drawn."""
    import torch
    from transformers import BertForSequenceClassification

    from reference.lesson.checkpoints import check_checkpoint

    config = check_checkpoint(recipe)  # which may make the embedded checkpoint, of real tensors
    with torch.device("meta"):
        model = BertForSequenceClassification(config)
    return [name for name, _ in model.named_parameters()]
