"""The ledger of a training on the CPU and on a GPU: read, compared and explained alike.

python -m pytest tests -m gpu -k on_a_device
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reference.cli.main import main
from reference.diff.ledgers import diff
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.recipe import Recipe
from reference.observe.generators import generator_states
from reference.observe.tensors.hashing import begin_hashes_and_norms, hash_tensors
from reference.run.prepare import prepare
from tests.conftest import DEVICES
from tests.helpers.observing import observe
from tests.helpers.planted import explained, keep, names, planted

TENSORS: dict[str, Callable[[], torch.Tensor]] = {
    "float32": lambda: torch.randn(300, 70),
    "large": lambda: torch.randn(3_000_000),
    "empty": lambda: torch.zeros(0),
    "not contiguous": lambda: torch.randn(300, 200).t(),
    "bfloat16": lambda: torch.randn(5, 70_000).bfloat16(),
    "float16": lambda: torch.randn(9).half(),
    "float64": lambda: torch.randn(100_000, dtype=torch.float64),
    "complex": lambda: torch.randn(10_000, dtype=torch.complex64),
}
SCRIPT = """
import torch
model = torch.nn.Linear(2, 1).to("{device}")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    model(torch.ones(3, 2, device="{device}")).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
print("trained")
"""


@pytest.mark.gpu
@pytest.mark.parametrize("kind", TENSORS)
def test_hashes_and_norms_are_those_of_the_same_values_on_the_cpu(kind: str) -> None:
    torch.manual_seed(0)
    here = TENSORS[kind]()
    there = here.to("cuda")
    assert hash_tensors([there]) == hash_tensors([here])
    assert begin_hashes_and_norms([there, None])() == begin_hashes_and_norms([here, None])()


@pytest.mark.parametrize("device", DEVICES)
def test_a_number_drawn_there_moves_its_generator_and_no_other(device: str) -> None:
    torch.ones(1, device=device)  # the device is in use
    before = generator_states()
    torch.rand(1, device=device)
    moved = {name for name, state in generator_states().items() if before[name] != state}
    assert moved == {"torch" if device == "cpu" else "cuda:0"}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["eps", "no-clip", "eval-mode"])
def test_a_deviation_is_explained(name: str, device: str, small: Recipe) -> None:
    recipe = prepare(replace(small, device=device))
    target = keep(recipe, planted(name))
    assert diff(keep(recipe), target).verdict == "diverged"
    found = explained(target, recipe)
    assert found.proven
    assert names(found) == {name}


@pytest.mark.gpu
def test_the_loops_are_compared(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each in a process of its own, as a stranger starts them."""
    options = ["--data", small.data, "--device", "cuda", "--max-steps", "8"]
    assert main(["compare", *options, "--run-dir", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "identical: 3 loops, 8 steps, every link of every step\n" in said
    header = read_ledger(tmp_path / "run" / "manual" / LEDGER_FILE).header
    assert header["device"] == torch.cuda.get_device_name()


@pytest.mark.parametrize("device", DEVICES)
def test_a_script_is_observed(device: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(device=device))
    result = observe(tmp_path / "run", script)
    assert (result.returncode, result.stdout) == (0, "trained\n"), result.stderr
    ledger = read_ledger(tmp_path / "run" / LEDGER_FILE)
    assert ledger.end is not None
    assert ledger.end["complete"]
    assert len(ledger.steps) == 4
    assert ledger.header["device"] == ("cpu" if device == "cpu" else torch.cuda.get_device_name())
