"""What Python has alive and nobody may touch: tuples that are being made, memory that is gone."""

import copy
import gc
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference.ledger.reader import Memory
from reference.observe.observer import Observer
from reference.observe.tensors.memory import is_given_back
from reference.observe.tensors.uncalled_models import living, tracked
from tests.diff.pairs.small_trainings import fit, mlp


def lost(train: Callable[[], Any]) -> str:
    """Why a ledger ended before its training. A fault that is back ends the tests: SIGSEGV."""
    with Observer(Memory({}), uncalled=True) as observer:
        train()
    return observer.lost


def test_a_training_within_a_tuple_that_is_being_made() -> None:
    """It has places without an object, among all that is looked through after the first step."""

    def losses() -> Iterator[Tensor]:
        model = mlp()
        for _ in range(3):
            yield fit(model, steps=1)["0.bias"]

    assert lost(lambda: tuple(losses())) == ""


def test_no_tuple_is_among_all_that_is_listed() -> None:
    kept = (torch.zeros(1), mlp())
    kinds = set(map(type, tracked()))
    assert tuple not in kinds
    assert {list, dict, *map(type, kept)} <= kinds


def test_tuples_of_other_threads_can_be_finished() -> None:
    """Python finishes none that anybody else holds, but raises a SystemError."""
    faults: list[BaseException] = []
    over = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.001)  # another thread goes on while this tuple has its first places
            yield number

    def make() -> None:
        while not over.is_set():
            try:
                tuple(numbers())
            except SystemError as fault:
                faults.append(fault)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with Observer(Memory({}), uncalled=True):
            fit(mlp())
    finally:
        over.set()
    for thread in threads:
        thread.join()
    assert faults == []


def give_back(tensor: Any) -> None:
    tensor.untyped_storage().resize_(0)


def of_a_list() -> None:
    model = mlp()
    kept = [p.detach().clone() for p in model.parameters()]
    give_back(kept[0])
    fit(model)


def of_a_copy() -> None:
    model = mlp()
    average = copy.deepcopy(model)
    fit(model, after=lambda step: step == 2 and give_back(average[0].weight))


def of_another_class() -> None:
    class Another(nn.Sequential):
        pass

    model, other = mlp(), Another(*mlp())
    give_back(other[0].weight)
    fit(model)


def of_a_gradient() -> None:
    model = mlp()
    fit(model)
    give_back(model[0].weight.grad)


@pytest.mark.parametrize("train", [of_a_list, of_a_copy, of_another_class, of_a_gradient])
def test_memory_that_was_given_back_is_not_read(train: Callable[[], None]) -> None:
    assert lost(train) == ""


def test_a_view_of_memory_that_was_given_back() -> None:
    """Its address isn't 0, but how far it begins behind the start of what is gone."""
    whole = torch.zeros(10)
    views = [whole[5:], whole[10:], torch.zeros(2), torch.zeros(2, device="meta")]
    assert [is_given_back(view) for view in views] == [False] * 4
    give_back(whole)
    assert views[0].data_ptr() != 0
    assert [is_given_back(view) for view in views] == [True, False, False, False]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_look_keeps_nothing_alive(frozen: bool) -> None:
    """Without a collection, which nobody can count on: what the script drops is gone at once."""
    kept = {"model": mlp()}
    gone = weakref.ref(kept["model"])
    gc.collect()
    gc.disable()
    try:
        if frozen:
            sys.modules["a script"] = types.SimpleNamespace(kept=kept)  # type: ignore[assignment]
            gc.freeze()
        looked_at = living(range(2, 9), 0)
        assert any(module is kept["model"] for module in looked_at[0])
        del looked_at
        kept.clear()
        assert gone() is None
    finally:
        sys.modules.pop("a script", None)
        gc.unfreeze()
        gc.enable()
