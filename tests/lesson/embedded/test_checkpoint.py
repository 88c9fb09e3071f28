"""The embedded checkpoint: its bytes, what it loads as, and that it learns."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from reference.lesson.embedded import LEARNING_RATE, checkpoint, checkpoint_folder, make_split
from reference.lesson.embedded.vocabulary import SPECIAL, train_vocabulary

# A change here is a change of the checkpoint: raise CHECKPOINT_VERSION with it. Only files whose
# bytes this project writes are pinned; the others are as the installed libraries write them.
PINNED = {
    "model.safetensors": "667a1f7c14748ae94bcf13f6985351c3f6c71704a4abed532ef25506df316a13",
    "vocab.txt": "a59e83042769c3940f4cd1ddcb6eb12662dd4b0a8d6a4a04e38e745ea4ae8b70",
}


def test_bytes(contents: dict[str, bytes]) -> None:
    assert checkpoint.CHECKPOINT_VERSION == 1
    assert {name: hashlib.sha256(contents[name]).hexdigest() for name in PINNED} == PINNED


def test_bytes_in_another_process_with_another_hash_seed(
    tmp_path: Path, contents: dict[str, bytes]
) -> None:
    """And on four threads; and without a word on stdout or stderr."""
    code = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(4);"
        "from reference.lesson.embedded import checkpoint_folder;"
        "checkpoint_folder(Path(sys.argv[1]))"
    )
    root = str(Path(__file__).parents[3])
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "17", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout + result.stderr == ""
    (made,) = tmp_path.iterdir()
    assert {name: (made / name).read_bytes() for name in contents} == contents


def test_vocabulary(contents: dict[str, bytes]) -> None:
    tokens = contents["vocab.txt"].decode().splitlines()
    assert tokens[:5] == list(SPECIAL)
    assert len(tokens) == len(set(tokens)) == 2000
    assert any(token.startswith("##") and len(token) > 4 for token in tokens)
    assert set("abcdefghijklmnopqrstuvwxyz0123456789!?;") <= set(tokens)
    texts = list(checkpoint._training_texts())
    assert train_vocabulary(texts) == train_vocabulary(reversed(texts)) == tokens


def test_it_loads_as_a_pretrained_base_does(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, output_loading_info=True
    )
    assert sorted(info["missing_keys"]) == ["classifier.bias", "classifier.weight"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert model.config.vocab_size == len(tokenizer) == 2000
    assert model.config.max_position_embeddings == tokenizer.model_max_length == 512
    batch = tokenizer("The PIE 's crust", "the pie", return_tensors="pt")
    assert list(batch) == ["input_ids", "token_type_ids", "attention_mask"]
    words = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
    assert words[:2] == ["[CLS]", "the"]
    assert words.count("[SEP]") == 2
    assert "[UNK]" not in words
    assert model(**batch).logits.shape == (1, 2)


def test_the_first_layer_attends_to_equal_words_of_the_other_sentence(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    pair = make_split("mrpc", "validation")
    row = pair["label"].index(1)
    batch = tokenizer(pair["sentence1"][row], pair["sentence2"][row], return_tensors="pt")
    attention = model.eval()(**batch, output_attentions=True).attentions[0][0, 0]
    ids, segments = batch["input_ids"][0], batch["token_type_ids"][0]
    counterpart = (ids[:, None] == ids) & (segments[:, None] != segments)
    has = counterpart.any(1)
    assert has.sum() > 10
    assert (attention * counterpart).sum(1)[has].mean() > 0.5


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    def states() -> list[Any]:
        return [
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
        ]

    before = states()
    checkpoint_folder(tmp_path)
    assert states() == before


# --- It learns -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("task", "least"), [("mrpc", 0.85), ("sst2", 0.85)])
@pytest.mark.parametrize("seed", [42, 1, 2])
def test_it_learns(folder: Path, task: str, least: float, seed: int) -> None:
    """Three epochs of batches of 8 with a plain loop: 15 to 30 s each on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert _train(folder, task, seed) >= least
    finally:
        torch.set_num_threads(threads)


def _train(folder: Path, task: str, seed: int) -> float:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).train()
    texts = ("sentence1", "sentence2") if task == "mrpc" else ("sentence",)

    def batch(rows: dict[str, Any], picked: list[int]) -> Any:
        columns = [[rows[name][i] for i in picked] for name in texts]
        return tokenizer(*columns, padding=True, return_tensors="pt")

    train, validation = make_split(task, "train"), make_split(task, "validation")
    total = 3 * -(-len(train["label"]) // 8)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, weight_decay=0.0, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 - done / total)
    for _ in range(3):
        for picked in torch.randperm(len(train["label"])).split(8):
            labels = torch.tensor([train["label"][i] for i in picked])
            model(**batch(train, picked.tolist()), labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        rows = range(len(validation["label"]))
        found = model(**batch(validation, list(rows))).logits.argmax(-1)
    return float((found == torch.tensor(validation["label"])).float().mean())
