"""What a checkpoint's `config.json` says of its BERT: read, held to bounds, and nothing else taken.

    python -m reference train manual --checkpoint FOLDER

transformers does what such a file asks for: it makes as many layers, quantizes, fetches a kernel.
So only the fields of a BERT's shape come through here, each with the numbers that it may be; a
field by which the weights would mean something else is refused by name, and all others have no say.
No torch and no transformers is needed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.lesson.recipe_fields import Bounds
from reference.messages import brief
from reference.process.bounded_files import read_bounded

CONFIG = "config.json"
LARGEST = 1 << 20  # bytes; it holds names of labels, too
SLACK = 64 << 20  # bytes of a model, or of weights, on which nobody waits: the other may be small
# A weight may be stored in a byte, or be one of two that are tied.
TIMES = 8
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Number:
    """A field's type, what it is where it's missing, as transformers has it, and its bounds."""

    kind: type
    default: float | None
    bounds: Bounds


WIDTH = Bounds(1, 1 << 16)
# Far above any BERT. The largest, of 24 layers, is 1024 wide.
NUMBERS = {
    "vocab_size": Number(int, 30522, Bounds(1, 1 << 24)),
    "hidden_size": Number(int, 768, WIDTH),
    "num_hidden_layers": Number(int, 12, Bounds(0, 256)),
    "num_attention_heads": Number(int, 12, WIDTH),
    "intermediate_size": Number(int, 3072, Bounds(1, 1 << 18)),
    "max_position_embeddings": Number(int, 512, Bounds(1, 1 << 20)),
    "type_vocab_size": Number(int, 2, Bounds(1, 1 << 16)),
    "initializer_range": Number(float, 0.02, Bounds(0, 10)),
    "layer_norm_eps": Number(float, 1e-12, Bounds(0, 1, above=True)),
}
# What is meant where the field stands there; any other value asks for another model.
NEUTRAL: dict[str, tuple[object, ...]] = {
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "position_embedding_type": ("absolute", None),
    "pruned_heads": ({}, None),
    "chunk_size_feed_forward": (0, None),
    "quantization_config": (None,),
    "compression_config": (None,),
    "auto_map": (None, {}),
    "_attn_implementation": ("eager", "sdpa", None),
    "attn_implementation": ("eager", "sdpa", None),
    "_attn_implementation_internal": ("eager", "sdpa", None),
    "_experts_implementation": (None,),
    "base_model_tp_plan": (None, {}),
    "base_model_pp_plan": (None, {}),
    "base_model_ep_plan": (None, {}),
    "tp_plan": (None, {}),
    "device_map": (None,),
    "distributed_config": (None,),
    "kernel_config": (None,),
    "use_kernels": (False, None),
}
TEXTS = {"hidden_act": "gelu"}


def read_config(folder: Path) -> dict[str, Any]:
    """The fields of a checkpoint's `config.json` that make the shape of its BERT, all of them.

    Raises:
        InputError: it isn't of a BERT, or asks for something that these loops don't do; names the
            field.
    """
    path = folder / CONFIG
    try:
        config = json.loads(read_bounded(path, LARGEST))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: missing; a checkpoint's folder holds one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}); save the checkpoint anew") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "bert":
        raise InputError(
            f"{path}: field model_type: {brief(kind)}; this reference trains 'bert' only"
        )
    for name, neutral in NEUTRAL.items():
        if name in config and config[name] not in neutral:
            raise InputError(
                f"{path}: field {name}: {brief(config[name])} asks for what this reference "
                "doesn't do; use a plain BERT's checkpoint, or take the field out"
            )
    numbers = {name: _number(path, name, config) for name in NUMBERS}
    width, heads = numbers["hidden_size"], numbers["num_attention_heads"]
    if width % heads:
        raise InputError(
            f"{path}: field num_attention_heads: {heads} doesn't divide the hidden size ({width}); "
            "save the checkpoint anew"
        )
    padding = config.get("pad_token_id", 0)
    if padding is not None and not (type(padding) is int and 0 <= padding < numbers["vocab_size"]):
        raise _wrong(path, "pad_token_id", padding, "give a token's number, below vocab_size")
    texts = {name: config.get(name, default) for name, default in TEXTS.items()}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise _wrong(path, name, text, "give a word")
    return {**numbers, **texts, "pad_token_id": padding}


def check_size(folder: Path, config: Mapping[str, Any], weights: int) -> None:
    """Raise InputError where a model of this shape and its weights' file are of far other sizes.

    Args:
        folder: of the checkpoint.
        config: what `read_config` gave.
        weights: bytes of the file.
    """
    width, inner = config["hidden_size"], config["intermediate_size"]
    rows = [config[n] for n in ("vocab_size", "max_position_embeddings", "type_vocab_size")]
    layer = 4 * width * width + 2 * width * inner
    needed = FLOAT * (sum(rows) * width + config["num_hidden_layers"] * layer)
    if needed > SLACK + TIMES * weights or weights > SLACK + TIMES * needed:
        raise InputError(
            f"{folder / CONFIG}: makes a model of {needed >> 20:,} MiB where the weights have "
            f"{weights >> 20:,} MiB; they don't belong together, save the checkpoint anew"
        )


def _number(path: Path, name: str, config: Mapping[str, Any]) -> Any:
    about = NUMBERS[name]
    value = config.get(name, about.default)
    kinds = (int,) if about.kind is int else (int, float)
    if type(value) not in kinds:
        raise _wrong(path, name, value, f"give a number {about.bounds}")
    if not about.bounds.hold(value):
        raise _wrong(path, name, value, f"give a number {about.bounds}")
    return value


def _wrong(path: Path, name: str, value: object, remedy: str) -> InputError:
    return InputError(f"{path}: field {name}: {brief(value)} makes no sense; {remedy}")
