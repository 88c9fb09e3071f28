"""Every format of a data folder gives the same rows, to the character."""

from pathlib import Path

import pytest
from datasets import ClassLabel, DatasetDict, Value

from reference.lesson.data.sources import digest, load_raw
from reference.lesson.tasks import TASKS, get_task
from tests.helpers.refusal import says
from tests.lesson.data.files import (
    WRITERS,
    Rows,
    refused,
    splits,
    write_csv,
    write_saved,
    write_tsv,
)


def read(folder: Path, name: str) -> DatasetDict:
    return load_raw(get_task(name), str(folder))


def content(raw_datasets: DatasetDict) -> dict[str, Rows]:
    """All splits without `idx`, which must count the rows."""
    found = {split: dataset[:] for split, dataset in raw_datasets.items()}
    for columns in found.values():
        assert columns.pop("idx") == list(range(len(columns["label"])))
    return found


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_rows_that_were_written(
    kind: str, name: str, tmp_path: Path
) -> None:
    """RTE, QNLI and MNLI have label words in TSV, CoLA no header, MNLI its dev_matched."""
    written = splits(name)
    WRITERS[kind](tmp_path / TASKS[name].folder, name, written)
    raw_datasets = read(tmp_path, name)
    assert content(raw_datasets) == written
    assert list(raw_datasets) == ["train", "validation", "test"]
    for dataset in raw_datasets.values():
        classes = ClassLabel(names=list(TASKS[name].labels))
        assert dataset.features["label"] == (Value("float32") if name == "stsb" else classes)


