"""`launch CONFIG compare`: two loops on two processes, and the full batch on one as their judge."""

import json
from pathlib import Path

import pytest

from reference.cli.main import main
from tests.conftest import write_mrpc


@pytest.mark.slow
@pytest.mark.parametrize(("accumulated", "times"), [(1, 2.0), (2, 4.0)])
def test_the_trainer_is_found_wrong_for_bert_on_two_processes(
    accumulated: int, times: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When this fails, transformers has mended it, and the docs say otherwise."""
    data, run = write_mrpc(tmp_path / "data", 32, 8), tmp_path / "run"
    words = ["--data", str(data), "--max-steps", "2", "--run-dir", str(run)]
    words += ["--gradient-accumulation-steps", str(accumulated)]
    assert main(["launch", "cpu-2", "compare", *words]) == 1
    said = capsys.readouterr().out
    assert "part on rank 0 at step 1, link gradient" in said
    assert f"gradients are trainer {times:.4f}, accelerated 1.0000 times as large" in said
    assert "trainer is wrong (https://github.com/huggingface/transformers/issues/47688)" in said
    ratios = json.loads((run / "judge" / "judge.json").read_text())["ratios"]
    # Its later steps start from weights that the wrong gradient has moved.
    assert ratios["trainer"][0] == pytest.approx(times, rel=1e-4)
    assert ratios["accelerated"] == pytest.approx([1.0] * 4, rel=1e-4)
