"""Wrong data and checkpoints are refused in plain Python, before the slow imports."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from reference.lesson import embedded
from reference.lesson.recipe import Recipe
from reference.run.inputs import check_inputs
from tests.conftest import ROOT, write_mrpc
from tests.helpers.refusal import refusal, says

SLOW = {"torch", "transformers", "datasets", "evaluate", "accelerate", "numpy", "pyarrow"}
# Recipes come in, one a line; out goes what each is refused with, and then what was imported.
CHECK = f"""
import json, sys
from reference.errors import InputError
from reference.lesson.recipe import Recipe
from reference.run.inputs import check_inputs

for line in sys.stdin:
    try:
        check_inputs(Recipe(**json.loads(line)))
        print("of use")
    except InputError as error:
        print(error)
print(sorted({SLOW} & set(sys.modules)))
"""


def last_row(cells: str) -> Callable[[Path], Recipe]:
    """A file of training rows whose last one is this."""

    def make(folder: Path) -> Recipe:
        write_mrpc(folder, 3, 2)
        with open(folder / "MRPC" / "train.tsv", "a", encoding="utf-8") as file:
            file.write(cells)
        return Recipe(data=str(folder))

    return make


def without(name: str) -> Callable[[Path], Recipe]:
    """The embedded checkpoint without one of its files."""

    def make(folder: Path) -> Recipe:
        shutil.copytree(embedded.checkpoint_folder(), folder)
        for path in folder.glob(name):
            path.unlink()
        return Recipe(checkpoint=str(folder))

    return make


def empty(folder: Path) -> Recipe:
    folder.mkdir()
    return Recipe(data=str(folder))


def no_dev(folder: Path) -> Recipe:
    write_mrpc(folder, 3, 2)
    (folder / "MRPC" / "dev.tsv").unlink()
    return Recipe(data=str(folder))


def csv(folder: Path) -> Recipe:
    folder.mkdir()
    for name in ("train", "validation"):
        (folder / f"{name}.csv").write_text("sentence1,sentence2,label\na,b,1\nc,d,7\n")
    return Recipe(data=str(folder))


def xlnet(folder: Path) -> Recipe:
    recipe = without("nothing")(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "xlnet"}))
    return recipe


FAULTS: dict[str, tuple[Callable[[Path], Recipe], list[str]]] = {
    "an empty folder": (empty, ["no mrpc in it", "a saved dataset"]),
    "no validation split": (no_dev, ["MRPC: the validation split is missing", "dev.tsv"]),
    "too few fields": (last_row("1\t9\n"), ["train.tsv: row 5: 2 fields where 5"]),
    "a bad label": (last_row("2\t8\t8\ta\tb\n"), ["row 5: field label: 2 is out of range"]),
    "a bad label in CSV": (csv, ["train.csv: row 3: field label: 7 is out of range"]),
    "no folder": (lambda _: Recipe(data="nix"), ["nix: no such folder; --data takes"]),
    "no config": (without("config.json"), ["config.json: missing"]),
    "no weights": (without("model.safetensors"), ["no model.safetensors"]),
    "no tokenizer": (
        without("[tv]o*"),
        ["no tokenizer (tokenizer.json or vocab.txt or vocab.json)"],
    ),
    "another architecture": (xlnet, ["field model_type: 'xlnet'"]),
    "no checkpoint": (lambda _: Recipe(checkpoint="./nix"), ["./nix: no such folder"]),
    "an odd task": (lambda _: Recipe(task="rte"), ["'rte' has no embedded corpus"]),
    "too long": (lambda _: Recipe(max_length=513), ["513 is more than", "512 positions"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_is_refused_with_its_place(fault: str, tmp_path: Path) -> None:
    make, parts = FAULTS[fault]
    recipe = make(tmp_path / "it")
    says(refusal(lambda: check_inputs(recipe)), *parts)


def test_nothing_slow_is_imported_for_it(tmp_path: Path) -> None:
    recipes = [make(tmp_path / str(i)) for i, (make, _) in enumerate(FAULTS.values())]
    recipes += [Recipe(), without("nothing")(tmp_path / "good")]
    result = subprocess.run(
        [sys.executable, "-c", CHECK],
        input="".join(json.dumps(asdict(recipe)) + "\n" for recipe in recipes),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, imported = result.stdout.splitlines()
    assert imported == "[]"
    for line, (_, parts) in zip(lines, FAULTS.values(), strict=False):
        says(line, *parts)
    assert lines[len(FAULTS) :] == ["of use", "of use"]


def test_parquet_is_left_to_its_library(tmp_path: Path) -> None:
    """Which files there are is seen, and what stands in them isn't."""
    (tmp_path / "train.parquet").write_bytes(b"damaged")
    recipe = Recipe(data=str(tmp_path))
    says(refusal(lambda: check_inputs(recipe)), "the validation split is missing")
    (tmp_path / "validation.parquet").write_bytes(b"damaged")
    check_inputs(recipe)
