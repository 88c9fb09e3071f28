"""Several processes of one run: what is found wrong with them before anything is trained."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from reference.lesson.recipe import Recipe
from reference.observe.script.launcher import Launch
from reference.run import processes
from reference.run.processes import check_agreement, join
from tests.helpers.refusal import refusal, says

HEADER: dict[str, Any] = {
    "loop": "accelerated",
    "recipe": {"name": "embedded", "seed": 42, "data": "a", "learning_rate": 5e-4},
    "data": {"source": "a", "sha256": "0" * 64},
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    "device": "cpu",
    "platform": "Linux",
}
UNLIKE: dict[str, tuple[str, str, Any]] = {
    "recipe": ("recipe", "seed", 43),
    "data": ("data", "sha256", "1" * 64),
    "versions": ("versions", "torch", "2.12.0"),
}


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What all processes' headers come to, where they are given."""

    def agree(*headers: dict[str, Any]) -> None:
        flat = [processes._flat(header) for header in headers]
        monkeypatch.setattr("accelerate.utils.gather_object", lambda _: flat)
        check_agreement(headers[0], Launch(0, len(headers), "a launch"))

    return agree


@pytest.mark.parametrize(("part", "name", "value"), UNLIKE.values(), ids=UNLIKE)
def test_each_process_that_is_unlike_rank_0_is_named(
    part: str, name: str, value: Any, gathered: Callable[..., None]
) -> None:
    unlike = copy.deepcopy(HEADER)
    unlike[part][name] = value
    line = refusal(lambda: gathered(HEADER, unlike, HEADER, unlike))
    for rank in (1, 3):
        says(line, f"rank {rank}: {part}.{name}: ")
    assert "rank 2" not in line
    says(line, "where rank 0 has", "give all processes the same")


def test_machines_may_have_their_own_folders_and_processors(
    gathered: Callable[..., None],
) -> None:
    other = copy.deepcopy(HEADER)
    other["recipe"]["data"] = other["data"]["source"] = "b"
    other["platform"] = "Linux, another"
    gathered(HEADER, other)


def test_a_torch_without_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_backend_available", lambda name: name != "gloo")
    line = refusal(lambda: join(Recipe(device="cpu"), Launch(0, 2, "a launch")))
    says(line, "device: processes on cpu speak by gloo", "built without")


def test_fewer_gpus_than_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    line = refusal(lambda: join(Recipe(device="cuda"), Launch(0, 2, "a launch")))
    says(line, "device: 2 processes on this machine, and 1 GPUs")
