"""A checkpoint's tokenizer files before a library reads them: sizes, and the ids of tokens.

    python -m reference train manual --checkpoint FOLDER

`tokenizers` makes room for every id up to the largest: one of 2^31 takes gigabytes, and most of a
minute. A folder that isn't a plain checkpoint is refused here, too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.errors import InputError
from reference.lesson.checkpoint_config import NUMBERS
from reference.lesson.data.own_table import columns_of
from reference.lesson.recipe import Recipe
from reference.messages import brief
from reference.process.bounded_files import need_file, read_bounded

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

LARGEST = 64 << 20  # bytes; a vocabulary of a million words has a third of that
FEW = 16  # ids of one token that is put around every row
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
ADDED_TOKENS = "added_tokens.json"
TEXTS = (
    *(TOKENIZER, TOKENIZER_CONFIG, ADDED_TOKENS, "special_tokens_map.json"),
    *("vocab.txt", "vocab.json", "merges.txt"),
)
# Where `type_vocab_size` is 0, these make no embedding of types, and leave the input unread.
UNTYPED = ("deberta", "deberta-v2")
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")


def check_tokenizer_files(folder: Path, vocab_size: int | None) -> None:
    """Check the files as far as plain Python can.

    Args:
        folder: of the checkpoint.
        vocab_size: of the model; each token's id has to be below. None: `config.json` leaves it
            to the architecture, and the largest that is taken at all is the bound.

    Raises:
        InputError: names the file, and the token.
    """
    if vocab_size is None:
        vocab_size = int(NUMBERS["vocab_size"].bounds.high)
    for name in ADAPTERS:
        if (folder / name).exists():
            raise InputError(
                f"{folder / name}: is an adapter's (peft), with which all other weights would be "
                "frozen; merge it into the model, or move it elsewhere"
            )
    for name in TEXTS:
        try:
            need_file(folder / name, LARGEST)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(
                f"{folder / name}: can't be read ({error.strerror}); give another"
            ) from None
    for name, ids in ((TOKENIZER, _ids), (TOKENIZER_CONFIG, _decoded), (ADDED_TOKENS, _added)):
        for token, number in ids(_read(folder / name)):
            if type(number) is not int or not 0 <= number < vocab_size:
                raise InputError(
                    f"{folder / name}: token {brief(token)}: id "
                    f"{brief(number)} is none of the 0 to {vocab_size - 1} that "
                    "vocab_size of config.json leaves; model and tokenizer don't belong together"
                )
    if isinstance(config := _read(folder / TOKENIZER_CONFIG), dict) and config.get("auto_map"):
        raise InputError(
            f"{folder / TOKENIZER_CONFIG}: field auto_map: asks for code that comes with the "
            "checkpoint, which isn't run; use a plain encoder's checkpoint, or take the field out"
        )


def try_tokenizer(
    tokenizer: "PreTrainedTokenizerBase", config: "PreTrainedConfig", recipe: Recipe
) -> None:
    """Raise InputError unless what it makes of a row can go into the model's embeddings."""
    texts = ["a"] * len(columns_of(recipe).text)
    row = tokenizer(*texts, truncation=True, max_length=recipe.max_length)
    sizes = {"input_ids": config.vocab_size}
    types = getattr(config, "type_vocab_size", None)
    if types is not None and not (types == 0 and config.model_type in UNTYPED):
        sizes["token_type_ids"] = types
    for name, size in sizes.items():
        largest = max(row.get(name) or [0])
        if largest >= size:
            raise InputError(
                f"{tokenizer.name_or_path}: the tokenizer gives {name} of {largest}, and "
                f"config.json has room for 0 to {size - 1}; they don't belong together"
            )


def _read(path: Path) -> Any:
    """What a file holds; None where it isn't there, or isn't JSON, which its reader says."""
    try:
        return json.loads(read_bounded(path, LARGEST))
    except InputError:  # a pipe, a device, or too large
        raise
    except (OSError, ValueError, RecursionError):
        return None


def _ids(tokenizer: Any) -> Iterator[tuple[object, object]]:
    """Each token of a `tokenizer.json` with its id; what isn't as it should be, is left out."""
    model = _get(tokenizer, "model")
    if isinstance(vocabulary := _get(model, "vocab"), dict):
        yield from vocabulary.items()
    if isinstance(added := _get(tokenizer, "added_tokens"), list):
        yield from ((_get(token, "content"), _get(token, "id")) for token in added)
    special = _get(_get(tokenizer, "post_processor"), "special_tokens")
    for token, about in special.items() if isinstance(special, dict) else ():
        if isinstance(ids := _get(about, "ids"), list):
            # A token that stands for so many is no id at all.
            yield from ((token, number) for number in (ids if len(ids) <= FEW else [ids]))


def _decoded(config: Any) -> Iterator[tuple[object, object]]:
    """The tokens that a `tokenizer_config.json` adds, by their ids."""
    added = _get(config, "added_tokens_decoder")
    for number, token in added.items() if isinstance(added, dict) else ():
        digits = number.isascii() and number.isdigit() and len(number) < 20
        yield _get(token, "content"), int(number) if digits else number


def _added(tokens: Any) -> Iterator[tuple[object, object]]:
    yield from tokens.items() if isinstance(tokens, dict) else ()


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
