"""The tensors in what a model takes and gives are found without running a script's own code."""

from collections import OrderedDict, UserDict
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from reference.observe.step.tensors_in import numbers_in, tensors_in


def own_code(*_: Any) -> NoReturn:
    raise AssertionError("a script's own code was run")


OWN = dict.fromkeys(("__iter__", "__len__", "__bool__", "__getitem__", "__array__"), own_code)
OwnDict: Any = type("OwnDict", (dict,), {**OWN, "items": own_code, "keys": own_code})
OwnOrdered: Any = type("OwnOrdered", (OrderedDict,), {**OWN, "items": own_code})
OwnUserDict: Any = type("OwnUserDict", (UserDict,), {**OWN, "items": own_code})
OwnList: Any = type("OwnList", (list,), OWN)
OwnTuple: Any = type("OwnTuple", (tuple,), OWN)
OwnKey: Any = type("OwnKey", (), {"__str__": own_code, "__repr__": own_code})


def own_user_dict() -> Any:
    made = OwnUserDict.__new__(OwnUserDict)
    made.data = OwnDict(logits=torch.ones(2))
    return made


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: OwnDict(logits=torch.ones(2)), "logits"),
        (lambda: OwnOrdered(logits=torch.ones(2)), "logits"),
        (own_user_dict, "logits"),
        (lambda: OwnList([torch.ones(2)]), "[0]"),
        (lambda: OwnTuple([torch.ones(2)]), "[0]"),
        (lambda: {OwnKey(): torch.ones(2)}, "[0]"),
        (lambda: [OwnList([1.0, 2.0]), torch.ones(2)], "[1]"),
    ],
)
def test_none_of_a_scripts_code_is_run(make: Callable[[], Any], path: str) -> None:
    assert list(tensors_in("", make())) == [path]
    assert path in numbers_in(make())


def test_a_key_is_not_hashed_again() -> None:
    class Key:
        hashed = 0

        def __hash__(self) -> int:
            Key.hashed += 1
            return 1

    value = {Key(): torch.ones(2)}
    assert list(tensors_in("", value)) == list(numbers_in(value)) == ["[0]"]
    assert Key.hashed == 1


@pytest.mark.parametrize("first", [None, "text", 1.0, np.ones(2), [1.0], []])
def test_a_tensor_after_something_else_is_left_as_it_was(first: Any) -> None:
    """NumPy would hold its memory, and its script could resize it no more."""
    logits = torch.zeros(2, 2)
    assert torch.equal(numbers_in((first, logits))["[1]"], logits)
    logits.resize_(100, 100)
    halves = torch.ones(2, dtype=torch.bfloat16)  # which NumPy doesn't know
    assert numbers_in([first, [first, halves]])["[1][1]"] is halves


def test_plain_numbers_are_arrays() -> None:
    rows = [[1, 2], (3, 4), OwnList([5, 6])]
    found = numbers_in({"a": rows, "b": [[1.0], [2.0, 3.0]], "c": np.float32(5), "d": 6})
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "a": [[1, 2], [3, 4], [5, 6]],
        "b[0]": [1.0],
        "b[1]": [2.0, 3.0],
        "c": 5.0,
        "d": 6,
    }


def test_the_order_of_an_ordered_dict_is_its_own() -> None:
    value = OrderedDict(a=torch.ones(1), b=torch.ones(1))
    value.move_to_end("a")
    assert list(tensors_in("", value)) == ["b", "a"]
