"""Checkpoints of several architectures, made from configurations, with tokenizers made in code."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AlbertTokenizer,
    AutoModel,
    BertTokenizer,
    CamembertTokenizer,
    DebertaTokenizer,
    DebertaV2Tokenizer,
    DistilBertTokenizer,
    MPNetTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    XLMRobertaTokenizer,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from reference.lesson import embedded

POSITIONS = 40
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
}


@cache
def texts() -> list[str]:
    """Sentences that the tokenizers are made of."""
    rows = embedded.make_split("mrpc", "train")
    return [str(text) for text in rows["sentence1"][:400]]


def wordpieces() -> list[str]:
    """The embedded checkpoint's vocabulary, special tokens first."""
    return (embedded.checkpoint_folder() / "vocab.txt").read_text().splitlines()


def _word_piece(kind: type[Any]) -> Callable[[], Any]:
    return lambda: kind(vocab={word: number for number, word in enumerate(wordpieces())})


def _mpnet() -> Any:
    words = ["<s>", "<pad>", "</s>", "[UNK]", *wordpieces()[5:], "<mask>"]
    return MPNetTokenizer(vocab={word: number for number, word in enumerate(words)})


def _bytes(special: Sequence[str]) -> Tokenizer:
    """A byte-level BPE of 400 tokens, the special ones first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def _byte_level(kind: type[Any], special: Sequence[str]) -> Callable[[], Any]:
    def make() -> Any:
        import json

        model = json.loads(_bytes(special).to_str())["model"]
        merges = [tuple(merge) for merge in model["merges"]]
        return kind(vocab=model["vocab"], merges=merges)

    return make


def _modernbert() -> Any:
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokenizer = _bytes(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "attention_mask"],
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
    )


def _unigram(kind: type[Any], special: Sequence[str]) -> Callable[[], Any]:
    def make() -> Any:
        words = Counter(word for text in texts() for word in text.lower().split())
        letters = sorted({letter for text in texts() for letter in text} - {" "})
        pieces = dict.fromkeys([f"▁{word}" for word, _ in words.most_common(200)], -5.0)
        pieces |= dict.fromkeys(["▁", *letters], -9.0)
        return kind(vocab=[*((token, 0.0) for token in special), *pieces.items()])

    return make


ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
# By `model_type`: what makes the tokenizer, and the fields beside (or in place of) SIZES.
ENCODERS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "bert": (_word_piece(BertTokenizer), {}),
    "distilbert": (
        _word_piece(DistilBertTokenizer),
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48},
    ),
    "electra": (_word_piece(BertTokenizer), {"embedding_size": 16}),
    "roberta": (_byte_level(RobertaTokenizer, ROBERTA), {"type_vocab_size": 1}),
    "deberta": (
        _byte_level(DebertaTokenizer, ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]),
        {
            "type_vocab_size": 0,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "position_biased_input": False,
            "pooler_hidden_size": 32,
        },
    ),
    "deberta-v2": (
        _unigram(DebertaV2Tokenizer, ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]),
        {
            "type_vocab_size": 0,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "position_biased_input": False,
            "pooler_hidden_size": 32,
        },
    ),
    "modernbert": (_modernbert, {"local_attention": 8, "global_attn_every_n_layers": 2}),
    "albert": (
        _unigram(AlbertTokenizer, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]),
        {"embedding_size": 16},
    ),
    "mpnet": (_mpnet, {}),
    "xlm-roberta": (
        _unigram(XLMRobertaTokenizer, ["<s>", "<pad>", "</s>", "<unk>"]),
        {"type_vocab_size": 1},
    ),
    "camembert": (
        _unigram(CamembertTokenizer, ["<s>", "<pad>", "</s>", "<unk>"]),
        {"type_vocab_size": 1},
    ),
}


def make_base(kind: str, tokenizer: Any) -> PreTrainedModel:
    """A small encoder without a head, of weights drawn from seed 0."""
    _, fields = ENCODERS[kind]
    sizes = {} if kind == "distilbert" else SIZES
    config = CONFIG_MAPPING[kind](
        **{**sizes, "max_position_embeddings": POSITIONS, **fields},
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModel.from_config(config)
    return model


def write_encoder(folder: Path, kind: str) -> Path:
    """A checkpoint of an architecture, as `save_pretrained` leaves it; gives the folder."""
    tokenizer = ENCODERS[kind][0]()
    make_base(kind, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
