"""The embedded checkpoint: tokenizer and weights of a small BERT, made from code, kept in a cache.

    python -m reference data

A folder as `from_pretrained` takes it: weights without a head, as a pretrained base has them.
It is checked at each use and made again, in under a second, where it is missing or damaged.
"""

import hashlib
import importlib.metadata
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from reference.errors import InputError
from reference.lesson.embedded.corpus import CORPUS_VERSION, EMBEDDED_TASKS, make_split
from reference.lesson.embedded.vocabulary import SPECIAL, VOCAB_SIZE, train_vocabulary

# Raise it with every change that moves a byte of the weights or the vocabulary.
CHECKPOINT_VERSION = 1

# BERT's own positions and dropout; the rest as small as still learns. One head: a second learns
# no better, and doubles the random numbers that dropout draws for the attention.
CONFIG = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
MANIFEST = "manifest.json"  # {file name: SHA-256 in hex}, written last


def checkpoint_folder(cache_dir: Path | None = None) -> Path:
    """The checkpoint's folder in `cache_dir`, whole and checked; made if it isn't there.

    Without `cache_dir`: $REFERENCE_CACHE, else finetuning-reference in $XDG_CACHE_HOME or in
    ~/.cache. Any number of processes may call it at once. Leaves the global generators alone.
    Raises InputError where the folder is needed and can't be written.
    """
    folder = checkpoint_place(cache_dir)
    try:
        if not _whole(folder):
            _make(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: the embedded checkpoint can't be kept there ({error.strerror or error}); "
            "make room there, or set REFERENCE_CACHE to a folder that can be written to"
        ) from error
    return folder


def checkpoint_place(cache_dir: Path | None = None) -> Path:
    """Where the checkpoint's folder is, or will be made; see `checkpoint_folder`."""
    return (default_cache() if cache_dir is None else cache_dir) / _name()


def default_cache() -> Path:
    """The folder that the checkpoint is kept in where no other is asked for."""
    if own := os.environ.get("REFERENCE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path there is to be ignored.
    home = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~"), ".cache")
    return home / "finetuning-reference"


def _name() -> str:
    """A name made of all that decides the bytes, so that no stale folder is taken for this one."""
    # The JSON files are as the installed transformers and tokenizers write them: with their
    # versions in the name, two environments don't keep mending each other's folder.
    digest = hashlib.sha256()
    for library in ("transformers", "tokenizers"):
        digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    # The sources too, and not the two versions alone: who changes a source and forgets to raise a
    # version would go on with the old weights.
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return f"checkpoint-v{CHECKPOINT_VERSION}-corpus-v{CORPUS_VERSION}-{digest.hexdigest()[:12]}"


def _whole(folder: Path) -> bool:
    """Whether every file is there with the bytes that the manifest names."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return isinstance(manifest, dict) and all(
            _sha256((folder / name).read_bytes()) == manifest.get(name) for name in FILES
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return False


def _make(folder: Path) -> None:
    """Write the folder, or mend it, so that nobody ever reads a part of a file or of the whole."""
    contents = _contents()
    manifest = {name: _sha256(content) for name, content in contents.items()}
    contents[MANIFEST] = json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n"
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    part.mkdir()
    try:
        for name, content in contents.items():
            (part / name).write_bytes(content)
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # so the reason isn't that a folder is there already
                raise
            # Another process was faster, or the folder that is there is damaged. Every process
            # makes the same bytes, so single files can be replaced while somebody reads them. The
            # folder must not be moved away: another process may have just checked it.
            if not _whole(folder):
                for name in contents:
                    os.replace(part / name, folder / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _contents() -> dict[str, bytes]:
    """Every file but the manifest, by name; held in memory, so that writing can fail in one way."""
    # Imported here, so that the corpus and the learning rate can be had without PyTorch.
    from safetensors.torch import save
    from transformers import BertConfig, BertTokenizer

    from reference.lesson.embedded.weights import make_weights

    vocabulary = train_vocabulary(_training_texts())
    config = BertConfig(**CONFIG, architectures=["BertModel"], dtype="float32")
    tokenizer = BertTokenizer(vocab={token: i for i, token in enumerate(vocabulary)})
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    tokenizer_config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": CONFIG["max_position_embeddings"],
        **dict(zip(names, SPECIAL, strict=True)),
    }
    return {
        "config.json": config.to_json_string().encode(),
        "model.safetensors": save(make_weights(config), metadata={"format": "pt"}),
        "tokenizer.json": tokenizer.backend_tokenizer.to_str(pretty=True).encode(),
        "tokenizer_config.json": json.dumps(tokenizer_config, indent=2).encode() + b"\n",
        "vocab.txt": "".join(f"{token}\n" for token in vocabulary).encode(),
    }


def _training_texts() -> Iterable[str]:
    """The sentences of all train splits."""
    for task in EMBEDDED_TASKS:
        for name, column in make_split(task, "train").items():
            if name.startswith("sentence"):
                yield from map(str, column)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
