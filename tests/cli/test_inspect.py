"""`python -m reference data`: what a reader sees of a batch."""

import pytest
from transformers import AutoTokenizer

from reference.cli.main import main
from reference.lesson.checkpoints import find_checkpoint
from reference.lesson.recipe import Recipe


def test_the_first_row_is_its_text_without_padding(
    small: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in ("42", "43", "44"):  # of three first rows hardly all are the longest
        assert main(["data", "--data", small.data, "--device", "cpu", "--seed", seed]) == 0
    rows = [
        line.removeprefix("first row: ")
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("first row: ")
    ]
    assert len(rows) == 3
    assert not any("[PAD]" in row for row in rows)
    tokenizer = AutoTokenizer.from_pretrained(find_checkpoint("embedded").folder)
    assert all(row.startswith("[CLS]") and row.endswith("[SEP]") for row in rows)
    assert all(tokenizer.sep_token in row[:-5] for row in rows)  # both of a pair's sentences
