"""The embedded checkpoint's folder: made from code, kept in a cache, remade when damaged.

    python -m reference env

A manifest with the SHA-256 of each file is written last, and looked at in every call. It is built
in a folder of its own and renamed into place, so that two processes can make it at once.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import tokenizers
from safetensors.torch import save
from transformers import BertTokenizerFast

from reference.embedded.corpus import CORPUS_VERSION, EMBEDDED_TASKS, make_split
from reference.embedded.vocabulary import train_vocabulary
from reference.embedded.weights import CONFIG, make_config, make_weights
from reference.errors import InputError

CHECKPOINT_VERSION = 1  # raise it when the code makes other bytes
MANIFEST = "manifest.json"


def checkpoint_folder(cache_dir: Path | None = None) -> Path:
    """The folder with `config.json`, `model.safetensors` and the tokenizer; made if need be.

    In `cache_dir`, or REFERENCE_CACHE, or the user's cache. Raises InputError where that folder
    can't be written.
    """
    folder = (cache_dir or _default_cache()) / _name()
    if _is_whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        built = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
        try:
            _build(built)
            _install(built, folder)
        finally:
            shutil.rmtree(built, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{folder}: the embedded checkpoint can't be kept there ({error.strerror}); set "
            "REFERENCE_CACHE to a folder that can be written"
        ) from None
    return folder


def _default_cache() -> Path:
    if "REFERENCE_CACHE" in os.environ:
        return Path(os.environ["REFERENCE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "finetuning-reference"


def _name() -> str:
    """Named by all that the bytes depend on; `tokenizers` writes the tokenizer's file."""
    made_by = json.dumps([CORPUS_VERSION, CONFIG, tokenizers.__version__], sort_keys=True)
    return f"embedded-{CHECKPOINT_VERSION}-{hashlib.sha256(made_by.encode()).hexdigest()[:8]}"


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.iterdir() if p.name != MANIFEST)
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _is_whole(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return bool(manifest) and bool(manifest == _digests(folder))
    except (OSError, ValueError):
        return False


def _build(folder: Path) -> None:
    texts: list[str] = []
    for task in EMBEDDED_TASKS:
        columns = make_split(task, "train")
        texts += [str(t) for name in columns if "sentence" in name for t in columns[name]]
    vocabulary = train_vocabulary(texts)
    ids = {token: number for number, token in enumerate(vocabulary)}
    config = make_config(len(vocabulary))
    tokenizer = BertTokenizerFast(
        vocab=ids, do_lower_case=True, model_max_length=config.max_position_embeddings
    )
    tokenizer.save_pretrained(folder)
    config.save_pretrained(folder)
    weights = make_weights(config)
    (folder / "model.safetensors").write_bytes(save(weights, metadata={"format": "pt"}))
    (folder / MANIFEST).write_text(json.dumps(_digests(folder), indent=2) + "\n")


def _install(built: Path, folder: Path) -> None:
    """Rename into place. A whole one that came first stays; a damaged one goes."""
    for _ in range(100):
        try:
            os.rename(built, folder)
            return
        except OSError:
            if _is_whole(folder):
                return
            if not folder.exists():
                continue
            damaged = Path(tempfile.mkdtemp(prefix=f"{folder.name}-damaged-", dir=folder.parent))
            try:
                os.rename(folder, damaged / "was")
            except FileNotFoundError:
                pass  # another process took it away first
            finally:
                shutil.rmtree(damaged, ignore_errors=True)
    raise InputError(f"{folder}: others keep making it anew; remove it and try again")
