"""The curves that are drawn are the ledger's own numbers."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from matplotlib.image import imread
from torch import nn

from reference.cli.main import main
from reference.lesson.recipe import Recipe
from reference.observe.script import observing
from reference.report.curves import Curves, read_curves
from reference.report.plot import _means, plot
from reference.run.one_run import run
from tests.helpers.refusal import refusal, says


def train(steps: int, seed: int = 1) -> list[float]:
    torch.manual_seed(seed)
    model, losses = nn.Linear(4, 2), []
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    criterion = nn.CrossEntropyLoss()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(torch.randn(8, 4)), torch.randint(0, 2, (8,)))
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@pytest.fixture
def observed(tmp_path: Path) -> tuple[Path, list[float]]:
    with observing(tmp_path / "mine"):
        losses = train(50)
    return tmp_path / "mine", losses


def test_curves_are_the_runs_own_numbers(observed: tuple[Path, list[float]]) -> None:
    folder, losses = observed
    (curves,) = read_curves(folder)
    assert curves.name == "mine"
    assert curves.loss == dict(enumerate(losses, 1))
    assert curves.rate[1] == 0.5
    assert curves.rate[26] == pytest.approx(0.25)
    assert len(curves.norm) == 50


def test_a_lessons_run_has_its_scores(small: Recipe, tmp_path: Path) -> None:
    metrics = run(small, "manual", tmp_path / "run")
    (curves,) = read_curves(tmp_path / "run")
    assert {name: points[18] for name, points in curves.scores.items()} == metrics["scores"]
    assert curves.loss[18] == metrics["final_loss"]


def test_the_validation_curve_is_what_each_evaluation_gave(small: Recipe, tmp_path: Path) -> None:
    recipe = replace(small, eval_strategy="steps", eval_steps=5)
    metrics = run(recipe, "manual", tmp_path / "run")
    (curves,) = read_curves(tmp_path / "run")
    assert curves.validation == {each["step"]: each["loss"] for each in metrics["evaluations"]}
    assert sorted(curves.validation) == [5, 10, 15, 18]


def test_a_picture_is_600_pixels_wide_and_in_two_formats(
    observed: tuple[Path, list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = observed
    assert main(["plot", str(folder)]) == 0
    png, svg = (folder / f"curves.{kind}" for kind in ("png", "svg"))
    assert capsys.readouterr().out == f"{png}\n{svg}\n"
    assert imread(png).shape[1] == 600
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    before = svg.read_bytes()
    assert main(["plot", str(folder / "ledger.jsonl"), "--out", str(folder / "again")]) == 0
    assert (folder / "again.png").exists()
    assert len(before) == len((folder / "again.svg").read_bytes())


def test_a_comparison_is_a_line_for_each_loop(tmp_path: Path) -> None:
    for loop in ("manual", "trainer"):
        with observing(tmp_path / loop):
            train(3)
    assert [curves.name for curves in read_curves(tmp_path)] == ["manual", "trainer"]


def test_many_runs_are_drawn_with_their_median(tmp_path: Path) -> None:
    runs = [Curves(f"{n}", loss={1: float(n), 2: 1.0}, rate={1: 1.0}) for n in range(9)]
    svg = plot(runs, tmp_path / "many")[1].read_text()
    assert "median of 9" in svg


def test_a_smoothed_loss_is_the_mean_of_twenty() -> None:
    assert _means([float(n) for n in range(21)]) == [9.5, 10.5]


def test_a_loss_that_is_no_number_leaves_a_gap(observed: tuple[Path, list[float]]) -> None:
    folder, _ = observed
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    changed = [line.replace('"loss":', '"loss":"nan","was":', 1) for line in lines]
    (folder / "ledger.jsonl").write_text("\n".join(changed) + "\n")
    (curves,) = read_curves(folder)
    assert curves.loss == {}
    assert len(curves.norm) == 50


def test_what_has_no_step_is_refused(tmp_path: Path) -> None:
    with observing(tmp_path / "none"):
        pass
    says(refusal(lambda: read_curves(tmp_path / "none")), "no step")
    says(refusal(lambda: read_curves(tmp_path / "nothing")), "nothing")
    line = json.dumps({"kind": "header", "schema": 3})
    (tmp_path / "bad.jsonl").write_text(line + '\n{"kind":"step","step":"x"}\n')
    says(refusal(lambda: read_curves(tmp_path / "bad.jsonl")), "bad.jsonl")


def test_nothing_to_draw_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot"]) == 2
    says(capsys.readouterr().err, "no RUN")
