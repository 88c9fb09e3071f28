"""An encoder of any architecture that transformers has itself: its configuration, and its checks.

    python -m reference train manual --checkpoint FOLDER

What is a rule of one architecture is asked of its own classes: which fields of `config.json` it
knows, which of them are dropouts, which weights are its encoder's and which a head's.
"""

import dataclasses
import inspect
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch.nn.modules.dropout import _DropoutNd
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from reference.errors import InputError
from reference.lesson.checkpoint_config import CONFIG, FLOAT
from reference.messages import brief

MOST = 1 << 24  # of a number that has no bound of its own
MANY = 1024  # entries of a list or a mapping
DEEP = 3  # lists and mappings within one another, as of two kinds of rotary positions
# Not fields of the class, and yet of its weights' meaning: older names that it still reads.
OLDER = ("rope_scaling",)
DROPOUTS = ("dropout", "pdrop")  # in a field's name; layerdrop is another thing


def make_config(
    folder: Path, fields: Mapping[str, Any], dropout: float | None = None, **ours: Any
) -> PreTrainedConfig:
    """The configuration of a checkpoint's encoder, with every dropout as it is asked for.

    Args:
        folder: of the checkpoint, for messages.
        fields: its `config.json`, as `read_config` gave it.
        dropout: the probability that each of the class's fields for it gets; None leaves them.
        ours: what goes before the checkpoint's own.

    Raises:
        InputError: a field's value is none that an encoder has.
    """
    kind = CONFIG_MAPPING[fields["model_type"]]
    own = {field.name for field in dataclasses.fields(kind)}
    inherited = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    taken = {}
    for name, value in fields.items():
        if not _has_a_say(kind, name, own - inherited):
            continue
        if not _is_tame(value, MOST):
            raise InputError(
                f"{folder / CONFIG}: field {name}: {brief(value)} makes no sense; save the "
                "checkpoint anew"
            )
        taken[name] = value
    names = own | taken.keys() if dropout is not None else set()
    of_dropout = [name for name in names if any(word in name for word in DROPOUTS)]
    try:
        config: PreTrainedConfig = kind(**{**taken, **dict.fromkeys(of_dropout, dropout), **ours})
    except Exception as error:  # each class has its own way to refuse a value
        reason = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...")
        raise InputError(
            f"{folder / CONFIG}: makes no {kind.model_type} ({reason}); save the checkpoint anew"
        ) from error
    return config


def model_class(config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class with a head for classes of sequences."""
    found: type[PreTrainedModel] = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    return found


def inputs_of(config: PreTrainedConfig) -> frozenset[str]:
    """What an encoder can be given, by name: DistilBERT, for one, knows no types of tokens."""
    return frozenset(inspect.signature(model_class(config).forward).parameters)


def size_of(config: PreTrainedConfig) -> int:
    """The bytes of a model's weights, of which nothing is made but their shapes."""
    with torch.device("meta"):
        model = model_class(config)(config)
    count: int = sum(parameter.numel() for parameter in model.parameters())
    return FLOAT * count


def check_loaded(
    model: PreTrainedModel, info: Mapping[str, Any], weights: str, dropout: float
) -> None:
    """Check that a checkpoint's weights are its encoder's, all of them, and that nothing is odd.

    What a file lacks is filled in at random and in silence, and what it has too much is left out.
    Only what stands outside of the class's encoder may be new, or go unused: a head. A pooler
    counts as one where all of it is new, as in a checkpoint of a masked language model: only heads
    read it.

    Args:
        model: as it was loaded.
        info: what `from_pretrained` says of the loading.
        weights: the file, for messages.
        dropout: what each dropout of it has to be.

    Raises:
        InputError: names the weight, or the module.
    """
    prefix, encoder = f"{model.base_model_prefix}.", model.base_model
    missing = set(info["missing_keys"])
    pooler = {prefix + name for name in encoder.state_dict() if name.startswith("pooler.")}
    lacking = sorted(
        key for key in missing - (pooler if pooler <= missing else set()) if key.startswith(prefix)
    )
    if lacking:
        raise InputError(
            f"{weights} lacks {lacking[0]} and {len(lacking) - 1} more of the encoder's "
            "weights; save the checkpoint anew"
        )
    parts = {name for name, _ in encoder.named_children()}
    unused = sorted(key for key in info["unexpected_keys"] if _is_encoders(key, prefix, parts))
    if unused:
        raise InputError(
            f"{weights} holds {unused[0]}, which config.json has no place for; "
            "field num_hidden_layers doesn't belong to these weights"
        )
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"{weights}: {name} holds NaN or an infinity; save the checkpoint "
                "anew, or use another"
            )
    check_dropout(model, dropout)


def check_dropout(model: torch.nn.Module, dropout: float) -> None:
    """Raise InputError where a module of a model has another dropout than the recipe says."""
    for name, module in model.named_modules():
        own = {"p": module.p} if isinstance(module, _DropoutNd) else {}
        own |= {key: value for key, value in vars(module).items() if "dropout" in key}
        for field, value in own.items():
            if type(value) in (int, float) and value != dropout:
                raise InputError(
                    f"dropout: {type(model).__name__}'s {name}.{field} is {value:g} whatever is "
                    f"asked for; give --dropout {value:g}, or use another checkpoint"
                )


def _has_a_say(kind: type[PreTrainedConfig], name: str, own: set[str]) -> bool:
    """Whether a field of `config.json` is one of the architecture's shape, by its own class.

    An older name for one is no field of the class; what all architectures have, as a type of
    numbers or labels, is the recipe's and the task's.
    """
    if name in own or name in kind.attribute_map:
        return True
    if name in OLDER:
        return "rope_parameters" in own
    return not (hasattr(kind, name) or name.startswith("_") or name in ("torch_dtype",))


def _is_encoders(key: str, prefix: str, parts: set[str]) -> bool:
    """Whether a weight without a place would be the encoder's, be it saved with a head or alone."""
    part = key.removeprefix(prefix).split(".")[0]
    # A pooler that the class does without; and the numbers of positions, which once were saved.
    spare = part == "pooler" or key.endswith((".position_ids", ".token_type_ids"))
    return (key.startswith(prefix) or part in parts) and not spare


def _is_tame(value: object, most: int, depth: int = DEEP) -> bool:
    """Whether a value is a word, a number within bounds, or a few of them."""
    if isinstance(value, list | dict):
        entries = list(value.values()) if isinstance(value, dict) else value
        return (
            depth > 0
            and len(entries) <= MANY
            and all(_is_tame(entry, most, depth - 1) for entry in entries)
        )
    if isinstance(value, int | float):
        return -most <= value <= most
    return value is None or (isinstance(value, str) and len(value) <= MANY)