@pytest.mark.parametrize("name", ["mrpc", "sst2"])
def test_formats_have_one_digest_and_other_rows_another(name: str, tmp_path: Path) -> None:
    digests = set()
    for kind, write in WRITERS.items():
        write(tmp_path / kind, name, splits(name))
        digests.add(digest(read(tmp_path / kind, name)))
    assert len(digests) == 1
    for column, value in ((TASKS[name].text[0], "other"), ("label", 1)):
        changed = splits(name)
        assert changed["train"][column][0] != value
        changed["train"][column][0] = value
        write_csv(tmp_path / f"other {column}", name, changed)
        digests.add(digest(read(tmp_path / f"other {column}", name)))
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["mrpc", "sst2", "cola"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_are_no_text(
    end: str, encoding: str, name: str, tmp_path: Path
) -> None:
    """CoLA has no header, so that a mark would end up in its first row."""
    write_tsv(tmp_path, name, splits(name), end, encoding)
    assert content(read(tmp_path, name)) == splits(name)


@pytest.mark.parametrize("kind", ["tsv", "csv"])
def test_a_last_row_without_a_line_end_counts(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, "sst2", splits("sst2"))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    assert content(read(tmp_path, "sst2")) == splits("sst2")


def test_csv_keeps_what_quotes_hold(tmp_path: Path) -> None:
    """In CSV, unlike TSV, quotes mean something: commas, doubled quotes, line ends within."""
    (tmp_path / "train.csv").write_bytes(b'sentence,label\r\n"a, ""b""\r\nc",1\r\nplain,0\r\n')
    (tmp_path / "dev.csv").write_bytes(b"label,sentence\n1,swapped\n")
    raw_datasets = read(tmp_path, "sst2")
    assert raw_datasets["train"]["sentence"][:] == ['a, "b"\r\nc', "plain"]
    assert raw_datasets["train"]["label"][:] == [1, 0]
    assert raw_datasets["validation"][0] == {"sentence": "swapped", "label": 1, "idx": 0}


def test_label_words_are_read_in_any_format(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("sentence,label\nx,positive\ny,negative\nz,1\n")
    (tmp_path / "dev.csv").write_text("sentence,label\nx,0\n")
    assert read(tmp_path, "sst2")["train"]["label"][:] == [1, 0, 1]


@pytest.mark.parametrize(
    ("name", "word", "number"),
    [
        ("rte", "entailment", 0),
        ("rte", "not_entailment", 1),
        ("qnli", "entailment", 0),
        ("mnli", "entailment", 0),
        ("mnli", "neutral", 1),
        ("mnli", "contradiction", 2),
    ],
)
def test_label_words_have_the_hubs_numbers(
    name: str, word: str, number: int, tmp_path: Path
) -> None:
    """Written out here, so that a swap in the table of tasks is seen."""
    task = get_task(name)
    row = ["x"] * len(task.text) + [word]
    text = "\t".join(task.tsv) + "\n" + "\t".join(row) + "\n"
    for stem in ("train", task.dev):
        (tmp_path / f"{stem}.tsv").write_text(text)
    assert read(tmp_path, name)["train"]["label"][:] == [number]


def test_mnli_takes_the_matched_files(tmp_path: Path) -> None:
    write_tsv(tmp_path, "mnli", splits("mnli"))
    other = {"validation": splits("mnli")["train"], "test": splits("mnli")["train"]}
    write_tsv(tmp_path / "other", "mnli", other)
    for stem in ("dev", "test"):
        (tmp_path / "other" / f"{stem}_matched.tsv").rename(tmp_path / f"{stem}_mismatched.tsv")
    assert content(read(tmp_path, "mnli")) == splits("mnli")


@pytest.mark.parametrize("place", ["SST-2", "sst2", "."])
def test_the_tasks_folder_is_found_under_either_name_or_is_it(place: str, tmp_path: Path) -> None:
    write_tsv(tmp_path / place, "sst2", splits("sst2"))
    write_csv(tmp_path / "MRPC", "mrpc", splits("mrpc"))  # another task's doesn't disturb
    assert content(read(tmp_path, "sst2")) == splits("sst2")


@pytest.mark.parametrize("kind", WRITERS)
def test_a_test_split_is_optional_and_may_have_labels(kind: str, tmp_path: Path) -> None:
    data = splits("sst2")
    test = data.pop("test")
    WRITERS[kind](tmp_path / "none", "sst2", data)
    assert list(read(tmp_path / "none", "sst2")) == ["train", "validation"]
    if kind != "tsv":  # GLUE's own has none
        WRITERS[kind](tmp_path / "some", "sst2", {**data, "test": {**test, "label": [1, 0, 1]}})
        assert read(tmp_path / "some", "sst2")["test"]["label"][:] == [1, 0, 1]


@pytest.mark.parametrize("stem", ["dev", "validation"])
def test_the_validation_split_has_two_names(stem: str, tmp_path: Path) -> None:
    write_csv(tmp_path, "sst2", splits("sst2"))
    (tmp_path / "validation.csv").rename(tmp_path / f"{stem}.csv")
    assert content(read(tmp_path, "sst2")) == splits("sst2")


def test_a_saved_dataset_may_name_its_labels_otherwise(tmp_path: Path) -> None:
    """Numbers count, not the names that somebody gave them."""
    write_saved(tmp_path / "RTE", "wnli", splits("wnli"))  # not_entailment is 0 in WNLI
    assert content(read(tmp_path, "rte")) == splits("wnli")


@pytest.mark.parametrize(
    ("name", "files", "both"),
    [
        ("mrpc", ["train.tsv", "dev.tsv", "validation.tsv"], "dev.tsv and validation.tsv"),
        ("mnli", ["train.csv", "dev_matched.csv", "dev.csv"], "dev_matched.csv and dev.csv"),
        (
            "mnli",
            ["train.parquet", "validation_matched-00000-of-00001.parquet", "validation.parquet"],
            "validation_matched-00000-of-00001.parquet and validation.parquet",
        ),
    ],
)
def test_two_files_for_one_split_are_refused(
    name: str, files: list[str], both: str, tmp_path: Path
) -> None:
    """Which one is meant can't be known, and the scores would be of either."""
    for file in files:
        (tmp_path / file).write_text("")
    says(refused(tmp_path, name), f"{tmp_path}: {both} for one validation split", "keep the one")


def test_two_splits_of_a_saved_dataset_for_one_are_refused(tmp_path: Path) -> None:
    data = {**splits("mnli"), "validation_matched": splits("mnli")["validation"]}
    write_saved(tmp_path / "mnli", "mnli", data)
    says(refused(tmp_path, "mnli"), "validation_matched and validation for one validation split")


def test_two_folders_of_one_task_are_refused(tmp_path: Path) -> None:
    for folder in ("MRPC", "mrpc"):
        write_csv(tmp_path / folder, "mrpc", splits("mrpc"))
    if not (tmp_path / "MRPC").samefile(tmp_path / "mrpc"):
        says(refused(tmp_path, "mrpc"), "MRPC and ", "mrpc: both hold mrpc", "--data")


def test_files_that_stand_beside_are_no_second_split(tmp_path: Path) -> None:
    """MNLI comes with mismatched splits, and nothing is read of a test split."""
    write_tsv(tmp_path, "mnli", splits("mnli"))
    for name in ("dev_mismatched.tsv", "test_mismatched.tsv", "test.tsv"):
        (tmp_path / name).write_bytes((tmp_path / "test_matched.tsv").read_bytes())
    assert content(read(tmp_path, "mnli")) == splits("mnli")
