"""Evaluations that give texts and objects, or nothing at all."""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.diff.pairs import pair
from tests.diff.pairs.small_trainings import Named, fit, rows, seeded

NAMES = ("no", "yes", "perhaps")


@dataclass
class Answer:
    text: str
    score: float


class Label(enum.Enum):
    NO, YES, PERHAPS = range(3)


class Slotted:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def given(second: bool, make: Callable[[Tensor], Any], size: int = 8) -> dict[str, Any]:
    """A model that gives what is made of its classes; other classes in the second run."""

    def call(self: Any, x: Tensor, shift: int = 0) -> Any:
        gives = self.layer(x)
        return gives if self.training else make((gives.argmax(-1) + shift) % 3)

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    model.eval()
    gives: list[Any] = []
    with torch.no_grad():
        for part in rows(16).split(size):
            made = model(part, shift=int(second))
            gives += [list(made)] if isinstance(made, Iterator) else [made]
    return {"gives": [shown(each) for each in gives]}


def shown(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    if isinstance(value, set):
        return sorted(map(str, value))
    return value.name if isinstance(value, Slotted) else repr(value)


def names(classes: Tensor) -> list[str]:
    return [NAMES[n] for n in classes.tolist()]


@pair("metrics", "output")
def texts(second: bool) -> dict[str, Any]:
    return given(second, names)


@pair("metrics", "answers")
def texts_in_a_mapping(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: {"answers": names(classes), "count": len(classes)})


@pair("metrics", "output")
def texts_by_bytes(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: " ".join(names(classes)).encode())


@pair("metrics", "output")
def a_set_of_pairs(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: {*enumerate(names(classes))})


@pair("metrics", "text")
def objects(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: [Answer(name, 0.5) for name in names(classes)])


@pair("metrics", "score")
def numbers_in_objects(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: Answer("all", float(classes.float().mean())))


@pair("metrics", "name")
def objects_with_slots(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: [Slotted(name) for name in names(classes)])


@pair("metrics", "output")
def members_of_an_enumeration(second: bool) -> dict[str, Any]:
    return given(second, lambda classes: [Label(n) for n in classes.tolist()])


@pair("", "not seen: output (of type generator), in the evaluation after step 5")
def a_generator(_second: bool) -> dict[str, Any]:
    return given(False, lambda classes: (name for name in names(classes)))


@pair()
def the_same_texts_in_other_batches(second: bool) -> dict[str, Any]:
    whole = given(False, names, 4 if second else 8)["gives"]
    return {"gives": [name for part in whole for name in part]}


@pair("metrics", "output")
def other_texts_in_other_batches(second: bool) -> dict[str, Any]:
    whole = given(second, names, 4 if second else 8)["gives"]
    return {"gives": [name for part in whole for name in part]}


def of_texts(second: bool, words: list[str], size: int) -> dict[str, Any]:
    def call(self: Any, texts: list[str] | Tensor) -> Any:
        if isinstance(texts, Tensor):
            return self.layer(texts)
        return self.layer(torch.tensor([[len(t), t.count("a"), 1, 0] for t in texts]).float())

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    fit(model)
    with torch.no_grad():
        parts = [model(words[n : n + size]) for n in range(0, len(words), size)]
    return {"classes": torch.cat(parts).argmax(-1), "words": words}


@pair("metrics", "rows of given[0]")
def other_texts_in(second: bool) -> dict[str, Any]:
    last = "bat" if second else "cat"
    return of_texts(second, ["a", "banana", "on", last], 2)


@pair()
def texts_in_other_batches(second: bool) -> dict[str, Any]:
    return of_texts(second, ["a", "banana", "on", "cat"], 4 if second else 2)


def written_down(
    second: bool, write: Callable[[Any, Tensor, Any], None], make: Callable[[], Any], size: int = 8
) -> dict[str, Any]:
    """A model whose evaluation gives nothing back, and writes it down."""

    def call(self: Any, x: Tensor, into: Any = None, factor: float = 1.0) -> Any:
        gives = self.layer(x)
        return gives if self.training else write(self, gives * factor, into)

    model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
    model.register_buffer("result", torch.zeros(8, 3), persistent=False)
    model.results = []
    fit(model)
    model.eval()
    into, gives = make(), []
    with torch.no_grad():
        for part in rows(16).split(size):
            assert model(part, into=into, factor=2.0 if second else 1.0) is None
            gives.append([model.result.clone(), *model.results])
    if isinstance(into, dict):
        into = list(into.values())
    return {"gives": gives, "into": into}


@pair("metrics", "result")
def written_into_a_buffer(second: bool) -> dict[str, Any]:
    return written_down(second, into_buffer, nothing)


@pair("metrics", "results")
def written_into_a_list_of_its_own(second: bool) -> dict[str, Any]:
    return written_down(second, lambda self, gives, _: self.results.append(gives), nothing)


@pair("metrics", "into")
def written_into_a_list_that_is_given(second: bool) -> dict[str, Any]:
    return written_down(second, lambda _self, gives, into: into.append(gives), list)


@pair("metrics", "into.output")
def written_into_a_mapping_that_is_given(second: bool) -> dict[str, Any]:
    return written_down(second, lambda _self, gives, into: into.update(output=gives), dict)


@pair("metrics", "into")
def written_into_a_tensor_that_is_given(second: bool) -> dict[str, Any]:
    def write(_self: Any, gives: Tensor, into: Tensor) -> None:
        into.copy_(gives)

    return written_down(second, write, lambda: torch.zeros(8, 3))


@pair()
def the_same_written_into_a_list_in_other_batches(second: bool) -> dict[str, Any]:
    size = 4 if second else 8
    left = written_down(False, lambda _self, gives, into: into.append(gives), list, size)
    return {"classes": torch.cat(left["into"]).argmax(-1)}


def nothing() -> None:
    return None


def into_buffer(self: Any, gives: Tensor, _into: Any) -> None:
    self.result.copy_(gives)
