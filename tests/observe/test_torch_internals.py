"""What torch doesn't document stands in one file, and that it is there is looked up."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

import reference.observe
from reference.observe import torch_internals
from tests.helpers.small import net, train, watch

ROOM = Path(reference.observe.__file__).parent
INTERNALS = [(owner, name) for owner, names in torch_internals.NAMES.items() for name in names]


def test_torch_has_all_of_them() -> None:
    assert torch_internals.missing() == []


class Without:
    """An object that lacks one of its attributes."""

    def __init__(self, whole: object, name: str) -> None:
        self.whole, self.name = whole, name

    def __getattr__(self, name: str) -> Any:
        if name == self.name:
            raise AttributeError(name)
        return getattr(self.whole, name)


@pytest.mark.parametrize(("owner", "name"), INTERNALS)
def test_one_that_is_gone_is_named(owner: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = torch_internals.owners()
    owners[owner] = Without(owners[owner], name.split(".")[0])
    monkeypatch.setattr(torch_internals, "owners", lambda: owners)
    assert f"{owner}: {name}" in torch_internals.missing()


@pytest.mark.parametrize(
    "name", ["_current_graph_task_id", "_functorch", "_get_dispatch_mode", "_is_tracing"]
)
def test_a_training_goes_on_without_one(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is recorded that wasn't seen."""
    ends: list[torch.Tensor] = []

    def trained() -> None:
        model = net()
        train(model)
        ends.append(model[0].weight.detach())

    torch.manual_seed(0)
    trained()
    monkeypatch.delattr(torch._C, name)
    ledger = watch(trained)
    assert torch.equal(*ends)
    assert name in capsys.readouterr().err
    assert not any("forward" in step for step in ledger.steps)


def private_names(source: str) -> Iterator[str]:
    """The names with an underscore that a file takes from an object that isn't its own, or imports.

    `self._x` and `cls._x` are a class's own, and so is what a module of this project begins with
    an underscore and uses itself.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own:
                yield node.attr
        elif isinstance(node, ast.Import | ast.ImportFrom):
            path = f"{getattr(node, 'module', None) or ''}.".split(".")
            names = [part for alias in node.names for part in alias.name.split(".")]
            yield from (name for name in [*path, *names] if _is_private(name))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("torch._C.f()", "_C"),
        ("model._modules", "_modules"),
        ("self.model._buffers", "_buffers"),
        ("from torch.optim.optimizer import _hooks", "_hooks"),
        ("from torch._subclasses import FakeTensorMode", "_subclasses"),
        ("import torch._C", "_C"),
    ],
)
def test_a_private_name_is_found(source: str, name: str) -> None:
    assert list(private_names(source)) == [name]


def test_no_other_file_of_the_room_has_a_private_name() -> None:
    files = [path for path in ROOM.rglob("*.py") if path.name != "torch_internals.py"]
    assert len(files) > 20
    used = {str(path.relative_to(ROOM)): list(private_names(path.read_text())) for path in files}
    assert {path: names for path, names in used.items() if names} == {}
    assert list(private_names((ROOM / "torch_internals.py").read_text()))


def test_the_file_looks_up_each_name_that_it_uses() -> None:
    """One that is used and not in NAMES would be missed by nobody."""
    used = set(private_names((ROOM / "torch_internals.py").read_text()))
    listed = {part for _, name in INTERNALS for part in name.split(".")}
    assert used - listed == {"_C", "_getframe", "_replicate_for_data_parallel"}


def test_a_compiled_models_warning_and_names_are_torchs() -> None:
    compiled = torch.compile(nn.Linear(2, 1), backend="eager")
    first, _ = torch_internals.WRAPPERS
    assert all(name.startswith(first) for name, _ in compiled.named_parameters())
    handle = register_module_forward_hook(lambda *_: None)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", torch_internals.WARNING_OF_HOOKS, UserWarning)
            with pytest.raises(UserWarning, match="global hooks"):
                compiled(torch.ones(1, 2))
    finally:
        handle.remove()


def test_a_data_parallel_models_names_are_torchs() -> None:
    _, second = torch_internals.WRAPPERS
    parallel = nn.DataParallel(nn.Linear(2, 1))
    assert all(name.startswith(second) for name, _ in parallel.named_parameters())
