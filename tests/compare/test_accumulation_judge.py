"""The full batch judges the loops that accumulate gradients."""

from dataclasses import replace
from pathlib import Path

import pytest

from reference.compare.accumulation_judge import words
from reference.compare.three_loops import compare
from reference.lesson.recipe import Recipe


@pytest.mark.slow
def test_the_trainer_is_found_wrong_for_bert(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """transformers issue 47688: when this fails, it was mended, and the README says otherwise."""
    recipe = replace(small, train_batch_size=2, gradient_accumulation_steps=4, max_steps=3)
    verdict = compare(recipe, tmp_path / "run", 3)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "gradient")
    said = capsys.readouterr().out
    assert "trainer 4.0000, manual 1.0000, accelerated 1.0000 times as large" in said
    assert "trainer is wrong (https://github.com/huggingface/transformers/issues/47688)" in said


def test_whoever_is_wrong_is_named() -> None:
    right, wrong = [1.0000002, 1.0], [0.25, 0.25]
    assert words(8, {"trainer": right, "manual": right}).endswith("all loops accumulate rightly")
    assert words(8, {"trainer": right, "manual": wrong}).endswith("manual is wrong")
    both = words(8, {"trainer": wrong, "manual": wrong, "accelerated": right})
    assert both.endswith("trainer and manual are wrong")
    several = words(8, {"trainer": [2.0], "accelerated": right}, 2)
    assert "by the full batch of 8 on one process, dropout off, 2 processes" in several
    assert several.endswith(
        "trainer is wrong (https://github.com/huggingface/transformers/issues/47688)"
    )
    assert words(8, {"accelerated": right}, 2).endswith("all loops are right")
    assert "#" not in both
    assert "47688" not in both
