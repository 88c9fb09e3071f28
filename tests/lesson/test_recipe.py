"""The recipe: every field's nonsense is refused by name, and a run's file gives the run back."""

import dataclasses
import json
import math
import os
import typing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.cli.main import main
from reference.errors import InputError
from reference.ledger.ledger_path import find_ledger
from reference.lesson.checkpoints import find_checkpoint
from reference.lesson.data.sources import check_source
from reference.lesson.recipe import ALIASES, FIELDS, Recipe, parse_field
from reference.lesson.recipe_fields import GROUPS, about
from reference.lesson.recipe_sources import COURSE, COURSE_AS_WRITTEN, RECIPES, load_recipe
from reference.lesson.tasks import TASKS
from reference.messages import near
from reference.process.run_folder import check_run_dir
from reference.run.inputs import check_inputs
from tests.helpers.refusal import refusal, says

NONSENSE: list[tuple[str, Any, str]] = [
    ("train_batch_size", 0, "1 or more"),
    ("train_batch_size", -8, "1 or more"),
    ("eval_batch_size", 0, "1 or more"),
    ("num_train_epochs", 0, "1 or more"),
    ("num_train_epochs", -1, "1 or more"),
    ("max_steps", 0, "-1 for all epochs"),
    ("max_steps", -2, "-1 or more"),
    ("max_length", 3, "4 or more"),
    ("eval_strategy", "never", "no, epoch"),
    ("eval_steps", 0, "1 or more"),
    ("seed", -1, "0 or more"),
    ("seed", 2**32, "at most 4294967295"),
    ("seed", 10**400, "at most 4294967295"),
    ("max_steps", 2**31, "at most 2147483647"),
    ("num_train_epochs", 10**400, "at most 2147483647"),
    ("train_batch_size", 2**63, "at most 2147483647"),
    ("max_length", 2**31, "at most 2147483647"),
    ("num_threads", 2**31 - 1, "at most 1024"),
    ("learning_rate", 10**400, "above 0"),
    ("weight_decay", 2 * 10**308, "0 or more"),
    ("learning_rate", 0.0, "above 0"),
    ("learning_rate", -5e-5, "above 0"),
    ("learning_rate", math.nan, "nan makes no sense"),
    ("learning_rate", math.inf, "inf makes no sense"),
    ("accelerated_learning_rate", 0.0, "above 0"),
    ("accelerated_learning_rate", -3e-5, "above 0"),
    ("accelerated_learning_rate", math.nan, "nan makes no sense"),
    ("adam_beta1", 1.0, "below 1"),
    ("adam_beta1", -0.1, "0 or more"),
    ("adam_beta2", 1.0, "below 1"),
    ("adam_beta2", 1.5, "below 1"),
    ("adam_epsilon", 0.0, "above 0"),
    ("weight_decay", -0.01, "0 or more"),
    ("weight_decay", math.inf, "inf makes no sense"),
    ("max_grad_norm", -1.0, "0 or more"),
    ("max_grad_norm", math.nan, "nan makes no sense"),
    ("num_warmup_steps", -1, "0 or more"),
    ("gradient_accumulation_steps", 0, "1 or more"),
    ("dropout", 1.0, "at most 0.99"),
    ("dropout", -0.1, "0 or more"),
    ("num_threads", 0, "1 or more"),
    ("sharing", "wholes", "did you mean whole?"),
    ("fsdp", "full_shards", "did you mean full_shard?"),
    ("mixed_precision", "fp16", "use bf16 or no"),
    ("mixed_precision", "bf61", "did you mean bf16?"),
    ("device", "gpu", "auto, cpu, cuda"),
    ("device", "cpuu", "did you mean cpu?"),
    ("data_order", "shuffled", "seeded, global, sequential"),
    ("optimizer", "adamw", "did you mean adamw_torch?"),
]


@pytest.mark.parametrize(("field", "value", "part"), NONSENSE)
def test_a_value_that_makes_no_sense(field: str, value: Any, part: str) -> None:
    line = refusal(lambda: load_recipe("embedded", {field: value}))
    says(line, f"{field}: ", part)


