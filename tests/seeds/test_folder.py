"""A folder of seeds as it is read: what isn't as it was written is named."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread

from reference.cli.main import main
from reference.seeds.folder import PLAN, read_seeds
from tests.helpers.refusal import refusal, says
from tests.helpers.seed_folders import recipe, write_seed, write_seeds

SEEDS = {42: 0.90, 43: 0.88, 44: 0.91, 46: 0.92}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_seeds(tmp_path / "run", SEEDS)


def test_it_is_read_as_it_was_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "unfinished-1" / "47").mkdir(parents=True)
    (folder / "048").mkdir()  # no seed's name
    assert read_seeds(folder).values("accuracy") == [*SEEDS.values()]
    assert main(["seeds", str(folder)]) == 0
    out = capsys.readouterr().out
    says(out, "score ", "mean (95 %)", "0.9025", "4 seeds: 42 to 44, 46; one more lies")
    says(out, "probability of 60 %", f"seeds: {folder}")


def test_its_json_has_all_seeds_and_no_folder_s_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"data": str(tmp_path), "checkpoint": str(tmp_path)}
    folder = write_seeds(tmp_path / "run", SEEDS, **names)
    assert main(["seeds", str(folder), "--json"]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path) not in out
    said = json.loads(out)
    assert said["recipe"]["data"] == said["data"]["source"] == "a folder"
    assert said["recipe"]["checkpoint"] == said["checkpoint"]["name"] == "a folder"
    assert said["data"]["sha256"] == "rows"
    assert "seed" not in said["recipe"]
    assert [each["seed"] for each in said["seeds"]] == [*SEEDS]
    assert said["statistics"]["accuracy"]["highest"] == 0.92
    assert said["coverage"] == 3 / 5
    for field in ("processor", "commit", "date", "versions", "device", "loop"):
        assert said[field], field


def test_a_package_s_checkpoint_keeps_its_name(tmp_path: Path) -> None:
    folder = write_seeds(tmp_path / "run", SEEDS, checkpoint="minilm")
    assert read_seeds(folder).to_json()["checkpoint"]["name"] == "minilm"


@pytest.mark.parametrize(
    ("instead", "parts"),
    [
        ({"data": {"source": "embedded", "sha256": "others"}}, ("field data.sha256", "'others'")),
        ({"versions": {"torch": "9.9"}}, ("field versions.torch", "'9.9'")),
        ({"device": "H200"}, ("field device", "'H200', and 'cpu'")),
        ({"checkpoint": None}, ("field checkpoint", "missing")),
    ],
)
def test_a_seed_of_something_else_is_named(
    instead: dict[str, object], parts: tuple[str, ...], folder: Path
) -> None:
    write_seed(folder, recipe(seed=44), {"accuracy": 1.0, "f1": 1.0}, **instead)
    says(refusal(lambda: read_seeds(folder)), "44", *parts)


def test_a_seed_under_another_s_name_is_named(folder: Path) -> None:
    (folder / "46").rename(folder / "45")
    says(refusal(lambda: read_seeds(folder)), "45", "field recipe.seed: 46, and 45")


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("44/metrics.json", "{", ("not readable",)),
        ("44/metrics.json", "[]", ("field scores: missing",)),
        ("44/metrics.json", '{"scores": 1, "scores": 2}', ("scores: given twice",)),
        (
            "44/metrics.json",
            '{"scores": {"accuracy": "x", "f1": 1}, "final_loss": 1, "weights": "h"}',
            ("field scores", "not one number for each"),
        ),
        (
            "44/metrics.json",
            '{"scores": {"accuracy": 1}, "final_loss": 1, "weights": "h"}',
            ("field scores", "not one number for each"),
        ),
        (
            "44/metrics.json",
            '{"scores": {"accuracy": 1, "f1": NaN}, "final_loss": 1, "weights": "h"}',
            ("field scores", "not one number for each"),
        ),
        ("44/ledger.jsonl", "", ("44/ledger.jsonl: empty",)),
        (PLAN, "{}", ("seeds.json", "field loop: missing")),
    ],
)
def test_what_is_damaged_is_named(
    name: str, content: str, parts: tuple[str, ...], folder: Path
) -> None:
    (folder / name).write_text(content)
    says(refusal(lambda: read_seeds(folder)), *parts)


def test_a_seed_that_lost_its_scores_is_named(folder: Path) -> None:
    (folder / "44" / "metrics.json").unlink()
    says(refusal(lambda: read_seeds(folder)), "44: has no metrics.json", "train again")


def test_too_few_seeds_and_other_folders_are_refused(tmp_path: Path) -> None:
    one = write_seeds(tmp_path / "one", {42: 0.9})
    says(refusal(lambda: read_seeds(one)), "1 finished seeds", "no spread")
    says(refusal(lambda: read_seeds(tmp_path)), "no folder of seeds", "reference seeds")
    (tmp_path / "file").write_text("mine")
    for name in ("nix", "file"):
        says(refusal(lambda name=name: read_seeds(tmp_path / name)), "no folder of seeds")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("A --n 3", ("--n:", "leave it out")),
        ("A --lr 3e-5", ("--learning-rate:", "leave it out")),
        ("A --run-dir x", ("--run-dir:",)),
        ("A --margin 0.1", ("--margin:", "two folders")),
        ("--margin 0.1", ("--margin:", "two folders")),
        ("A A A", ("3 folders",)),
        ("--n 1", ("--n:", "1 is not in the range")),
        ("--loop manaul", ("unknown loop", "manual")),
        ("--fsdp full_shard", ("fsdp",)),
    ],
)
def test_words_that_make_no_sense(
    words: str, parts: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["seeds", *words.replace("A", str(folder)).split()]) == 2
    says(capsys.readouterr().err, *parts)


def test_the_picture_is_600_pixels_wide_and_in_two_formats(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_seeds(tmp_path / "other", {42: 0.7, 43: 0.71}, learning_rate=5e-3)
    for folders in ([folder], [folder, other]):
        main(["seeds", *map(str, folders), "--plot"])
        png, svg = (folder / f"seeds.{kind}" for kind in ("png", "svg"))
        assert capsys.readouterr().out.splitlines()[-2:] == [str(png), str(svg)]
        assert imread(png).shape[1] == 600
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        png.unlink()
