"""The Trainer is stock: no subclass, no patch, no callback of ours; and it would be seen."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_the_trainer_is_stock(small_glue: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.lesson.loops.stock", str(small_glue), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found.pop("none") == found.pop("none, again") == []
    assert found == {
        "a method": ["Trainer.store_flos"],
        "an argument's default": ["TrainingArguments.max_grad_norm"],
        "a method of the arguments": ["TrainingArguments.get_warmup_steps"],
        "a callback's method": ["ProgressCallback.on_log"],
        "a name in its module": ["transformers.trainer.set_seed"],
        "a subclass": ["a subclass Mine"],
        "a further callback": ["a callback TrainerCallback"],
        "an instance's method": ["a Trainer's own store_flos"],
    }