@pytest.mark.parametrize("field", FIELDS)
def test_a_wrong_type(field: str) -> None:
    """True is no 1, text no number, and 8.0 no batch size."""
    wrong: list[Any] = [["x"], {}, True]
    if field != "accelerated_learning_rate":
        wrong.append(None)
    kind = type(getattr(COURSE_AS_WRITTEN, field))
    others: dict[type, list[Any]] = {int: ["8", 8.0], float: ["0.1"], str: [1]}
    for value in wrong + others[kind]:
        line = refusal(partial(load_recipe, "embedded", {field: value}))
        says(line, f"{field}: {value!r} is not of type {kind.__name__}")


def test_nonsense_is_looked_for_in_every_number_and_choice() -> None:
    """A new field with bounds or choices needs a row above."""
    limits = {name: about(field) for name, field in FIELDS.items()}
    bounded = {name for name, about in limits.items() if about.choices or about.bounds}
    assert bounded == {field for field, _, _ in NONSENSE}
    numbers = {f.name for f in FIELDS.values() if f.type != "str" and f.type is not str}
    assert numbers <= bounded


def test_each_field_has_a_meaning_and_a_place_in_the_help() -> None:
    for field in FIELDS.values():
        assert about(field).meaning, field.name
        assert about(field).group in GROUPS, field.name


