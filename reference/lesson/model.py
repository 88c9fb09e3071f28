"""From a checkpoint to a model with a new head: the same weights every time.

python -m reference train manual
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import BertForSequenceClassification, set_seed

from reference.errors import InputError
from reference.lesson.checkpoints import WEIGHTS, check_checkpoint, find_checkpoint, unusable
from reference.lesson.recipe import Recipe
from reference.lesson.shards import shard

# What `Trainer` never decays: biases, and the weights of norms (its own rule, in our words).
NO_DECAY = ("bias", "layernorm")

Model = BertForSequenceClassification

_listening: list[list[BertForSequenceClassification]] = []


@contextmanager
def models_made() -> Iterator[list[BertForSequenceClassification]]:
    """The models that `load_model` makes within it: a loop keeps its own to itself, as it reads."""
    made: list[BertForSequenceClassification] = []
    _listening.append(made)
    try:
        yield made
    finally:
        _listening.remove(made)


def load_model(recipe: Recipe) -> BertForSequenceClassification:
    """The checkpoint's BERT with a new head of the task's labels, float32, on the CPU.

    The head is drawn from the recipe's seed, so that every call gives the same weights; it seeds
    the global generators to do so. By the recipe's `fsdp` each process has its shard of it.

    Raises:
        InputError: a checkpoint of no use.
    """
    config = check_checkpoint(recipe)
    source = str(find_checkpoint(recipe.checkpoint).folder)
    set_seed(recipe.seed)
    try:
        model, info = BertForSequenceClassification.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, by name
        )
    except Exception as error:  # damage comes out of three libraries as a dozen kinds
        raise InputError(unusable(source, "model", error)) from error
    for key, stored, wanted in sorted(info["mismatched_keys"]):
        raise InputError(
            f"{source}: {WEIGHTS}: {key} is of shape {tuple(stored)} where config.json and "
            f"the task's {config.num_labels} labels make it {tuple(wanted)}; save the checkpoint "
            "anew, or use another"
        )
    # Loading fills in what a file lacks, at random and in silence; only the head may be new.
    lacking = sorted(key for key in info["missing_keys"] if not key.startswith("classifier."))
    if lacking:
        raise InputError(
            f"{source}: {WEIGHTS} lacks {lacking[0]} and {len(lacking) - 1} more of BERT's "
            "weights; save the checkpoint anew"
        )
    # A pretraining head goes unused; a layer of the encoder must not.
    unused = sorted(key for key in info["unexpected_keys"] if ".layer." in key)
    if unused:
        raise InputError(
            f"{source}: {WEIGHTS} holds {unused[0]}, which config.json has no place for; "
            "field num_hidden_layers doesn't belong to these weights"
        )
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"{source}: {WEIGHTS}: {name} holds NaN or an infinity; save the checkpoint "
                "anew, or use another"
            )
    if recipe.fsdp == "full_shard":
        shard(model, recipe.device)
    for made in _listening:
        made.append(model)
    return model


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """The groups of parameters that an optimizer gets, as `Trainer` makes them.

    Args:
        model: whose parameters are grouped, in their own order.
        weight_decay: of the first group.

    Returns:
        Two groups: weights, which are decayed; biases and the weights of norms, which never are.
    """
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {
            "params": [p for n, p in named if not any(word in n.lower() for word in NO_DECAY)],
            "weight_decay": weight_decay,
        },
        {
            "params": [p for n, p in named if any(word in n.lower() for word in NO_DECAY)],
            "weight_decay": 0.0,
        },
    ]
