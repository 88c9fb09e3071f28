"""Parquet and saved datasets of no use, damaged ones above all: refused in one line."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_from_disk

from reference.cli.main import main
from reference.errors import InputError
from reference.lesson.data import readers
from reference.lesson.data.sources import check_source, load_raw
from reference.lesson.tasks import get_task
from tests.helpers.refusal import refusal, says
from tests.lesson.data.files import WRITERS, refused, splits, write_parquet, write_saved


@pytest.mark.parametrize("kind", ["parquet", "saved"])
@pytest.mark.parametrize(
    ("column", "values", "parts"),
    [
        ("label", [0, None, 1], ["row 2", "field label: missing"]),
        ("label", [0.0, 1.0, 1.0], ["row 1", "0.0 is neither a whole number"]),
        ("label", [0.5, 1.0, 1.0], ["row 1", "0.5 is neither a whole number"]),
        ("label", [0, 1, 7], ["row 3", "7 is out of range"]),
        ("label", [0, 1, -1], ["row 3", "-1 marks"]),
        ("label", [[0], [1], [0]], ["row 1", "[0] is neither"]),
        ("sentence", ["a", None, "c"], ["row 2", "field sentence: no text"]),
        ("sentence", [b"a", b"b", b"c"], ["row 1", "field sentence: no text"]),
        ("sentence", [1, 2, 3], ["row 1", "field sentence: no text"]),
        ("other", [1, 2, 3], ["no field 'label'", "sentence, other"]),
    ],
)
def test_values_of_other_types(
    kind: str, column: str, values: list[Any], parts: list[str], tmp_path: Path
) -> None:
    WRITERS[kind](tmp_path, "sst2", splits("sst2"))
    good: dict[str, Any] = {"sentence": ["a", "b", "c"], "label": [0, 1, 0]}
    bad = Dataset.from_dict(
        (good | {column: values})
        if column != "other"
        else {"sentence": good["sentence"], "other": values}
    )
    if kind == "parquet":
        bad.to_parquet(str(tmp_path / "train.parquet"))
    else:
        shutil.rmtree(tmp_path / "train")
        bad.save_to_disk(str(tmp_path / "train"))
    where = {"parquet": f"{tmp_path / 'train.parquet'}: ", "saved": f"{tmp_path}, train: "}[kind]
    says(refused(tmp_path), where, *parts)


@pytest.mark.parametrize("kind", ["parquet", "saved"])
def test_no_rows(kind: str, tmp_path: Path) -> None:
    empty = splits("sst2") | {"validation": {"sentence": [], "label": []}}
    WRITERS[kind](tmp_path, "sst2", empty)
    says(refused(tmp_path), "no rows")


def test_parquet_parts(tmp_path: Path) -> None:
    """Half of the rows would train as well, in silence."""
    WRITERS["hub-parquet"](tmp_path, "sst2", splits("sst2"))
    second = tmp_path / "train-00001-of-00002.parquet"
    content = second.read_bytes()
    second.write_bytes(content[:-9])
    says(refused(tmp_path), f"{second}: not a whole parquet file", "get it anew")
    second.unlink()
    says(refused(tmp_path), "train-00001-of-00002.parquet is missing")
    second.write_bytes(content)
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(content)
    says(refused(tmp_path), "train-00000-of-00002.parquet is not one of them")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "last byte": lambda content: content[:-1],
    "text": lambda _: b"sentence,label\n",
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_damaged_parquet_and_saved_dataset(fault: str, tmp_path: Path) -> None:
    write_parquet(tmp_path / "parquet", "sst2", splits("sst2"))
    write_saved(tmp_path / "saved", "sst2", splits("sst2"))
    for path in (
        "parquet/train.parquet",
        "saved/train/data-00000-of-00001.arrow",
        "saved/train/state.json",
        "saved/dataset_dict.json",
    ):
        file = tmp_path / path
        whole = file.read_bytes()
        file.write_bytes(DAMAGE[fault](whole))
        place = tmp_path / path if path.startswith("parquet") else tmp_path / "saved"
        says(refused(place.parent if place.suffix else place), f"{place}: not a ", "anew")
        file.write_bytes(whole)


def test_a_saved_dataset_with_flipped_bits_ends_no_process(tmp_path: Path) -> None:
    """Unvalidated, some of these kill Python outright. What is read is text, or refused."""
    write_saved(tmp_path, "sst2", splits("sst2"))
    file = tmp_path / "train" / "data-00000-of-00001.arrow"
    whole = file.read_bytes()
    refused = 0
    for position in range(400, len(whole) - 64, 23):
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        file.write_bytes(flipped)
        try:
            load_raw(get_task("sst2"), str(tmp_path))
        except InputError:
            refused += 1
    assert refused
    file.write_bytes(whole)
    assert len(load_from_disk(str(tmp_path))["train"]) == 9


ELSEWHERE = ["../../other.arrow", "/other.arrow", "..", "", "a\\b", "a\0b", 7, None]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_saved_dataset_that_names_files_elsewhere(name: object, tmp_path: Path) -> None:
    place = tmp_path / "saved"
    write_saved(place, "sst2", splits("sst2"))
    (tmp_path / "other.arrow").write_bytes(
        (place / "train" / "data-00000-of-00001.arrow").read_bytes()
    )
    state = place / "train" / "state.json"
    whole = state.read_text()
    state.write_text(json.dumps(json.loads(whole) | {"_data_files": [{"filename": name}]}))
    says(refused(place), f"{state}: field _data_files: ", "is no file or folder beside it", "anew")
    says(refusal(lambda: check_source(get_task("sst2"), str(place))), f"{state}: ")
    state.write_text(whole)
    splits_file = place / "dataset_dict.json"
    splits_file.write_text(json.dumps({"splits": [name, "train", "validation"]}))
    says(refused(place), f"{splits_file}: field splits: ", "is no file or folder beside it")


@pytest.mark.parametrize("name", ["train/state.json", "train/dataset_info.json", "train/x.arrow"])
def test_a_saved_dataset_with_a_pipe_for_a_file(name: str, tmp_path: Path) -> None:
    write_saved(tmp_path, "sst2", splits("sst2"))
    arrow = tmp_path / "train" / "data-00000-of-00001.arrow"
    path = arrow if name.endswith(".arrow") else tmp_path / name
    path.unlink()
    os.mkfifo(path)
    says(refused(tmp_path), f"{path}: is a pipe or a device")


def test_a_saved_dataset_of_a_terabyte(tmp_path: Path) -> None:
    write_saved(tmp_path, "sst2", splits("sst2"))
    path = tmp_path / "train" / "data-00000-of-00001.arrow"
    os.truncate(path, 1 << 40)
    says(refused(tmp_path), f"{path}: larger than the 1,073,741,824 bytes")


def test_a_saved_format_has_no_say(tmp_path: Path) -> None:
    """One of NumPy made arrays of the rows, and one of pandas a frame."""
    write_saved(tmp_path, "sst2", splits("sst2"))
    state = tmp_path / "train" / "state.json"
    before = load_raw(get_task("sst2"), str(tmp_path))["train"][:]
    state.write_text(json.dumps(json.loads(state.read_text()) | {"_format_type": "numpy"}))
    assert load_raw(get_task("sst2"), str(tmp_path))["train"][:] == before


def test_parquet_of_more_rows_than_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of one value takes a few bytes, however many rows it has."""
    write_parquet(tmp_path, "sst2", splits("sst2"))
    path = tmp_path / "train.parquet"
    Dataset.from_dict({"sentence": ["a"] * 20_000, "label": [0] * 20_000}).to_parquet(str(path))
    monkeypatch.setattr(readers, "LARGEST", 64 * 10_000)
    says(refused(tmp_path), f"{path}: holds more than 640,000 bytes")
    monkeypatch.setattr(readers, "LARGEST", 64 * 40_000)
    assert len(load_raw(get_task("sst2"), str(tmp_path))["train"]) == 20_000


def test_parts_that_are_no_files_are_none(tmp_path: Path) -> None:
    WRITERS["hub-parquet"](tmp_path, "sst2", splits("sst2"))
    part = tmp_path / "train-00001-of-00002.parquet"
    part.unlink()
    os.mkfifo(part)
    says(refused(tmp_path), "train-00001-of-00002.parquet is missing")


def test_text_without_an_end(tmp_path: Path) -> None:
    WRITERS["csv"](tmp_path, "sst2", splits("sst2"))
    path = tmp_path / "train.csv"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    says(refused(tmp_path), f"{path}: larger than the 268,435,456 bytes")


def test_a_folder_that_would_be_taken_for_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`datasets` looks in the working directory first."""
    monkeypatch.chdir(tmp_path)
    WRITERS["csv"](tmp_path / "nyu-mll" / "glue", "sst2", splits("sst2"))
    task = get_task("sst2")
    for use in (load_raw, check_source):
        says(refusal(lambda use=use: use(task, "hub")), "nyu-mll/glue: a folder", "--data")
    assert main(["train", "manual", "--data", "hub"]) == 2
    assert main(["data", "--data", "hub", "--task", "sst2"]) == 2
    assert len(load_raw(task, "nyu-mll/glue")["train"]) == 9
