"""A BERT and a corpus so small that a command on them takes a moment, and the commands."""

from pathlib import Path
from random import Random

import torch
from transformers import BertTokenizerFast

from tests.conftest import write_mrpc
from tests.helpers import bert

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d the he said it ##s ##d . , '".split()
LENGTH = 32


def write_bert(folder: Path) -> Path:
    """A checkpoint as `save_pretrained` leaves it, with all files that a tokenizer may have."""
    folder.mkdir()
    torch.manual_seed(0)
    bert.write_bert(folder, WORDS, LENGTH)
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def write_data(folder: Path) -> Path:
    """Pairs in GLUE's layout: 12 to train on, 6 to evaluate on."""
    return write_mrpc(folder, 12, 6)


def options(data: Path, bert: Path) -> list[str]:
    """What a command on them needs."""
    small = ["--max-length", str(LENGTH), "--device", "cpu", "--num-threads", "1"]
    return ["--data", str(data), "--checkpoint", str(bert), *small]


def command(rng: Random, run_dir: Path) -> tuple[list[str], Path | None]:
    """`data`, or the training of one step into a folder; with the folder."""
    if rng.random() < 0.7:
        return ["data"], None
    return ["train", "manual", "--max-steps", "1", "--run-dir", str(run_dir)], run_dir