def test_type_hints_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were for each field of each recipe, which took most of making one."""

    def again(*_: Any) -> Any:
        raise AssertionError("type hints are worked out for each recipe")

    monkeypatch.setattr(typing, "get_type_hints", again)
    assert Recipe(seed=1).seed == 1


def test_bounds_themselves_are_taken() -> None:
    edges = {"seed": 2**32 - 1, "adam_beta1": 0.0, "dropout": 0.0, "max_grad_norm": 0.0}
    recipe = load_recipe("embedded", {**edges, "max_steps": 1, "weight_decay": 0, "max_length": 4})
    assert {name: getattr(recipe, name) for name in edges} == edges


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("seed", "7", 7),
        ("learning_rate", "3e-5", 3e-5),
        ("task", "sst2", "sst2"),
        ("accelerated_learning_rate", "none", None),
        ("accelerated_learning_rate", "1e-4", 1e-4),
    ],
)
def test_text_of_a_command_line(field: str, text: str, value: Any) -> None:
    assert parse_field(field, text) == value


@pytest.mark.parametrize(
    ("field", "text"), [("seed", "x"), ("seed", "4.5"), ("learning_rate", ""), ("seed", "none")]
)
def test_text_that_is_no_number(field: str, text: str) -> None:
    says(refusal(lambda: parse_field(field, text)), f"{field}: {text!r} is not a number")


def test_unknown_names_are_shown_the_nearest() -> None:
    says(refusal(lambda: load_recipe("cource")), "'cource'", "did you mean course?", ".yaml")
    says(refusal(lambda: load_recipe("embedded", {"sead": 1})), "'sead'", "did you mean seed?")


@pytest.mark.parametrize(("word", "field"), ALIASES.items())
def test_a_field_by_its_usual_name_is_shown_its_own(word: str, field: str) -> None:
    """`batch_size` is nearer to `eval_batch_size`, which nobody means by it."""
    line = refusal(lambda: load_recipe("embedded", {word: 8}))
    assert line == f"unknown recipe field {word!r}: it is called {field}"


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("--lr", ["--recipe", "--run-dir", "--seed"]),
        ("--json", ["--jobs", "--debug"]),
        ("--verbose", ["--seed", "--version"]),
        ("gpu", ["auto", "cpu", "cuda"]),
        ("--nu", ["--num-train-epochs"]),
    ],
)
def test_a_word_that_is_far_off_is_no_guess(word: str, known: list[str]) -> None:
    assert near(word, known) == ""


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("--sead", ["--recipe", "--seed"], "--seed"),
        ("mprc", ["sst2", "mrpc"], "mrpc"),
        ("adamw", ["adamw_torch_fused", "adamw_torch"], "adamw_torch"),
        ("nocilp", ["no-clip", "eps"], "no-clip"),
    ],
)
def test_a_word_that_is_near_is(word: str, known: list[str], meant: str) -> None:
    assert near(word, known) == f" (did you mean {meant}?)"


def test_a_rate_that_is_asked_for_is_meant_for_all_loops() -> None:
    """course-as-written has two: 5e-5, and 3e-5 in its Accelerate listing."""
    assert COURSE_AS_WRITTEN.for_loop("manual").learning_rate == 5e-5
    assert COURSE_AS_WRITTEN.for_loop("trainer").learning_rate == 5e-5
    assert COURSE_AS_WRITTEN.for_loop("accelerated").learning_rate == 3e-5
    asked = load_recipe("course-as-written", {"learning_rate": 1e-4})
    assert asked.accelerated_learning_rate is None
    assert {asked.for_loop(loop).learning_rate for loop in ("manual", "accelerated")} == {1e-4}
    both = {"learning_rate": 1e-4, "accelerated_learning_rate": 2e-4}
    assert load_recipe("course", both).for_loop("accelerated").learning_rate == 2e-4


def test_the_course_recipe_is_what_trainer_does_by_default() -> None:
    """Read from TrainingArguments itself, so that an upgrade that moves a default is seen."""
    from transformers import TrainingArguments

    default = {f.name: f.default for f in dataclasses.fields(TrainingArguments)}
    ours = (
        "seed",
        "learning_rate",
        "weight_decay",
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
        "max_grad_norm",
        "num_train_epochs",
        "max_steps",
        "gradient_accumulation_steps",
    )
    assert {n: getattr(COURSE, n) for n in ours} == {n: default[n] for n in ours}
    assert COURSE.train_batch_size == default["per_device_train_batch_size"]
    assert COURSE.eval_batch_size == default["per_device_eval_batch_size"]
    assert COURSE.accelerated_learning_rate is None


def written(tmp_path: Path, values: Any) -> str:
    path = tmp_path / "recipe.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return str(path)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_file_gives_it_back(name: str, tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, RECIPES[name].to_json())) == RECIPES[name]


@given(
    rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    seed=st.integers(0, 2**32 - 1),
    data=st.text(),
)
def test_any_values_survive_the_file(rate: float, seed: int, data: str) -> None:
    recipe = Recipe(learning_rate=rate, seed=seed, data=data)
    values = json.loads(json.dumps(recipe.to_json()))
    del values["version"]
    assert Recipe(**values) == recipe


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["not a readable recipe", "make it anew"]),
        ('{"version": 1, "seed": 4', ["not a readable recipe"]),
        ("[" * 30_000, ["not a readable recipe"]),
        ('{"version": 1, "seed": ' + "9" * 5000 + "}", ["not a readable recipe"]),
        ('{"version": 1, "seed": 4, "seed": 5}', ["field seed: given twice; take one out"]),
        ("[]", ["field version", "begin with the recipe.json of a run's folder"]),
        ("{}", ["field version"]),
        ({"version": 2}, ["field version", "version 1"]),
        ({"version": 1, "sead": 1}, ["'sead'", "did you mean seed?"]),
        ({"version": 1, "seed": "x"}, ["seed: 'x' is not of type int"]),
        ({"version": 1, "learning_rate": math.nan}, ["learning_rate: nan makes no sense"]),
        ({"version": 1, "mixed_precision": "fp16"}, ["mixed_precision: fp16"]),
    ],
)
def test_a_file_of_no_use(content: Any, parts: list[str], tmp_path: Path) -> None:
    path = written(tmp_path, content)
    says(refusal(lambda: load_recipe(path)), f"{path}: ", *parts)


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    says(refusal(lambda: load_recipe(str(path))), f"{path}: no such file", "recipe's name")
    path.write_bytes(b"\xff\xfe")
    says(refusal(lambda: load_recipe(str(path))), f"{path}: not a readable recipe")
    path.unlink()
    path.mkdir()
    says(refusal(lambda: load_recipe(str(path))), f"{path}: not a readable recipe")


def test_a_recipe_file_gives_every_value(tmp_path: Path) -> None:
    values = RECIPES["embedded"].to_json()
    del values["dropout"]
    with pytest.raises(InputError, match="field dropout: missing"):
        load_recipe(written(tmp_path, values))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("ending", ["yaml", "yml"])
def test_a_yaml_file_gives_it_back(name: str, ending: str, tmp_path: Path) -> None:
    """As people write it: `no`, `none` and 5e-5, which YAML itself would read otherwise."""
    values = {k: "none" if v is None else v for k, v in RECIPES[name].to_json().items()}
    path = tmp_path / f"mine.{ending}"
    path.write_text("".join(f"{k}: {v}\n" for k, v in values.items()))
    assert "mixed_precision: no\n" in path.read_text()
    assert load_recipe(str(path)) == RECIPES[name]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["field version"]),
        ("- version: 1", ["field version"]),
        ("version: [1]", ["field version"]),
        ("version: '2'", ["field version"]),
        ("version: 1\nsead: 1", ["'sead'", "did you mean seed?"]),
        ("version: 1\nseed: 4\nseed: 5", ["field seed: given twice; take one out"]),
        ("version: 1\nlr: 1", ["it is called learning_rate"]),
        ("version: 1\nseed: x", ["seed: 'x' is not a number of type int"]),
        ("version: 1\nseed: [1]", ["seed: ['1'] is not of type int"]),
        ("version: 1\nseed: 1", ["field name: missing"]),
        ("a: [", ["not a readable recipe"]),
        ("!!python/object/apply:os.getcwd []", ["field version"]),
    ],
)
def test_a_yaml_file_of_no_use(content: str, parts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    says(refusal(lambda: load_recipe(str(path))), f"{path}: ", *parts)


def test_a_runs_folder_is_its_recipe(tmp_path: Path) -> None:
    says(refusal(lambda: load_recipe(str(tmp_path))), f"{tmp_path / 'recipe.json'}: no such file")
    written(tmp_path, COURSE.to_json())
    assert load_recipe(str(tmp_path)) == COURSE
    assert load_recipe(str(tmp_path), {"seed": 1}).seed == 1


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_a_file_without_an_end_is_not_read(ending: str, tmp_path: Path) -> None:
    """A link to /dev/zero took all memory; a pipe that nobody writes to, all time."""
    path = tmp_path / f"recipe.{ending}"
    path.symlink_to("/dev/zero")
    says(refusal(lambda: load_recipe(str(path))), f"{path}: is a pipe or a device; give a file")
    path.unlink()
    os.mkfifo(path)
    says(refusal(lambda: load_recipe(str(path))), f"{path}: is a pipe or a device; give a file")
    path.unlink()
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    says(refusal(lambda: load_recipe(str(path))), f"{path}: larger than the 65,536 bytes")


def test_a_value_that_would_fill_the_memory_when_it_is_written(tmp_path: Path) -> None:
    """Lists of lists of lists: a few lines, and 10^20 words in the message of what is wrong."""
    path = tmp_path / "recipe.yaml"
    laughs = [f"  - &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 20)]
    path.write_text("version: 1\nseed:\n  - &a0 [ha]\n" + "".join(laughs))
    line = refusal(lambda: load_recipe(str(path)))
    says(line, f"{path}: seed: [[", "is not of type int")
    assert len(line) < 1000 + len(str(path))


def test_a_long_word_is_cut_in_the_message() -> None:
    assert len(refusal(lambda: parse_field("seed", "x" * 5000))) < 200


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "a\0b", "\udcff" + "x" * 300])
def test_a_name_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    uses: list[Callable[[str], object]] = [
        load_recipe,
        find_checkpoint,
        find_ledger,
        lambda name: check_run_dir(Path(name)),
        lambda name: check_source(TASKS["mrpc"], name),
        lambda name: check_inputs(Recipe(data=name)),
        lambda name: check_inputs(Recipe(checkpoint=name)),
    ]
    for use in uses:
        line = refusal(partial(use, name))
        says(line, "give another")
        assert "File name too long" in line or "has a character" in line
    assert main(["train", "manual", "--recipe", name]) == 2
    assert main(["train", "manual", "--data", name]) == 2
    assert main(["train", "manual", "--checkpoint", name]) == 2
    assert main(["train", "manual", "--run-dir", name]) == 2
    assert main(["explain", name]) == 2
    assert main(["diff", name, name]) == 2
    assert main(["observe", name]) == 2
    assert main(["observe", "--run-dir", name, "x.py"]) == 2
