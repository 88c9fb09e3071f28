"""What the public functions give back shows itself in words: at a prompt, and in a notebook."""

import dataclasses
import inspect
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from reference import diff, explain, observing, run
from reference.cli.main import main
from reference.lesson.recipe import Recipe
from reference.run.table import Metrics
from tests.helpers.folded import unfolded
from tests.helpers.small import net, train

GREEN, RED = '<b style="color:green">', '<b style="color:firebrick">'


def observed(folder: Path, seed: int, model: torch.nn.Module | None = None) -> Path:
    torch.manual_seed(seed)
    with observing(folder):
        train(net() if model is None else model)
    return folder


def test_a_verdict_shows_what_diff_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, c = (observed(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    same, other = diff(a, b), diff(a, c)
    assert repr(same).startswith("identical: A and B, 3 steps, every link of every step")
    assert main(["diff", str(a), str(c)]) == 1
    printed = unfolded(capsys.readouterr().out).replace(f"A ({a}) and B ({c})", "A and B")
    assert unfolded(repr(other)) == printed.rstrip()
    assert f"{GREEN}identical</b>: A and B, 3 steps" in same._repr_html_()
    assert f"{RED}diverged</b>: A and B part at step 1, link batch\n" in other._repr_html_()
    assert (
        "how the two go on (a loss that no module computes isn&#x27;t in a ledger):\nstep  "
        in other._repr_html_()
    )


def test_what_a_ledger_says_is_text_in_a_notebook(tmp_path: Path) -> None:
    """Names in it are anybody's: none becomes an element of the page."""
    name = "<script>x()</script>"
    models = [torch.nn.Sequential(OrderedDict({name: torch.nn.Linear(4, n)})) for n in (2, 3)]
    a, b = (observed(tmp_path / str(i), 0, model) for i, model in enumerate(models))
    shown = diff(a, b)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def test_a_runs_metrics_show_the_table_that_train_prints(tmp_path: Path, small: Recipe) -> None:
    metrics = run(small, "manual", tmp_path / "manual")
    assert isinstance(metrics, Metrics)
    shown = metrics._repr_html_()
    assert "loop    steps" in shown
    assert f"{metrics['weights'][:12]}</pre>" in shown
    explanation = explain(tmp_path / "manual", dataclasses.replace(small, max_grad_norm=0.0))
    assert repr(explanation).startswith("proven: clip-norm 1.0\n  step 1, link clip: ")
    assert f"{GREEN}proven</b>: clip-norm 1.0\n" in explanation._repr_html_()


class WithLoss(torch.nn.Linear):
    """Gives its loss as the models of transformers do."""

    def forward(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": 0.25 + 0 * super().forward(rows).sum()}


def test_observing_says_that_it_has_not_begun(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begins = "begins with `with`, and ends with it"
    assert repr(observing(folder)) == f"<observing into {folder}: {begins}>"
    assert not folder.exists()
    observing(folder)(train)(net())  # a decorator, too
    assert (folder / "ledger.jsonl").exists()
    assert [*inspect.signature(observing).parameters] == ["run_dir", "inside"]
    assert "Raises:" in str(inspect.getdoc(observing))


def test_an_observer_says_how_far_it_came(tmp_path: Path) -> None:
    model = WithLoss(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observing(tmp_path / "run") as observer:
        assert repr(observer) == "<Observer: 0 steps, 0.0 s, recording>"
        model(torch.ones(2, 4))["loss"].backward()
        optimizer.step()
    seconds = f"{observer.seconds:.1f} s"
    assert repr(observer) == f"<Observer: 1 step, last loss 0.25, {seconds}, finished>"
