"""From a checkpoint to a model with a new head: the same weights every time.

python -m reference train manual
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel, set_seed

from reference.errors import InputError
from reference.lesson.checkpoints import WEIGHTS, check_checkpoint, find_checkpoint, unusable
from reference.lesson.encoders import check_loaded, model_class
from reference.lesson.recipe import Recipe
from reference.lesson.shards import shard

# What `Trainer` never decays: biases, and the weights of norms (its own rule, in our words).
NO_DECAY = re.compile(r"bias|layernorm|rmsnorm|(^|\.|_)norm($|\.)")

Model = PreTrainedModel

_listening: list[list[PreTrainedModel]] = []


@contextmanager
def models_made() -> Iterator[list[PreTrainedModel]]:
    """The models that `load_model` makes within it: a loop keeps its own to itself, as it reads."""
    made: list[PreTrainedModel] = []
    _listening.append(made)
    try:
        yield made
    finally:
        _listening.remove(made)


def load_model(recipe: Recipe) -> PreTrainedModel:
    """The checkpoint's encoder with a new head of the task's labels, float32, on the CPU.

    The head is drawn from the recipe's seed, so that every call gives the same weights; it seeds
    the global generators to do so. By the recipe's `fsdp` each process has its shard of it.

    Raises:
        InputError: a checkpoint of no use.
    """
    config = check_checkpoint(recipe)
    source = str(find_checkpoint(recipe.checkpoint).folder)
    set_seed(recipe.seed)
    try:
        model, info = model_class(config).from_pretrained(
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
    check_loaded(model, info, f"{source}: {WEIGHTS}", recipe.dropout)
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
    norms = {
        f"{name}.{parameter}"
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm)
        for parameter, _ in module.named_parameters()
    }
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            never = name in norms or NO_DECAY.search(name.lower())
            (others if never else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
