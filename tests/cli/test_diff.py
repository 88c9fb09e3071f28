"""`python -m reference diff A B`, on folders and on ledgers."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from reference.cli.main import main
from reference.lesson.recipe import Recipe
from reference.process.exit_codes import LONGEST
from reference.run.one_run import run
from tests.helpers.folded import unfolded


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
    out = unfolded(capsys.readouterr().out)
    assert "part at step 1, link optimizer\nlikely cause: eps is 1e-08 in A and 1e-06 in B" in out
    assert "\nunequal: eps: 1e-08 and 1e-06 (100 times)\n" in out
    assert main(["diff", str(a), str(tmp_path / "nowhere")]) == 2
    assert "no such ledger" in capsys.readouterr().err


def test_a_damaged_ledger_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text('{"kind":"header","schema":2}\n{"kind":"step",\n')
    assert main(["diff", str(ledger), str(ledger)]) == 2
    assert "row 2: not JSON" in capsys.readouterr().err


def test_a_pipe_is_no_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever opens it waits for ever; and a ledger is read more than once."""
    ledger = tmp_path / "ledger.jsonl"
    os.mkfifo(ledger)
    assert main(["diff", str(ledger), str(ledger)]) == 2
    assert f"{ledger}: is a pipe or a device" in capsys.readouterr().err


def test_a_line_is_cut_in_its_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged field may have any name: where it stands and what to do is still said."""
    ledger = tmp_path / "ledger.jsonl"
    header, name = '{"kind":"header","schema":2}', "k" * 9999
    ledger.write_text(f'{header}\n{{"kind":"step","step":1,"{name}":1}}\n')
    assert main(["diff", str(ledger), str(ledger)]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"reference: error: {ledger}: row 2: field kkk")
    assert line.endswith("record the run again\n")
    assert len(line) in (LONGEST, LONGEST + 1)  # and its end


def test_a_folder_of_several_runs_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `compare` leaves one, and `observe` under `accelerate launch`."""
    for name in ("manual", "accelerated"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ledger.jsonl").write_text('{"kind":"header","schema":2}\n')
    for command in (["diff", str(tmp_path), str(tmp_path / "manual")], ["explain", str(tmp_path)]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert f"{tmp_path}: holds the ledgers of accelerated, manual; give one" in error
        assert f"as {tmp_path / 'accelerated'}" in error


def test_an_envelope_is_two_runs_of_the_same_thing(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dropout's masks stand for what two runs can't share; hyper-parameters allow nothing."""
    runs = {
        "a": {},
        "b": {"dropout": 0.1000001},  # another rate, and almost always the same masks
        "c": {"dropout": 0.2},
        "no-clip": {"max_grad_norm": 0.0},
        "eps": {"adam_epsilon": 1e-6, "max_grad_norm": 0.0},
    }
    for name, changes in runs.items():
        run(replace(small, max_steps=3, **changes), "manual", tmp_path / name)
    capsys.readouterr()

    def diff(*names: str) -> tuple[int, str]:
        a, b, c, d = (str(tmp_path / name) for name in names)
        code = main(["diff", a, b, "--envelope", c, d])
        captured = capsys.readouterr()
        return code, unfolded(captured.out + captured.err)

    code, said = diff("a", "b", "a", "c")
    assert code == 0
    assert said.startswith("identical within the envelope: ")
    assert "so far apart at most: clip norm" in said
    code, said = diff("a", "c", "a", "b")
    assert code == 1
    assert "part at step 1, link forward: loss" in said
    code, said = diff("a", "eps", "a", "a")
    assert code == 1
    assert "part at step 1, link clip: norm" in said  # it comes before the optimizer
    code, said = diff("a", "b", "a", "eps")
    assert code == 2
    assert "--envelope: no two runs of the same thing: optimizer, eps" in said
