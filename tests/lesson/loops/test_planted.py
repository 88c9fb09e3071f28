"""Ten planted differences, each seen at the first step and link where it can show."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import manual
from reference.lesson.recipe import Recipe
from reference.run.one_run import run

Plant = Callable[[pytest.MonkeyPatch], None]


def _schedule_not_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    original = manual.get_scheduler

    def stuck(*args: Any, **kwargs: Any) -> Any:
        scheduler = original(*args, **kwargs)
        scheduler.step = lambda: None
        return scheduler

    monkeypatch.setattr(manual, "get_scheduler", stuck)


def _not_zeroed(monkeypatch: pytest.MonkeyPatch) -> None:
    def hoarder(*args: Any, **kwargs: Any) -> torch.optim.AdamW:
        optimizer = torch.optim.AdamW(*args, **kwargs)
        optimizer.zero_grad = lambda set_to_none=True: None
        return optimizer

    monkeypatch.setattr(manual, "AdamW", hoarder)


def _eval_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    original = manual.load_model

    def asleep(recipe: Recipe) -> torch.nn.Module:
        model = original(recipe).eval()
        model.train = lambda mode=True: model
        return model

    monkeypatch.setattr(manual, "load_model", asleep)


def _last_batch_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    original = manual.get_dataloaders

    def dropping(recipe: Recipe, data: Any) -> tuple[Any, Any]:
        train, evaluation = original(recipe, data)
        options = {"sampler": train.sampler, "collate_fn": train.collate_fn, "drop_last": True}
        return DataLoader(train.dataset, batch_size=8, **options), evaluation

    monkeypatch.setattr(manual, "get_dataloaders", dropping)


PLANTED: dict[str, tuple[dict[str, Any], Plant | None, int | None, str]] = {
    "no clip": ({"max_grad_norm": 0.0}, None, None, "clip"),
    "decay 0.01": ({"weight_decay": 0.01}, None, 1, "optimizer"),
    "eps 1e-6": ({"adam_epsilon": 1e-6}, None, 1, "optimizer"),
    "another learning rate": ({"learning_rate": 3e-5}, None, 1, "optimizer"),
    "another seed": ({"seed": 43}, None, 1, "batch"),
    "no shuffle": ({"data_order": "sequential"}, None, 1, "batch"),
    "schedule not stepped": ({}, _schedule_not_stepped, 1, "schedule"),
    "gradients not zeroed": ({}, _not_zeroed, 2, "gradient"),
    "eval mode": ({}, _eval_mode, 1, "mode"),
    # Step 6 is the first epoch's batch of 4.
    "last batch dropped": ({}, _last_batch_dropped, 6, "batch"),
}


@pytest.fixture(scope="session")
def faithful(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ledger]:
    return {}


@pytest.mark.parametrize("name", PLANTED)
def test_is_seen_where_it_first_shows(
    name: str,
    small: Recipe,
    faithful: dict[str, Ledger],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes, plant, step, link = PLANTED[name]
    recipe = replace(small, max_steps=12)
    if "run" not in faithful:
        run(recipe, "manual", tmp_path / "faithful")
        faithful["run"] = read_ledger(tmp_path / "faithful" / LEDGER_FILE)
    if step is None:
        norms = [s["gradient"]["norm"] for s in faithful["run"].steps]
        step = next(i for i, norm in enumerate(norms, 1) if norm > 1.0)
    if plant is not None:
        partial(plant, monkeypatch)()
    run(replace(recipe, **changes), "manual", tmp_path / "planted")
    verdict = diff(faithful["run"], read_ledger(tmp_path / "planted" / LEDGER_FILE))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", step, link), verdict
    assert verdict.detail
