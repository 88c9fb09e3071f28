"""A checkpoint so small that a command on it takes a moment."""

from collections.abc import Sequence
from pathlib import Path

from transformers import BertConfig, BertModel


def write_bert(folder: Path, words: Sequence[str], positions: int) -> None:
    """A BERT of one layer, 16 wide, as `save_pretrained` leaves it, and its vocabulary."""
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(folder)
