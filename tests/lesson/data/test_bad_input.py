"""Data of no use: one line that names file, row and field, and says what to do."""

from pathlib import Path
from typing import Any

import pytest

from reference.lesson.data.sources import load_raw
from reference.lesson.tasks import get_task
from tests.helpers.refusal import refusal, says
from tests.lesson.data.files import WRITERS, refused, splits, write_csv, write_tsv

MEND = "mend or remove the row"


def broken(folder: Path, name: str, content: bytes) -> Path:
    """A good folder with one file that holds something else."""
    writer = write_csv if name.endswith(".csv") else write_tsv
    writer(folder, "sst2", splits("sst2"))
    assert (folder / name).is_file()
    (folder / name).write_bytes(content)
    return folder / name


HEADER = b"sentence\tlabel\n"
FILES = {
    "empty": ("train.tsv", b"", ["empty", "get SST-2's file anew"]),
    "empty but for a mark": ("dev.tsv", b"\xef\xbb\xbf", ["empty"]),
    "header alone": ("train.tsv", HEADER, ["no rows", "at least one"]),
    "header alone, dev": ("dev.tsv", HEADER, ["no rows"]),
    "header alone, test": ("test.tsv", b"index\tsentence\n", ["no rows"]),
    "no text column": ("train.tsv", b"text\tlabel\na\t1\n", ["row 1", "'sentence'", "text, label"]),
    "no label column": ("dev.tsv", b"sentence\na\n", ["row 1", "'label'", "SST-2's validation"]),
    "headless": ("train.tsv", b"so good\t1\n", ["row 1", "'sentence'", "so good, 1"]),
    "too few": ("train.tsv", HEADER + b"a\t1\nb\n", ["row 3", "1 fields where 2", "label", MEND]),
    "too many": ("dev.tsv", HEADER + b"a\tb\t1\n", ["row 2", "3 fields where 2", MEND]),
    "blank row": ("dev.tsv", HEADER + b"a\t1\n\nb\t0\n", ["row 3", "1 fields where 2", MEND]),
    "too few, test": ("test.tsv", b"index\tsentence\n0\n", ["row 2", "1 fields", MEND]),
    "not UTF-8": ("train.tsv", HEADER + b"a\t1\ncaf\xe9\t0\n", ["row 3", "save the file as UTF-8"]),
    "UTF-16": ("train.tsv", "sentence\tlabel\n".encode("utf-16"), ["row 1", "not UTF-8"]),
    "not a table": ("train.tsv", b"x" * 9999, ["row 1", "'sentence'"]),
    "CSV, empty": ("train.csv", b"", ["row 1: empty", "header"]),
    "CSV, header alone": ("validation.csv", b"sentence,label\n", ["no rows"]),
    "CSV, no text": ("train.csv", b"text,label\na,1\n", ["'sentence'", "text, label", "rename"]),
    "CSV, no label": ("train.csv", b"sentence\na\n", ["no field 'label'"]),
    "CSV, too few": ("train.csv", b"sentence,label\na,1\nb\n", ["row 3", "1 fields", "2", MEND]),
    "CSV, too many": ("train.csv", b"sentence,label\na,b,1\n", ["row 2", "3 fields", MEND]),
    "CSV, open quote": ("train.csv", b'sentence,label\na,1\n"b,0\n', ["row 3", "not CSV", "mend"]),
    "CSV, stray quote": ("train.csv", b'sentence,label\n"a"b,1\n', ["row 2", "not CSV", "mend"]),
    "CSV, not UTF-8": ("train.csv", b"sentence,label\n\xff,1\n", ["row 2", "UTF-8"]),
}


@pytest.mark.parametrize("fault", FILES)
def test_files(fault: str, tmp_path: Path) -> None:
    name, content, parts = FILES[fault]
    path = broken(tmp_path, name, content)
    line = refused(tmp_path)
    says(line, f"{path}: ", *parts)
    assert len(line) < len(str(path)) + 350


LABELS: dict[str, tuple[Any, str, list[str]]] = {
    "missing": ("", "train", ["missing", MEND]),
    "too high": ("2", "train", ["2 is out of range", "sst2 has 0 to 1", MEND]),
    "far below": ("-2", "validation", ["-2 is out of range"]),
    "-1 in train": ("-1", "train", ["-1 marks GLUE's unlabelled test split", "real train split"]),
    "-1 in validation": ("-1", "validation", ["real validation split"]),
    "a float": ("1.0", "train", ["'1.0'", "whole number from 0 to 1", "negative, positive", MEND]),
    "a word": ("good", "validation", ["'good'", "negative, positive", MEND]),
}


@pytest.mark.parametrize("kind", ["tsv", "csv"])
@pytest.mark.parametrize("fault", LABELS)
def test_labels_in_text(fault: str, kind: str, tmp_path: Path) -> None:
    value, split, parts = LABELS[fault]
    stem = {"tsv": "dev", "csv": "validation"}[kind] if split == "validation" else split
    tab = {"tsv": "\t", "csv": ","}[kind]
    rows = [("sentence", "label"), ("a", "1"), ("b", value), ("c", "0")]
    content = "".join(tab.join(row) + "\n" for row in rows).encode()
    path = broken(tmp_path, f"{stem}.{kind}", content)
    says(refused(tmp_path), f"{path}: row 3: field label: ", *parts)


def test_no_folder(tmp_path: Path) -> None:
    says(refused(tmp_path / "nix"), f"{tmp_path / 'nix'}: no such folder", "embedded, hub")


def test_a_folder_without_the_task(tmp_path: Path) -> None:
    write_tsv(tmp_path / "MRPC", "mrpc", splits("mrpc"))
    says(refused(tmp_path), "no sst2 in it", "SST-2/", "sst2/", ".tsv, .csv, .parquet")
    says(refused(tmp_path / "MRPC"), "train.tsv: row 1: no field 'sentence'", "SST-2's train file")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_is_missing(split: str, kind: str, tmp_path: Path) -> None:
    data = splits("sst2")
    del data[split]
    WRITERS[kind](tmp_path, "sst2", data)
    says(refused(tmp_path), f"{tmp_path}: the {split} split is missing")


def test_two_formats_at_once(tmp_path: Path) -> None:
    write_tsv(tmp_path, "sst2", splits("sst2"))
    write_csv(tmp_path, "sst2", splits("sst2"))
    says(refused(tmp_path), "GLUE's TSV and CSV", "keep the one that is meant")


def test_an_unlabelled_test_split_is_taken(tmp_path: Path) -> None:
    for kind, write in WRITERS.items():
        write(tmp_path / kind, "sst2", splits("sst2"))
        raw_datasets = load_raw(get_task("sst2"), str(tmp_path / kind))
        assert raw_datasets["test"]["label"][:] == [-1] * 3


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mprc", ["'mprc'", "did you mean mrpc?"]),
        ("sst-2", ["did you mean sst2?"]),
        ("sstb", ["did you mean stsb?", "mrpc", "classification"]),
        ("", ["unknown task", "mrpc"]),
    ],
)
def test_unknown_tasks(name: str, parts: list[str]) -> None:
    says(refusal(lambda: get_task(name)), *parts)
