"""GLUE's own files: every row of them, to the character. Skipped where the folder is absent."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import DatasetDict

from reference.lesson.data.sources import load_raw
from reference.lesson.tasks import get_task
from tests.conftest import GLUE

pytestmark = pytest.mark.real

Loader = Callable[[str], DatasetDict]
ROWS = {
    "mrpc": {"train": 3668, "validation": 408, "test": 1725},
    "sst2": {"train": 67349, "validation": 872, "test": 1821},
}
ONES = {
    "mrpc": {"train": 2474, "validation": 279},
    "sst2": {"train": 37569, "validation": 444},
}
FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


@pytest.fixture(scope="module")
def read() -> Loader:
    """A task's splits out of the files, read once."""
    found: dict[str, DatasetDict] = {}

    def load(name: str) -> DatasetDict:
        if name not in found:
            found[name] = load_raw(get_task(name), str(GLUE))
        return found[name]

    return load


def file(name: str, split: str) -> Path:
    return Path(GLUE / get_task(name).folder / FILES[split])


@pytest.mark.parametrize("name", ROWS)
def test_number_of_rows(name: str, read: Loader) -> None:
    assert {split: len(dataset) for split, dataset in read(name).items()} == ROWS[name]


@pytest.mark.parametrize("name", ROWS)
def test_labels(name: str, read: Loader) -> None:
    for split, ones in ONES[name].items():
        labels = read(name)[split]["label"][:]
        assert set(labels) == {0, 1}
        assert sum(labels) == ones
    assert set(read(name)["test"]["label"][:]) == {-1}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("split", FILES)
def test_texts_are_those_of_the_raw_lines(name: str, split: str, read: Loader) -> None:
    """Cut out of the bytes here, by the columns' places, with no reader between."""
    places: dict[str, dict[str, int]] = {
        "mrpc": {"label": 0, "sentence1": 3, "sentence2": 4},
        "sst2": {"sentence": 0, "label": 1} if split != "test" else {"sentence": 1},
    }
    lines = file(name, split).read_bytes().split(b"\n")[1:]
    cells = [line.removesuffix(b"\r").split(b"\t") for line in lines if line]
    dataset = read(name)[split]
    assert len(dataset) == len(cells)
    for column, place in places[name].items():
        raw: list[Any] = [row[place].decode() for row in cells]
        if column == "label":
            if split == "test":
                continue
            raw = [int(label) for label in raw]
        assert dataset[column][:] == raw


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_byte_order_mark_is_gone(split: str, read: Loader) -> None:
    assert file("mrpc", split).read_bytes().startswith(b"\xef\xbb\xbf")
    dataset = read("mrpc")[split]
    assert not any("\ufeff" in text for name in get_task("mrpc").text for text in dataset[name])


@pytest.mark.parametrize(("split", "lost"), [("train", 90), ("validation", 15)])
def test_stray_quotes_are_text(split: str, lost: int, read: Loader) -> None:
    """A reader that honours them takes several rows for one."""
    with open(file("mrpc", split), encoding="utf-8-sig", newline="") as lines:
        honoured = sum(1 for _ in csv.reader(lines, delimiter="\t")) - 1
    dataset = read("mrpc")[split]
    assert len(dataset) - honoured >= lost
    quotes = sum(text.count('"') for name in get_task("mrpc").text for text in dataset[name])
    assert quotes == file("mrpc", split).read_bytes().count(b'"') > 0


@pytest.mark.parametrize("split", ["train", "validation"])
def test_sentences_of_sst2_end_in_a_space(split: str, read: Loader) -> None:
    assert all(text.endswith(" ") for text in read("sst2")[split]["sentence"])
