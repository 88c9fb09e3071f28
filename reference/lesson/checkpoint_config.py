"""What a checkpoint's `config.json` says of its encoder: read, and held to bounds.

    python -m reference train manual --checkpoint FOLDER

transformers does what such a file asks for: it makes as many layers, quantizes, fetches a kernel.
So the numbers of a model's shape are held to bounds here, and a field that asks for something else
is refused by name. Which of the others have a say is known in `encoders.py`, which needs
transformers; here neither that nor torch is needed.
"""

import json
import math
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
LARGEST_HEADER = 1 << 24  # bytes, of a file of weights
HEADS = ("classifier.weight", "classifier.out_proj.weight")  # whose rows are the labels


@dataclass(frozen=True)
class Number:
    """A field's type, and its bounds."""

    kind: type
    bounds: Bounds


WIDTH = Bounds(1, 1 << 16)
LAYERS = Bounds(0, 256)
# Far above any encoder. BERT's largest, of 24 layers, is 1024 wide; DeBERTa's, of 48, 1536.
NUMBERS = {
    "vocab_size": Number(int, Bounds(1, 1 << 24)),
    "hidden_size": Number(int, WIDTH),
    "embedding_size": Number(int, WIDTH),
    "num_hidden_layers": Number(int, LAYERS),
    "num_hidden_groups": Number(int, LAYERS),
    "inner_group_num": Number(int, LAYERS),
    "num_attention_heads": Number(int, WIDTH),
    "intermediate_size": Number(int, Bounds(1, 1 << 18)),
    "max_position_embeddings": Number(int, Bounds(1, 1 << 20)),
    "type_vocab_size": Number(int, Bounds(0, 1 << 16)),
    "initializer_range": Number(float, Bounds(0, 10)),
    "layer_norm_eps": Number(float, Bounds(0, 1, above=True)),
}
# Another name of such a field in some architectures, as their classes' `attribute_map` has it.
ALSO = {
    "dim": "hidden_size",
    "d_model": "hidden_size",
    "emb_dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_layer": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_head": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "d_inner": "intermediate_size",
}
# The encoders that all three loops were seen to train alike: `model_type`, and whether positions
# are counted from behind the padding token's id, which leaves so many fewer of them (as fairseq's).
# tests/lesson/test_encoders.py trains each.
ENCODERS = {
    "bert": False,
    "albert": False,
    "camembert": True,
    "deberta": False,
    "deberta-v2": False,
    "distilbert": False,
    "electra": False,
    "modernbert": False,
    "mpnet": True,
    "roberta": True,
    "xlm-roberta": True,
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
    "per_layer_config": (None, {}),
    "is_encoder_decoder": (False, None),
}
TEXTS = ("hidden_act", "activation", "hidden_activation")


def read_config(folder: Path) -> dict[str, Any]:
    """The fields of a checkpoint's `config.json`, those of an encoder's shape within their bounds.

    Raises:
        InputError: it is of no encoder that is known here, or asks for something that these loops
            don't do; names the field.
    """
    path = folder / CONFIG
    try:
        config: Any = json.loads(read_bounded(path, LARGEST))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: missing; a checkpoint's folder holds one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable ({error}); save the checkpoint anew") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: field model_type: None; give a JSON object with it")
    kind = config.get("model_type")
    if config.get("auto_map"):  # before its kind, which may be new
        raise InputError(
            f"{path}: field auto_map: {brief(config['auto_map'])} asks for code that comes with "
            "the checkpoint, which isn't run; use one of an architecture within transformers"
        )
    if not isinstance(kind, str) or kind not in ENCODERS:
        raise InputError(
            f"{path}: field model_type: {brief(kind)}; this reference trains encoders: "
            f"{', '.join(map(repr, ENCODERS))}"
        )
    for name, neutral in NEUTRAL.items():
        if name in config and config[name] not in neutral:
            raise InputError(
                f"{path}: field {name}: {brief(config[name])} asks for what this reference "
                "doesn't do; use a plain encoder's checkpoint, or take the field out"
            )
    shape = shape_of(config)
    for name, (written, value) in shape.items():
        _check_number(path, written, name, value)
    if {"hidden_size", "num_attention_heads"} <= shape.keys():
        width, heads = shape["hidden_size"][1], shape["num_attention_heads"][1]
        if width % heads:
            raise InputError(
                f"{path}: field {shape['num_attention_heads'][0]}: {heads} doesn't divide the "
                f"hidden size ({width}); save the checkpoint anew"
            )
    padding = config.get("pad_token_id")
    words = shape["vocab_size"][1] if "vocab_size" in shape else 1 << 24
    if padding is not None and not (type(padding) is int and 0 <= padding < words):
        raise _wrong(path, "pad_token_id", padding, "give a token's number, below vocab_size")
    for name in TEXTS:
        if not isinstance(config.get(name, ""), str):
            raise _wrong(path, name, config[name], "give a word")
    return dict(config)


