"""An observer's life: how it begins, ends and goes on, and that it leaves nothing behind."""

import warnings

import pytest
import torch

from reference.ledger.reader import Memory
from reference.observe.observer import Observer
from reference.observe.torch_internals import WARNING_OF_HOOKS
from tests.helpers.small import net, train, watch


@pytest.mark.parametrize("complete", [True, False])
def test_finish_says_whether_the_run_was_whole(complete: bool) -> None:
    memory = Memory({})
    observer = Observer(memory).start()
    train(net(), 2)
    observer.finish(complete=complete)
    assert observer.steps == 2
    assert memory.ledger.end is not None
    assert memory.ledger.end["complete"] is complete
    train(net(), 1)  # seen by nobody
    assert len(memory.ledger.steps) == 2


@pytest.mark.parametrize(
    ("error", "complete"), [(SystemExit, True), (KeyboardInterrupt, False), (ValueError, False)]
)
def test_with_is_start_and_finish(error: type[BaseException], complete: bool) -> None:
    memory = Memory({})

    def fails() -> None:
        with Observer(memory):
            train(net(), 1)
            raise error

    with pytest.raises(error):
        fails()
    assert memory.ledger.end is not None
    assert memory.ledger.end["complete"] is complete


def test_the_warnings_filter_is_taken_away_and_no_other() -> None:
    before = list(warnings.filters)
    with Observer(Memory({})):
        assert len(warnings.filters) == len(before) + 1
        warnings.warn(
            "Using `torch.compile(module)` when there are global hooks on modules (", stacklevel=1
        )
        warnings.filterwarnings("ignore", "set by the training meanwhile")
    (own,) = [entry for entry in warnings.filters if entry not in before]
    assert "set by the training" in str(own[1])
    assert warnings.filters[1:] == before


def test_a_filter_that_was_there_before_stays() -> None:
    warnings.filterwarnings("ignore", WARNING_OF_HOOKS, UserWarning)
    before = list(warnings.filters)
    with Observer(Memory({})):
        pass
    assert warnings.filters == before
    with Observer(Memory({})):
        warnings.resetwarnings()  # as a script may
    assert warnings.filters == []


def test_an_observer_that_goes_on_has_what_one_observer_has() -> None:
    def at_once() -> None:
        model = net()
        train(model, 2)
        train(model, 2)

    torch.manual_seed(0)
    first, second, model = Memory({}), Memory({}), net()
    with Observer(first) as observer:
        train(model, 2)
        observer.settle()
        following = observer.go_on(second)
    with following:
        train(model, 2)
    steps = [*first.ledger.steps, *second.ledger.steps]
    whole = watch(at_once).steps
    assert len(steps) == len(whole) == 4
    for step in (*steps, *whole):
        step["optimizer"].pop("index")  # each observer counts its own
        step.pop("zeroed")  # which `settle` looks at before the loop zeroes
        step["chores"].pop("drew_before", None)  # since the step before, which it has not seen
    assert steps == whole
    assert second.ledger.models == []  # known already
