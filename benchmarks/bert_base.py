"""A BERT-base made from its configuration: the size of the lesson's checkpoint, with no network.

python -m pytest benchmarks -m slow -k bert-base -s

Its weights are drawn from a seed and know nothing, which costs as much time as if they did.
"""

import shutil
from pathlib import Path

from transformers import BertConfig, BertModel, set_seed

from reference import embedded

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