def shape_of(config: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Numbers of a model's shape, by their usual name: as the field is called, and its value."""
    return {
        ALSO.get(name, name): (name, value)
        for name, value in config.items()
        if ALSO.get(name, name) in NUMBERS
    }


def positions(kind: str, count: int | None, padding: int | None) -> int | None:
    """How many tokens of a row an encoder takes; None where it has no such bound.

    Args:
        kind: its `model_type`.
        count: its `max_position_embeddings`.
        padding: the padding token's id.
    """
    if count is None or not ENCODERS.get(kind):
        return count
    return count - (padding or 0) - 1


def check_size(folder: Path, config: Mapping[str, Any], weights: int) -> None:
    """Raise InputError where a model of this shape and its weights' file are of far other sizes.

    What `config.json` leaves out is looked at when the model is made.

    Args:
        folder: of the checkpoint.
        config: what `read_config` gave.
        weights: bytes of the file.
    """
    shape = {name: value for name, (_, value) in shape_of(config).items()}
    if not {"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size"} <= shape.keys():
        return
    width, inner = shape["hidden_size"], shape["intermediate_size"]
    names = ("vocab_size", "max_position_embeddings", "type_vocab_size")
    rows = sum(shape.get(name, 0) for name in names)
    layers = min(shape["num_hidden_layers"], shape.get("num_hidden_groups", math.inf))
    layer = 4 * width * width + 2 * width * inner
    needed = FLOAT * (rows * shape.get("embedding_size", width) + int(layers) * layer)
    check_bytes(folder, needed, weights)


def check_head(weights: Path, num_labels: int, task: str) -> None:
    """Raise InputError where the weights hold a trained head of another number of labels.

    Only the header of the file is read. Where that isn't whole, the loading says so.

    Args:
        weights: the file.
        num_labels: of the task.
        task: its name, for the message.
    """
    try:
        with open(weights, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, LARGEST_HEADER)))
        shapes = {name: header[name]["shape"] for name in HEADS if name in header}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return
    for name, shape in shapes.items():
        if isinstance(shape, list) and len(shape) == 2 and shape[0] != num_labels:
            raise InputError(
                f"{weights}: {name} is a head of {brief(shape[0])} labels, and the task {task} has "
                f"{num_labels}; use the checkpoint that it was trained from, or another"
            )


def check_bytes(folder: Path, needed: int, weights: int) -> None:
    """Raise InputError where the bytes of a model and of its weights' file are far apart."""
    if needed > SLACK + TIMES * weights or weights > SLACK + TIMES * needed:
        raise InputError(
            f"{folder / CONFIG}: makes a model of {needed >> 20:,} MiB where the weights have "
            f"{weights >> 20:,} MiB; they don't belong together, save the checkpoint anew"
        )


def _check_number(path: Path, written: str, name: str, value: Any) -> None:
    about = NUMBERS[name]
    kinds = (int,) if about.kind is int else (int, float)
    if type(value) not in kinds or not about.bounds.hold(value):
        raise _wrong(path, written, value, f"give a number {about.bounds}")


def _wrong(path: Path, name: str, value: object, remedy: str) -> InputError:
    return InputError(f"{path}: field {name}: {brief(value)} makes no sense; {remedy}")
