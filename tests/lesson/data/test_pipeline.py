"""The shared pipeline: columns, shapes, padding, order and windows.

The tokenizer and the corpus are the embedded ones, so that nothing is fetched.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.data_loader import SeedableRandomSampler
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from reference.lesson.checkpoints import load_tokenizer
from reference.lesson.data.pipeline import (
    COLUMNS,
    Data,
    SeededSampler,
    get_dataloaders,
    load_data,
    windows,
)
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import COURSE
from reference.lesson.tasks import get_task
from tests.lesson.data.files import splits, write_csv

PLAIN = settings(deadline=None, max_examples=60)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(Recipe())


@pytest.fixture(scope="module", params=["mrpc", "sst2"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A pair task and a single-sentence one: 19 rows of every length."""
    folder = tmp_path_factory.mktemp("data")
    rows = {"label": [i % 2 for i in range(19)]}
    texts = {
        name: ["word " * (i * 7 % 23) for i in range(19)] for name in get_task(request.param).text
    }
    write_csv(folder, request.param, {"train": texts | rows, "validation": texts | rows})
    return load_data(Recipe(task=request.param, data=str(folder)))


def tokens(lengths: list[int]) -> Dataset:
    """Rows of so many tokens each, no two alike, as the pipeline leaves them."""
    return Dataset.from_dict(
        {
            "input_ids": [[7 + i] * n for i, n in enumerate(lengths)],
            "token_type_ids": [[0] * (n // 2) + [1] * (n - n // 2) for n in lengths],
            "attention_mask": [[1] * n for n in lengths],
            "labels": [i % 2 for i in range(len(lengths))],
        }
    ).with_format("torch")


def data(dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Data:
    collator = DataCollatorWithPadding(tokenizer)
    return Data(get_task("mrpc"), dataset, dataset, tokenizer, collator, "")


def test_columns_are_the_models(loaded: Data) -> None:
    assert COLUMNS == ["attention_mask", "input_ids", "labels", "token_type_ids"]
    for split in (loaded.train, loaded.validation):
        assert sorted(split.column_names) == COLUMNS
        assert all(isinstance(split[0][name], torch.Tensor) for name in COLUMNS)


def test_shapes_of_batches(loaded: Data) -> None:
    """The lesson's look: three tensors (8, L), labels (8,); 19 rows are 8 + 8 + 3."""
    for dataloader in get_dataloaders(Recipe(), loaded):
        batches = list(dataloader)
        assert [len(batch["labels"]) for batch in batches] == [8, 8, 3]
        for batch in batches:
            n = len(batch["labels"])
            length = int(batch["attention_mask"].sum(dim=1).max())
            shapes = {name: tuple(tensor.shape) for name, tensor in batch.items()}
            assert shapes.pop("labels") == (n,)
            assert shapes == dict.fromkeys(set(COLUMNS) - {"labels"}, (n, length))
            assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_sentences_of_a_pair_are_told_apart(loaded: Data) -> None:
    cls, sep = loaded.tokenizer.cls_token_id, loaded.tokenizer.sep_token_id
    pair = len(loaded.task.text) == 2
    for row in loaded.validation:
        ids, types = row["input_ids"].tolist(), row["token_type_ids"].tolist()
        first = ids.index(sep) + 1
        assert ids[0] == cls
        assert ids.count(sep) == (2 if pair else 1)
        assert types == [0] * first + [1] * (len(ids) - first)
        assert (first < len(ids)) == pair


def test_labels_and_rows_keep_their_order(loaded: Data) -> None:
    assert loaded.validation["labels"][:].tolist() == [i % 2 for i in range(19)]
    for i, row in enumerate(loaded.validation):
        texts = [["word " * (i * 7 % 23)]] * len(loaded.task.text)
        assert row["input_ids"].tolist() == loaded.tokenizer(*texts)["input_ids"][0]


def test_truncation_and_splits(tmp_path: Path) -> None:
    write_csv(tmp_path, "mrpc", splits("mrpc"))
    cut = load_data(Recipe(data=str(tmp_path), max_length=10))
    whole = load_data(Recipe(data=str(tmp_path)))
    assert max(len(row["input_ids"]) for row in whole.train) > 10
    assert max(len(row["input_ids"]) for row in cut.train) == 10
    assert cut.digest == whole.digest  # of the raw text
    assert (len(whole.train), len(whole.validation)) == (9, 5)


@PLAIN
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=20), batch_size=st.integers(1, 9))
def test_padding_is_minimal_and_the_mask_agrees(
    tokenizer: PreTrainedTokenizerBase, lengths: list[int], batch_size: int
) -> None:
    dataset = tokens(lengths)
    recipe = Recipe(eval_batch_size=batch_size)
    _, eval_dataloader = get_dataloaders(recipe, data(dataset, tokenizer))
    row = 0
    for batch in eval_dataloader:
        size, width = batch["input_ids"].shape
        assert width == max(lengths[row : row + size])
        for i in range(size):
            n = lengths[row]
            assert batch["attention_mask"][i].tolist() == [1] * n + [0] * (width - n)
            pad = [tokenizer.pad_token_id] * (width - n)
            assert batch["input_ids"][i].tolist() == [7 + row] * n + pad
            assert batch["token_type_ids"][i, :n].equal(dataset[row]["token_type_ids"])
            assert batch["labels"][i] == row % 2
            row += 1
    assert row == len(lengths)


@PLAIN
@given(n=st.integers(1, 300), seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 50))
def test_the_seeded_order_is_accelerates(n: int, seed: int, epoch: int) -> None:
    """Two epochs on, by themselves and after `set_epoch`; the global generator isn't drawn from."""
    theirs = SeedableRandomSampler(list(range(n)), generator=torch.Generator(), data_seed=seed)
    ours = SeededSampler(n, seed)
    assert len(ours) == n
    for sampler in (theirs, ours):
        sampler.set_epoch(epoch)
    before = torch.get_rng_state()
    for _ in range(2):
        order = list(ours)
        assert order == list(theirs)
        assert sorted(order) == list(range(n))
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(
    ("order", "same"), [("seeded", False), ("global", False), ("sequential", True)]
)
def test_orders(order: str, same: bool, tokenizer: PreTrainedTokenizerBase) -> None:
    """All rows each time; shuffled anew in each epoch, by the recipe's seed or the global one."""
    rows = data(tokens([3] * 50), tokenizer)
    epochs = []
    for seed in (42, 42, 43):
        torch.manual_seed(seed)
        train, _ = get_dataloaders(Recipe(data_order=order, seed=seed), rows)
        for _ in range(2):
            epochs.append([int(i) for batch in train for i in batch["input_ids"][:, 0]])
    assert all(sorted(epoch) == list(range(7, 57)) for epoch in epochs)
    assert epochs[0] == epochs[2]
    assert (epochs[0] == epochs[4]) == same
    assert (epochs[0] == epochs[1]) == same


@PLAIN
@given(batches=st.integers(0, 40), size=st.integers(1, 12))
def test_windows(batches: int, size: int) -> None:
    """Every batch once, in order; all windows full but the last of an epoch."""
    rows: Any = list(range(batches))
    dataloader: Any = DataLoader(rows, batch_size=None)
    found = list(windows(dataloader, size))
    assert [batch for window in found for batch in window] == list(range(batches))
    assert all(len(window) == size for window in found[:-1])
    assert not found or 1 <= len(found[-1]) <= size


def test_the_lessons_number_of_steps(tokenizer: PreTrainedTokenizerBase) -> None:
    """1377 out of 3,668 pairs, batches of 8 and 3 epochs: 458 batches, one of 4, three times."""
    train_dataloader, _ = get_dataloaders(COURSE, data(tokens([1] * 3668), tokenizer))
    assert len(train_dataloader) == 459
    assert COURSE.duration(len(train_dataloader)) == (3, 1377)
