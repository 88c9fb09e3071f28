"""A saved model is the model that was trained, and Transformers loads it as any other."""

import json
import os
import stat
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import pipeline

from reference.keep import saved_model
from reference.keep.predictions import SavedModel
from reference.ledger.reader import read_ledger
from reference.lesson.data.pipeline import get_dataloaders, load_data
from reference.lesson.data.sources import load_raw
from reference.lesson.metrics import load_metric
from reference.lesson.model import load_model, models_made
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import get_task
from reference.observe.tensors.hashing import hash_tensors
from reference.run.one_run import run


def test_its_weights_are_those_at_the_end_of_the_ledger(saved: Path) -> None:
    weights = load_file(saved / "model" / "model.safetensors")
    ledger = read_ledger(saved / "ledger.jsonl")
    assert ledger.end is not None
    names = [name for name, *_ in ledger.models[0]["parameters"]]
    hashes = hash_tensors([weights[name] for name in names])
    assert ledger.end["tensors"].split() == hashes


@pytest.mark.parametrize("loop", ["accelerated", "trainer"])
def test_each_loop_saves_the_same_weights(
    loop: str, saved: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    run(small_recipe, loop, tmp_path / "run", save=True)
    files = [folder / "model" / "model.safetensors" for folder in (saved, tmp_path / "run")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_pipeline_gives_the_evaluations_own_predictions(
    saved: Path, small_recipe: Recipe
) -> None:
    data = load_data(small_recipe)
    model = SavedModel(saved).model
    metric, classes = load_metric("mrpc"), []
    for batch in get_dataloaders(small_recipe, data)[1]:
        with torch.no_grad():
            predictions = model(**batch).logits.argmax(-1)
        metric.add_batch(predictions=predictions, references=batch["labels"])
        classes += predictions.tolist()
    assert metric.compute() == json.loads((saved / "metrics.json").read_text())["scores"]

    classify = pipeline("text-classification", model=str(saved / "model"))
    validation = load_raw(get_task("mrpc"), small_recipe.data)["validation"]
    pairs = zip(validation["sentence1"], validation["sentence2"], strict=True)
    answers = classify([{"text": a, "text_pair": b} for a, b in pairs])
    names = ("not_equivalent", "equivalent")
    assert [answer["label"] for answer in answers] == [names[number] for number in classes]


def test_its_card_says_what_the_run_was(saved: Path, small_recipe: Recipe) -> None:
    card = ModelCard.load(saved / "model" / "README.md")
    scores = json.loads((saved / "metrics.json").read_text())["scores"]
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results == scores
    assert card.data.pipeline_tag == "text-classification"
    for part in ("seed`: 42", small_recipe.data and "SHA-256", "nothing was compared", "6 steps"):
        assert part in card.text


def test_it_can_be_read_by_whoever_may_read_the_run(saved: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for path in (saved / "model").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask, path


def test_a_full_disk_leaves_no_half_of_a_model(
    saved: Path, small_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_model, "write_json", full)
    data = load_data(small_recipe)
    with pytest.raises(OSError, match="No space"):
        saved_model.save_model(load_model(small_recipe), small_recipe, data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_models_are_collected_within_the_block_alone(small_recipe: Recipe) -> None:
    with models_made() as made:
        model = load_model(small_recipe)
    load_model(small_recipe)
    assert made == [model]
