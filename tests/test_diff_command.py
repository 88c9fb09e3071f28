"""`python -m reference diff A B`, on folders and on ledgers."""

from dataclasses import replace
from pathlib import Path

import pytest

from reference.cli import main
from reference.recipe import Recipe
from reference.run import run


@pytest.mark.smoke
def test_diff(small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    run(replace(small, max_steps=2), "manual", a)
    run(replace(small, max_steps=2), "accelerated", b)
    run(replace(small, max_steps=2, adam_epsilon=1e-6), "manual", c)
    capsys.readouterr()
    assert main(["diff", str(a), str(b / "ledger.jsonl")]) == 0
    assert capsys.readouterr().out.startswith("identical: ")
    assert main(["diff", str(a), str(c)]) == 1
    out = capsys.readouterr().out
    assert "part at step 1, link optimizer: eps: 1e-08 and 1e-06 (100 times)" in out
    assert main(["diff", str(a), str(tmp_path / "nowhere")]) == 2
    assert "no such ledger" in capsys.readouterr().err


def test_a_damaged_ledger_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text('{"kind":"header","schema":2}\n{"kind":"step",\n')
    assert main(["diff", str(ledger), str(ledger)]) == 2
    assert "row 2: not JSON" in capsys.readouterr().err
