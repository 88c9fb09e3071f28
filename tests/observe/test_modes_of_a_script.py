"""A script's own modes see its own operations, and none of the observer's."""

from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from reference.ledger.reader import Memory
from reference.observe.observer import Observer
from tests.helpers.small import net, train


class Dispatched(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def seen(mode: Any, *, observed: bool) -> tuple[list[str], int]:
    """What the mode sees of a training and an evaluation; and the steps that are recorded."""
    torch.manual_seed(0)
    memory = Memory({})
    observer = Observer(memory, uncalled=True)
    with mode:
        if observed:
            observer.start()
        model = net()
        train(model)
        with torch.no_grad():
            model(torch.randn(5, 4))
        if observed:
            observer.finish(complete=True)
    return mode.seen, len(memory.ledger.steps)


@pytest.mark.parametrize("kind", [Dispatched, Called])
def test_a_mode_sees_no_operation_of_the_observers(kind: type[Any]) -> None:
    alone, _ = seen(kind(), observed=False)
    watched, steps = seen(kind(), observed=True)
    assert watched == alone
    assert (len(alone) > 20, steps) == (True, 3)


def test_operations_are_counted_as_without_observer() -> None:
    def counted(*, observed: bool) -> int:
        observer = Observer(Memory({}))
        with FlopCounterMode(display=False) as counter:
            if observed:
                observer.start()
            train(net())
            if observed:
                observer.finish(complete=True)
        return counter.get_total_flops()

    assert counted(observed=True) == counted(observed=False) > 0
