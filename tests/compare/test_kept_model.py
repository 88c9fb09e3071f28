"""The model that `compare --save` keeps, and what its card says of the verdict."""

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from reference.cli.main import main
from reference.keep.predictions import SavedModel


def test_compare_keeps_one_model_with_the_verdict_in_its_card(
    small_glue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(small_glue), "--max-steps", "2", "--device", "cpu"]
    assert main(["compare", *words, "--save", "--run-dir", str(tmp_path / "run")]) == 0
    assert f"model: {tmp_path / 'run' / 'model'}" in capsys.readouterr().out
    assert SavedModel(tmp_path / "run").files.recipe().max_steps == 2
    text = ModelCard.load(tmp_path / "run" / "model" / "README.md").text
    assert "trainer, manual, accelerated: identical: 3 loops, 2 steps" in text
    assert [p.parent.name for p in (tmp_path / "run").rglob("model")] == ["run"]
